"""Which voxels nobody annotated, on masks made by hand."""

from __future__ import annotations

import numpy as np
import pytest

from siil.anatomy import BY_NAME, UNLABELLED
from siil.datasets.annotation import mark_unlabelled
from siil.scan.grid import Grid, Volume


def column(*names: str, shape: tuple[int, int, int] = (12, 3, 3), top: int = 8) -> np.ndarray:
    """Vertebrae of one slice each, two slices apart, from slice `top` down, in the middle of the plane."""
    labels = np.zeros(shape, np.uint8)
    for number, name in enumerate(names):
        labels[top - 2 * number, 1, 1] = BY_NAME[name].code
    return labels


def marked(labels: np.ndarray, *, grid: Grid | None = None, annotation: str = "whole") -> np.ndarray:
    """Where the marked mask is UNLABELLED; all else must be as it was."""
    made = mark_unlabelled(Volume(labels, grid or Grid(labels.shape, (2.0, 1.0, 1.0))), annotation=annotation).array
    beyond = made == UNLABELLED
    assert made.dtype == np.uint8
    assert (made[~beyond] == labels[~beyond]).all()
    return beyond


def slices(beyond: np.ndarray) -> list[int]:
    """The slices that are marked, of masks where a slice is marked wholly or not at all."""
    assert (beyond.all((1, 2)) == beyond.any((1, 2))).all()
    return np.flatnonzero(beyond.any((1, 2))).tolist()


def test_beyond_the_centroids_of_both_ends_nothing_is_annotated() -> None:
    assert slices(marked(column("T10", "T11", "T12"))) == [0, 1, 2, 3, 9, 10, 11]


def test_where_all_is_annotated_the_mask_is_as_it_was() -> None:
    volume = Volume(column("T10", "T11"), Grid((12, 3, 3), (1.0, 1.0, 1.0)))
    assert mark_unlabelled(volume, annotation="all") is volume


def test_nothing_is_above_c1() -> None:
    assert slices(marked(column("C1", "C2", "C3"))) == [0, 1, 2, 3]


@pytest.mark.parametrize("last", ["L5", "L6"])
def test_below_l5_and_l6_comes_the_sacrum(last: str) -> None:
    assert slices(marked(column("L3", "L4", last))) == [9, 10, 11]


def test_the_order_is_anatomical_and_not_that_of_the_codes() -> None:
    """T13 has code 28 and lies between T12 and L1: it is no end here, but it is one where L1 was cut."""
    assert slices(marked(column("T12", "T13", "L1"))) == [0, 1, 2, 3, 9, 10, 11]
    assert slices(marked(column("T11", "T12", "T13"))) == [0, 1, 2, 3, 9, 10, 11]


def test_a_vertebra_alone_ends_at_planes_across_the_patient() -> None:
    assert slices(marked(column("T12"))) == [*range(8), 9, 10, 11]


def test_labels_beyond_and_gaps_between_are_not_touched() -> None:
    labels = column("T10", "T12", top=8)  # T11 has no label
    labels[10, 0, 0] = BY_NAME["T12"].code  # an outlier, too small to matter here: T12's centroid is (6 + 10) / 2
    labels[0, 0, 0] = 26
    beyond = marked(labels)
    assert not beyond[10, 0, 0]
    assert not beyond[0, 0, 0]
    labels = column("T10", "T12", top=8)
    assert slices(marked(labels)) == [*range(6), 9, 10, 11]


def test_own_unlabelled_voxels_are_kept() -> None:
    labels = column("T10", "T11", "T12")
    labels[6, 0, 0] = UNLABELLED
    assert mark_unlabelled(Volume(labels, Grid(labels.shape, (1.0, 1.0, 1.0))), annotation="all").array[6, 0, 0] == 255
    beyond = marked(labels)
    assert beyond[6, 0, 0]
    assert beyond.sum() == 1 + 7 * 9


def test_a_mask_without_vertebrae_is_as_it_was() -> None:
    assert not marked(np.zeros((4, 3, 3), np.uint8)).any()


def test_the_plane_is_at_right_angles_to_the_line_of_the_last_two_centroids() -> None:
    """From (4, 4) to (6, 6) in voxels of 1 mm, along the diagonal of z and y: beyond is z + y > 12."""
    labels = np.zeros((10, 10, 2), np.uint8)
    labels[6, 6], labels[4, 4] = BY_NAME["C3"].code, BY_NAME["C4"].code
    beyond = marked(labels, grid=Grid(labels.shape, (1.0, 1.0, 1.0)))[..., 0]
    z, y = np.indices(beyond.shape)
    np.testing.assert_array_equal(beyond, (z + y > 12) | (z + y < 8))


def test_distances_are_in_millimetres_on_voxels_that_are_no_cubes() -> None:
    """Slices of 4 mm: from (1, 2) to (2, 6) is 4 mm up and 4 mm back; beyond is 4 z + y > 14."""
    labels = np.zeros((6, 16, 2), np.uint8)
    labels[2, 6], labels[1, 2] = BY_NAME["T3"].code, BY_NAME["T4"].code
    beyond = marked(labels, grid=Grid(labels.shape, (4.0, 1.0, 1.0)))[..., 0]
    z, y = np.indices(beyond.shape)
    np.testing.assert_array_equal(beyond, (4 * z + y > 14) | (4 * z + y < 6))


@pytest.mark.parametrize("names", [("T10", "T11", "T12"), ("T12",)])
def test_the_axes_of_the_file_do_not_matter(names: tuple[str, ...]) -> None:
    """The same mask with its axes in the order Y, X, Z and the head at the low end."""
    labels = column(*names)
    turned = np.ascontiguousarray(labels.transpose(1, 2, 0)[..., ::-1])
    # array axes (Z, Y, X) of the file grow to the back, to the left and to the feet: columns are x, y, z of the file
    direction = (0.0, 1.0, 0.0, 0.0, 0.0, 1.0, -1.0, 0.0, 0.0)
    grid = Grid(turned.shape, (1.0, 1.0, 2.0), (0.0, 0.0, 0.0), direction)
    assert grid.orientation == "ILP"
    expected = marked(labels).transpose(1, 2, 0)[..., ::-1]
    np.testing.assert_array_equal(marked(turned, grid=grid), expected)


def test_a_vertebra_that_the_border_cuts_leaves_nothing_beyond_it() -> None:
    """The first vertebra is labelled up to the last slice: past its centroid only its own plane's rest is marked."""
    labels = column("T10", "T11", top=11)
    labels[10:12] = BY_NAME["T10"].code
    assert slices(marked(labels)) == list(range(9))
