from itertools import pairwise

import numpy as np

from siil.report.overlays import WRONG, Picture, overlays, worst_cases
from siil.report.results import Results, Scan


def _names(axis) -> dict[str, list[str]]:
    left = [text for text in axis.texts if text.get_ha() == "left"]
    return {
        "truth": [text.get_text() for text in axis.texts if text.get_ha() == "right"],
        "right": [text.get_text() for text in left if text.get_color() != WRONG],
        "wrong": [text.get_text() for text in left if text.get_color() == WRONG],
    }


def test_wrong_names_are_red_and_missed_vertebrae_have_none(results: Results) -> None:
    shifted = Picture(results.scan("siil", 1, "spine_b"), "shifted")
    missed = Picture(results.scan("siil", 1, "spine_c"), "missed")
    figure = worst_cases([shifted, missed])
    first, second = (_names(axis) for axis in figure.axes[:2])
    assert first == {"truth": ["L1", "L2", "L3", "L4"], "right": [], "wrong": ["L2", "L3", "L4", "L5"]}
    assert second == {"truth": ["T12", "L1", "L2", "L3"], "right": ["T12", "L1", "L2"], "wrong": []}


def test_an_overlay_has_two_planes_per_scan(results: Results) -> None:
    figure = overlays([Picture(results.scan("siil", 0, "spine_a"), "best")])
    assert len(figure.axes) == 2
    assert figure.axes[0].get_title(loc="left") == "best"


def test_a_scan_without_truth_and_prediction_is_drawn_whole() -> None:
    empty = np.zeros((8, 6, 6), np.uint8)
    scan = Scan("a", np.zeros((8, 6, 6), np.int16), empty, empty, 3.0)
    axis = overlays([Picture(scan, "empty")]).axes[0]
    assert axis.get_xlim() == (0, 18)
    assert axis.get_ylim() == (0, 24)


def test_no_scan_says_so() -> None:
    assert overlays([]).texts[0].get_text() == "No scan was tested."
    assert worst_cases([]).texts[0].get_text() == "No scan was tested."


def test_names_of_vertebrae_that_lie_close_do_not_stand_on_each_other() -> None:
    truth = np.zeros((100, 20, 20), np.uint8)
    truth[50, 4:8, 5:12], truth[50, 8:12, 5:12], truth[99, 5:12, 5:12] = 20, 21, 22  # two at one height, one on top
    axis = overlays([Picture(Scan("a", np.zeros(truth.shape, np.int16), truth, truth, 3.0), "close")]).axes[0]
    for side in ("left", "right"):
        ends = sorted(text.get_window_extent().extents[[1, 3]].tolist() for text in axis.texts if text.get_ha() == side)
        assert len(ends) == 3
        assert all(low[1] <= high[0] + 0.1 for low, high in pairwise(ends))
