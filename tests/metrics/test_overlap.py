"""Overlap from counts, by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from siil.metrics.objects import locate
from siil.metrics.overlap import dice, iou, overlaps


def test_half_an_overlap() -> None:
    counts = {"common": 2, "truth": 4, "predicted": 4}
    assert dice(**counts) == 0.5
    assert iou(**counts) == pytest.approx(1 / 3)


def test_one_empty_side_is_zero_and_two_are_undefined() -> None:
    for score in (dice, iou):
        assert score(common=0, truth=3, predicted=0) == score(common=0, truth=0, predicted=3) == 0
        assert math.isnan(score(common=0, truth=0, predicted=0))


def test_each_true_vertebra_knows_which_labels_lie_on_it() -> None:
    truth, prediction = np.zeros((2, 4, 4), np.uint8), np.zeros((2, 4, 4), np.uint8)
    truth[0] = 20
    truth[1, :2] = 21
    prediction[0, :3] = 21
    prediction[1] = 22
    found = overlaps(truth, prediction, locate(truth, (1.0, 1.0, 1.0)))
    assert {code: {n: int(c) for n, c in enumerate(row) if c} for code, row in found.items()} == {
        20: {0: 4, 21: 12},
        21: {22: 8},
    }
