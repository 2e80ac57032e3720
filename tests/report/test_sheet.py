"""Words fold by their measured width, and blocks stand one under the other."""

from __future__ import annotations

import pytest
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import text_to_path

from siil.report.sheet import EDGE_IN, WIDTH_IN, Block, fold, line_in, space, stacked, words


def width_in(text: str, size_pt: float) -> float:
    return text_to_path.get_text_width_height_descent(text, FontProperties(size=size_pt), False)[0] / 72


@pytest.mark.parametrize("text", ["plain words of a sentence", "W" * 80, "/a/path/" + "folder/" * 20, "a $b$ c"])
def test_folded_words_are_all_there_and_no_line_is_too_wide(text):
    lines = fold(text, width_in=1.5, size_pt=11)
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")
    assert all(width_in(line, 11) <= 1.5 for line in lines)


def test_a_line_that_fits_stays_whole_and_no_words_are_one_empty_line():
    assert fold("L1 to L5", width_in=1.5, size_pt=11) == ["L1 to L5"]
    assert fold("", width_in=1.5, size_pt=11) == [""]


def test_a_paragraph_says_how_high_it_is():
    assert words("one line", size_pt=10, colour="black").height_in == line_in(10)
    assert words("W" * 100, size_pt=10, colour="black").height_in > line_in(10)


def test_blocks_stand_under_each_other_and_the_sheet_is_as_high_as_they_are():
    tops: list[float] = []
    block = Block(1.0, lambda figure, top_in: tops.append(top_in))
    figure = stacked([block, space(0.5), block])
    assert figure.get_size_inches().tolist() == [WIDTH_IN, 2.5 + EDGE_IN + 0.2]
    assert tops == pytest.approx([2.7, 1.2])
