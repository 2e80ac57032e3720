"""Phantom vertebrae against masks of real scans: every quantity of every level agrees within 15 %."""

from __future__ import annotations

import numpy as np
import pytest

from siil.phantom.measure import QUANTITIES
from siil.phantom.real_sizes import UNJUDGED, main, means, phantom_sizes, real_sizes, rows

NAN = float("nan")
SEEDS = (1, 3, 7, 9)
"""patients whose mean size is that of the table within 2 %"""


def _values(first: float, last: float) -> np.ndarray:
    return np.array([first, *[10.0] * (len(QUANTITIES) - 2), last])


def test_a_mean_is_over_the_vertebrae_that_have_the_quantity():
    assert means([_values(1, NAN), _values(3, 4), _values(5, NAN)])[[0, -1]].tolist() == [3, 4]
    assert np.isnan(means([_values(1, NAN)])[-1])


def test_the_table_goes_from_the_head_down_and_brackets_what_cannot_be_judged():
    real = {"L2": [_values(50, 12)], "L1": [_values(40, NAN), _values(44, NAN)]}
    lines = rows({"L1": [_values(48, 13)], "L2": [_values(53, 13)]}, real)
    assert [line.split(" | ")[0] for line in lines[2:]] == ["| L1", "| L2"]
    assert lines[2].startswith("| L1 | (48.0 / 42.0) | 10.0 / 10.0 |")
    assert lines[2].endswith("| - | 2 |")
    assert lines[3].endswith("| 13.0 / 12.0 | 1 |")


def test_without_the_folder_of_real_masks_one_line_says_what_to_set(monkeypatch):
    monkeypatch.delenv("SIIL_REAL_DATA", raising=False)
    monkeypatch.setattr("sys.argv", ["real_sizes"])
    with pytest.raises(SystemExit, match="SIIL_REAL_DATA: expected"):
        main()


@pytest.mark.slow
def test_every_quantity_of_every_level_agrees_with_real_masks_within_fifteen_percent(real_data):
    real, phantom = real_sizes(real_data), phantom_sizes(SEEDS)
    assert len(real) == 24
    for name in real:
        ratio = means(phantom[name]) / means(real[name])
        for quantity, share in zip(QUANTITIES, ratio, strict=True):
            if not np.isnan(share) and (name, quantity) not in UNJUDGED:
                assert abs(share - 1) < 0.15, f"{name}, {quantity}: {share:.2f}"
