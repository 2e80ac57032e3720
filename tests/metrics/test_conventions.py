"""The table of edge cases: every row, as score_case gives it, on scans of two voxels."""

from __future__ import annotations

import math

import numpy as np
import pytest

from siil.metrics.case import score_case
from siil.metrics.conventions import SCAN, VERTEBRA, Presence, mean, presence, ratio

UNIT = (1.0, 1.0, 1.0)


def scan(*codes: int) -> np.ndarray:
    """One voxel per code, 4 voxels apart, inside the grid."""
    labels = np.zeros((3, 3, 4 * 8), np.uint8)
    for n, code in enumerate(codes):
        labels[1, 1, 1 + 4 * n] = code
    return labels


def rows(truth: np.ndarray, prediction: np.ndarray) -> tuple[dict[str, dict], dict]:
    found = score_case(truth, prediction, UNIT)
    vertebrae = {row["label"]: row for row in found[found["scope"] == "vertebra"].to_dict("records")}
    return vertebrae, found[found["scope"] == "scan"].to_dict("records")[0]


def check(row: dict, expected: dict[str, float]) -> None:
    for name, value in expected.items():
        for column in ("nsd_1mm", "nsd_2mm") if name == "nsd" else (name,):
            assert row[column] == pytest.approx(value, nan_ok=True), column


def test_presence_names_the_four_situations() -> None:
    assert [presence(truth=t, predicted=p) for t in (True, False) for p in (True, False)] == [
        Presence.BOTH,
        Presence.MISSED,
        Presence.INVENTED,
        Presence.ABSENT,
    ]


def test_a_missed_vertebra_scores_zero_and_has_no_distance() -> None:
    vertebrae, whole = rows(scan(20, 21), scan(20))
    check(vertebrae["L2"], VERTEBRA[Presence.MISSED])
    assert vertebrae["L2"]["detected"] == 0
    assert whole["dice"] == 0.5
    assert whole["hd_mm"] == whole["d_mean_mm"] == 0  # means over what has a distance
    assert whole["id_rate_verse"] == whole["id_rate_strict"] == 0.5
    assert whole["precision"] == 1
    assert whole["all_right"] == 0


def test_an_invented_vertebra_costs_precision_but_no_mean_over_the_truth() -> None:
    vertebrae, whole = rows(scan(20), scan(20, 21))
    check(vertebrae["L2"], VERTEBRA[Presence.INVENTED])
    assert math.isnan(vertebrae["L2"]["detected"])
    assert not vertebrae["L2"]["complete"]
    assert whole["dice"] == whole["id_rate_verse"] == whole["id_rate_strict"] == 1
    assert whole["precision"] == 0.5
    assert whole["f1"] == pytest.approx(2 / 3)
    assert whole["binary_dice"] == pytest.approx(2 / 3)
    assert whole["all_right"] == 0


def test_a_label_outside_the_field_of_view_has_no_row() -> None:
    vertebrae, whole = rows(scan(20), scan(20))
    assert list(vertebrae) == ["L1"]
    assert whole["all_right"] == 1


def test_an_empty_prediction_scores_zero_in_every_rate_over_the_truth() -> None:
    _, whole = rows(scan(20, 21), scan())
    check(whole, SCAN[Presence.MISSED])
    rates = ("dice", "iou", "id_rate_verse", "id_rate_strict", "detection_rate", "shift_accuracy", "nsd_1mm")
    assert [whole[name] for name in rates] == [0] * len(rates)
    assert math.isnan(whole["hd_mm"])
    assert math.isnan(whole["d_mean_mm"])


def test_a_prediction_where_the_truth_is_empty_leaves_the_means_undefined() -> None:
    _, whole = rows(scan(), scan(20))
    check(whole, SCAN[Presence.INVENTED])
    assert all(math.isnan(whole[name]) for name in ("dice", "id_rate_verse", "id_rate_strict", "detection_rate"))


def test_two_empty_scans_are_all_right_and_everything_else_is_undefined() -> None:
    vertebrae, whole = rows(scan(), scan())
    assert vertebrae == {}
    check(whole, SCAN[Presence.ABSENT])
    assert all(math.isnan(whole[name]) for name in ("dice", "id_rate_verse", "f1", "shift_accuracy"))


def test_ratio_and_mean_have_no_opinion_about_nothing() -> None:
    assert ratio(1, 4) == 0.25
    assert math.isnan(ratio(0, 0))
    assert mean(np.array([1.0, np.nan, 3.0])) == 2
    assert math.isnan(mean(np.array([np.nan])))
    assert math.isnan(mean(np.array([])))
