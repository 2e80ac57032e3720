"""The sheet of pictures of what an audit suspects."""

from __future__ import annotations

import numpy as np

from siil.audit.findings import Finding
from siil.report.results import Scan
from siil.report.suspects import suspects


def picture(case: str) -> tuple[Finding, Scan]:
    labels = np.zeros((20, 16, 16), np.uint8)
    labels[12:16, 4:10, 4:10], labels[5:9, 4:10, 4:10] = 21, 22  # internal indices of L1 and L2
    scan = Scan(case, np.where(labels > 0, 300, 40).astype(np.int16), labels, np.zeros_like(labels), 2.0)
    return Finding(case, "gap", "L1-L2", 5.0, "a vertebra without a label lies between"), scan


def test_each_scan_has_a_panel_with_its_reason_and_the_masks_names():
    figure = suspects([picture("a"), picture("b")])
    drawn = [axis for axis in figure.axes if axis.get_title()]
    assert [axis.get_title().split("\n")[0] for axis in drawn] == ["a", "b"]
    assert "without a label" in drawn[0].get_title().replace("\n", " ")
    assert [text.get_text() for text in drawn[0].texts] == ["L1", "L2"]


def test_a_sheet_is_as_wide_as_its_panels():
    one, four, five = (suspects([picture("a")] * count) for count in (1, 4, 5))
    assert one.get_figwidth() < four.get_figwidth() / 3
    assert four.get_figwidth() == five.get_figwidth()
    assert len(one.axes) == 1


def test_without_a_suspect_the_sheet_says_so():
    assert "No scan is suspected." in [text.get_text() for text in suspects([]).texts]
