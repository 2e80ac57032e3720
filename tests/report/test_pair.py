"""Names between two planes: where they stand, and which bone their lines go to."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from siil.anatomy import BY_NAME
from siil.report.pair import Plane, pair, spread, targets
from siil.report.sheet import stacked

L1, L2 = BY_NAME["L1"].index, BY_NAME["L2"].index


def plane(labels: np.ndarray) -> Plane:
    return Plane(np.zeros(labels.shape), labels, 2.0)


def side(*, up: int = 0) -> np.ndarray:
    labels = np.zeros((20, 30), np.uint8)
    labels[5 + up : 8 + up, 10:14] = L1  # the body: 12 voxels
    labels[3 + up : 8 + up, 20:24] = L1  # its process is larger: 20
    labels[5 + up, 2] = L1  # a speck
    return labels


def test_a_line_ends_at_the_nearest_piece_that_is_no_speck():
    # the body's border voxel, columns 10 to 13 of 2 mm: inner edge of column 10 is 22 mm; row 6's middle is 13 mm
    assert targets(plane(side()), nearest="left") == {L1: (22.0, 13.0)}
    assert targets(plane(side()), nearest="right") == {L1: (46.0, 11.0)}


def test_names_that_have_room_stand_where_they_want():
    assert spread([1.0, 3.0, 6.0], gap=1.0, low=0.0, high=9.0).tolist() == [1.0, 3.0, 6.0]


@pytest.mark.parametrize(
    ("wanted", "placed"),
    [
        ([4.0, 4.0], [3.5, 4.5]),  # both give way alike
        ([0.0, 0.2, 5.0], [0.0, 1.0, 5.0]),  # the border holds
        ([8.9, 9.0], [8.0, 9.0]),
        ([], []),
    ],
)
def test_names_that_would_touch_are_moved_apart(wanted, placed):
    np.testing.assert_allclose(spread(wanted, gap=1.0, low=0.0, high=9.0), placed)


def lines(figure: Figure) -> list[Line2D]:
    return [line for line in figure.get_children() if isinstance(line, Line2D)]


def test_planes_that_show_the_spine_at_other_heights_are_moved_until_the_lines_are_level():
    left = np.zeros((20, 10), np.uint8)
    left[10:13, 3:6] = L1
    figure = stacked([pair(plane(left), plane(side()), remarks={L1: ("0.98", "red")})])
    assert len(lines(figure)) == 2
    (here, there) = (line.get_ydata() for line in lines(figure))
    assert here[0] == pytest.approx(here[1])
    assert there[1] == pytest.approx(here[1])
    assert {text.get_text() for text in figure.texts} >= {"L1", "0.98"}


def test_a_vertebra_of_one_plane_has_one_line():
    left = np.zeros((20, 10), np.uint8)
    left[10:13, 3:6] = L2
    assert len(lines(stacked([pair(plane(left), plane(np.zeros((20, 9), np.uint8)))]))) == 1
