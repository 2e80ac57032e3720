"""The coarse look at a volume: the same from every order of axes."""

from __future__ import annotations

import numpy as np
import pytest

from siil.audit.coarse import coarse
from siil.scan.grid import Grid, Volume

DIRECTIONS = {
    "LPS": (1, 0, 0, 0, 1, 0, 0, 0, 1),
    "RAI": (-1, 0, 0, 0, -1, 0, 0, 0, -1),
}


@pytest.mark.parametrize("code", DIRECTIONS)
def test_axes_run_to_the_head_the_back_and_the_left_however_the_file_has_them(code):
    array = np.arange(4 * 3 * 2, dtype=np.int16).reshape(4, 3, 2)
    stored = array if code == "LPS" else array[::-1, ::-1, ::-1]
    volume = Volume(stored, Grid((4, 3, 2), (3.0, 3.0, 3.0), direction=tuple(map(float, DIRECTIONS[code]))))
    np.testing.assert_array_equal(coarse(volume), array)


def test_a_sagittal_file_is_turned_upright():
    array = np.arange(4 * 3 * 2, dtype=np.int16).reshape(4, 3, 2)  # Z, Y, X
    # the file's x runs back (P), its y down (I), its z to the right (R)
    stored = array.transpose(2, 0, 1)[::-1, ::-1, :]
    grid = Grid((2, 4, 3), (3.0, 3.0, 3.0), direction=(0.0, 0, -1, 1, 0, 0, 0, -1, 0))
    assert grid.orientation == "PIR"
    np.testing.assert_array_equal(coarse(Volume(stored, grid)), array)


def test_fine_voxels_are_sampled_in_the_middle_of_the_coarse_ones():
    array = np.broadcast_to(np.arange(6, dtype=np.int16)[:, None, None], (6, 2, 2))
    volume = Volume(array, Grid((6, 2, 2), (1.0, 3.0, 3.0)))
    np.testing.assert_array_equal(coarse(volume)[:, 0, 0], [1, 4])  # of 0, 1, 2 and of 3, 4, 5
