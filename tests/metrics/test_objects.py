"""Bounding boxes, volumes, centroids, and which vertebrae the border cuts."""

from __future__ import annotations

import numpy as np
import pytest

from siil.errors import InputError
from siil.metrics.objects import complete, locate

UNIT = (1.0, 1.0, 1.0)


def test_a_vertebra_is_located_in_voxels_and_millimetres() -> None:
    labels = np.zeros((6, 7, 8), np.uint8)
    labels[1:3, 2:5, 3] = 20
    place = locate(labels, (3.0, 2.0, 0.5))[20]
    assert place.box == (slice(1, 3), slice(2, 5), slice(3, 4))
    assert place.voxels == 6
    assert place.centroid_mm == pytest.approx([1.5 * 3, 3 * 2, 3 * 0.5])


def test_background_sacrum_and_coccyx_are_no_vertebrae() -> None:
    labels = np.zeros((3, 3, 3), np.uint8)
    labels[0, 0] = [26, 27, 28]
    assert list(locate(labels, UNIT)) == [28]
    assert locate(np.zeros((3, 3, 3), np.uint8), UNIT) == {}


@pytest.mark.parametrize("labels", [np.zeros((3, 3), np.uint8), np.zeros((3, 3, 3), np.int64)])
def test_other_arrays_are_refused(labels: np.ndarray) -> None:
    with pytest.raises(InputError, match="3D array of uint8"):
        locate(labels, UNIT)


def test_an_unknown_label_is_refused_by_name() -> None:
    with pytest.raises(InputError, match="label 41 is outside"):
        locate(np.full((2, 2, 2), 41, np.uint8), UNIT)


@pytest.mark.parametrize("axis", range(3))
@pytest.mark.parametrize(("where", "whole"), [(0, False), (1, True), (6, True), (7, False)])
def test_a_voxel_in_the_outermost_layer_means_cut(axis: int, where: int, whole: bool) -> None:
    labels = np.zeros((8, 8, 8), np.uint8)
    index = [4, 4, 4]
    index[axis] = where
    labels[tuple(index)] = 9
    assert (complete(locate(labels, UNIT), labels.shape) == {9}) is whole


def test_an_array_in_any_memory_order_is_located_the_same() -> None:
    labels = np.zeros((4, 5, 6), np.uint8)
    labels[1, 2:4, 3] = 8
    turned = np.asfortranarray(labels)
    assert locate(turned, UNIT)[8].box == locate(labels, UNIT)[8].box
    assert locate(turned, UNIT)[8].centroid_mm == pytest.approx([1, 2.5, 3])
