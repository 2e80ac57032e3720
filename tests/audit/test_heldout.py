"""A prediction beside a mask."""

from __future__ import annotations

import numpy as np

from siil.audit.heldout import constant_shift


def column(codes: list[int]) -> np.ndarray:
    return np.repeat(np.array(codes, np.uint8), 4).reshape(-1, 2, 2)


def test_names_a_level_further_down_everywhere_are_a_shift_of_one():
    assert constant_shift(column([18, 19, 20, 21]), column([19, 20, 21, 22])) == (1, 4)


def test_the_same_names_are_a_shift_of_none():
    assert constant_shift(column([18, 19, 20]), column([18, 19, 20])) == (0, 3)


def test_names_that_differ_here_and_there_are_no_shift():
    assert constant_shift(column([18, 19, 20, 21]), column([18, 19, 21, 22])) is None


def test_two_vertebrae_are_too_few_and_so_is_a_map_that_misses_the_rest():
    assert constant_shift(column([18, 19]), column([19, 20])) is None
    assert constant_shift(column([18, 19, 20]), column([19, 20, 0])) is None


def test_one_in_five_may_differ():
    assert constant_shift(column([18, 19, 20, 21, 22]), column([19, 20, 21, 22, 22])) == (1, 4)
