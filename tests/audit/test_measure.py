"""What a scan is measured as: by hand, on boxes."""

from __future__ import annotations

import numpy as np
import pytest

from siil.anatomy import SACRUM_CODE, UNLABELLED
from siil.audit.measure import measure

L1, L2 = 20, 21


def boxes() -> np.ndarray:
    """L1 above L2, each 4 x 6 x 6 voxels, with three free slices between."""
    labels = np.zeros((20, 14, 14), np.uint8)
    labels[11:15, 4:10, 4:10] = L1
    labels[4:8, 4:10, 4:10] = L2
    return labels


def test_volume_centre_and_spread_are_those_of_the_box():
    one, two = measure("a", boxes(), None, 3.0).bones
    assert (one.name, two.name) == ("L1", "L2")
    assert one.volume_cm3 == pytest.approx(144 * 0.027)
    np.testing.assert_allclose(one.centre_mm, (12.5 * 3, 6.5 * 3, 6.5 * 3))
    assert one.along == pytest.approx(3 * np.sqrt(15 / 12))  # of 4 steps: (16 - 1) / 12
    assert one.across == one.deep == pytest.approx(3 * np.sqrt(35 / 12))
    assert np.isnan(one.hu)
    assert not one.cut


def test_the_border_cuts_and_up_and_down_a_voxel_beside_it_counts():
    labels = boxes()
    labels[1:8, 4:10, 4:10] = L2
    assert [bone.cut for bone in measure("a", labels, None, 3.0).bones] == [False, True]


def test_two_labels_meet_on_the_faces_that_they_share():
    labels = boxes()
    labels[8:11, 4:10, 4:10] = L2  # up to L1: 36 faces of 9 mm²
    assert measure("a", labels, None, 3.0).touching == {(L1, L2): pytest.approx(3.24)}


def test_a_second_piece_has_its_size_and_its_distance_along_the_spine():
    labels = boxes()
    labels[labels == L2] = L1
    (bone,) = measure("a", labels, None, 3.0).bones
    assert bone.piece_cm3 == pytest.approx(144 * 0.027)
    assert bone.piece_mm == pytest.approx(21.0)


def test_sacrum_slivers_and_what_nobody_annotated_are_no_vertebrae():
    labels = boxes()
    labels[labels == L1] = SACRUM_CODE
    labels[0] = UNLABELLED
    labels[19, 0, 0] = 7
    assert [bone.name for bone in measure("a", labels, None, 3.0).bones] == ["L2"]


def test_bone_without_a_label_beside_a_vertebra_is_a_rib_and_bone_in_front_is_none():
    labels = np.zeros((20, 40, 60), np.uint8)
    labels[6:14, 16:24, 26:34] = L1
    hu = np.where(labels > 0, 300, 40).astype(np.int16)
    hu[8:12, 10, 28:32] = 300  # before it
    assert measure("a", labels, hu, 3.0).bones[0].ribs == 0
    hu[9:11, 20, 36:38] = 300  # 2 x 2 voxels, 6 to 9 mm off its left side
    bone = measure("a", labels, hu, 3.0).bones[0]
    assert bone.ribs == pytest.approx(4 * 0.027)
    assert bone.hu == 300
    assert bone.around_hu == pytest.approx(40, abs=1)


def test_the_same_content_has_the_same_digest_and_one_voxel_makes_another():
    labels, hu = boxes(), np.zeros((20, 14, 14), np.int16)
    first, second = measure("a", labels, hu, 3.0), measure("b", labels.copy(), hu.copy(), 3.0)
    assert (first.image, first.mask) == (second.image, second.mask)
    hu[0, 0, 0] = 1
    assert measure("c", labels, hu, 3.0).image != first.image


def test_a_half_filled_voxel_on_the_surface_is_no_rib():
    labels = np.zeros((20, 40, 70), np.uint8)
    labels[6:14, 16:24, 24:40] = L1
    hu = np.where(labels > 0, 300, 40).astype(np.int16)
    hu[6:14, 16:24, 40] = 250
    assert measure("a", labels, hu, 3.0).bones[0].ribs == 0
