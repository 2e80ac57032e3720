"""Headers and centroid files against each other and against the mask."""

from __future__ import annotations

import nibabel as nib
import numpy as np
import pytest

from siil.audit.headers import contradictions, labels_at, read_centroids
from siil.scan.grid import Grid, Volume

L1, L2, C1, C2 = 20, 21, 1, 2


def header(sform: np.ndarray, qform: np.ndarray):
    image = nib.Nifti1Image(np.zeros((10, 10, 10), np.int16), np.eye(4))
    image.set_sform(sform, code=1)
    image.set_qform(qform, code=1)
    return image.header


def test_two_matrices_that_agree_say_nothing():
    assert contradictions(header(np.eye(4), np.eye(4))) == []


def test_a_sign_that_differs_is_said_with_both_orientations():
    assert contradictions(header(np.eye(4), np.diag((-1.0, 1, 1, 1)))) == [
        "sform says RAS, qform LAS: left and right, or up and down, are in doubt"
    ]


def test_a_scan_that_lies_elsewhere_by_the_other_matrix_is_said():
    moved = np.eye(4)
    moved[2, 3] = 37
    assert contradictions(header(moved, np.eye(4))) == ["sform and qform lay the scan 37 mm apart"]


def mask() -> Volume:
    array = np.zeros((20, 10, 10), np.uint8)
    array[12:16, 3:7, 3:7], array[4:8, 3:7, 3:7] = L1, L2
    return Volume(array, Grid((20, 10, 10), (3.0, 3.0, 3.0)))


def entry(label: int, x: float, y: float, z: float) -> dict:
    return {"label": label, "X": x, "Y": y, "Z": z}


@pytest.mark.parametrize(
    ("place", "there"),
    [((5, 5, 14), L1), ((5, 5, 6), L2), ((5, 5, 17), L1), ((1, 1, 1), 0), ((99, 5, 6), 0), ((-40, 5, 14), 0)],
    ids=["in its own", "in the next", "a voxel above its own", "in nothing", "outside", "far outside"],
)
def test_a_centroid_is_looked_up_in_the_mask(place, there):
    assert labels_at([entry(L1, *place)], mask()) == {L1: there}


def test_a_direction_of_its_own_is_turned_into_the_files():
    entries = [{"direction": ["S", "A", "L"]}, entry(L1, 14, 10 - 1 - 5, 5)]  # up, forward, left
    assert labels_at(entries, mask()) == {L1: L1}


def test_entries_without_a_place_are_passed_over():
    assert labels_at([entry(L1, float("nan"), 1, 1), {"label": L2}, entry(99, 1, 1, 1)], mask()) == {}


def test_the_first_vertebras_centroid_may_lie_in_the_dens_and_not_in_the_body_below():
    array = np.zeros((20, 12, 12), np.uint8)
    array[14:16, 2:10, 2:10] = C1
    array[4:16, 5:7, 5:7] = C2
    on = Volume(array, Grid((20, 12, 12), (3.0, 3.0, 3.0)))
    assert labels_at([entry(C1, 5.5, 5.5, 14.5), entry(C2, 5.5, 5.5, 8)], on) == {C1: C1, C2: C2}
    assert labels_at([entry(C1, 5.5, 5.5, 8)], on) == {C1: C2}


def test_a_file_that_is_no_list_has_no_centroids(tmp_path):
    for name, text in (("a", "{}"), ("b", "not json")):
        (tmp_path / name).write_text(text)
        assert read_centroids(tmp_path / name) == []
