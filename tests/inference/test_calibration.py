"""Calibration on constructed confidences and margins with a known answer."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import special

from siil.inference.calibration import (
    Curve,
    calibrated,
    calibration_error,
    fit_curve,
    fit_margin,
    limit,
    logit,
    reliability,
)


def test_slope_1_and_offset_0_leave_a_confidence_as_it_is():
    for confidence in (0.0, 0.01, 0.5, 0.93, 0.99999):
        assert calibrated(confidence, Curve(1, 0)) == pytest.approx(confidence, abs=1e-9)


def test_a_curve_halves_the_logit_and_moves_it():
    assert calibrated(0.9, Curve(0.5, 0)) == pytest.approx(0.75)  # odds 9 become 3
    assert calibrated(0.5, Curve(0.5, np.log(4))) == pytest.approx(0.8)  # odds 1 become 4


def test_certainty_is_limited_and_its_curve_too():
    assert logit(np.array([0.0, 1.0])).tolist() == [-12, 12]
    assert calibrated(1.0, Curve(0.25, 0)) == pytest.approx(special.expit(3))


def test_the_curve_that_made_the_truth_is_found_again():
    generator = np.random.default_rng(0)
    raw = special.expit(generator.uniform(-6, 8, 20000))
    right = generator.random(20000) < special.expit(0.4 * special.logit(raw) + 0.7)
    found = fit_curve(raw, right)
    assert found.slope == pytest.approx(0.4, abs=0.02)
    assert found.offset == pytest.approx(0.7, abs=0.06)
    after = np.array([calibrated(value, found) for value in raw])
    assert calibration_error(raw, right) > 0.1
    assert calibration_error(after, right) < 0.015


def test_ten_vertebrae_all_right_do_not_become_certain():
    found = fit_curve(np.full(10, 0.999999), np.ones(10, bool))
    assert calibrated(0.999999, found) == pytest.approx(11 / 12, abs=0.01)  # Platt's target of 10 hits of 10
    assert found.slope > 0


def test_a_confidence_that_misleads_never_turns_the_order_around():
    raw = np.array([0.1, 0.2, 0.8, 0.9])
    found = fit_curve(raw, np.array([True, True, False, False]))
    assert found.slope >= 0
    assert calibrated(0.9, found) >= calibrated(0.1, found)


def test_the_smallest_margin_that_keeps_wrong_scans_out_is_found():
    margins = np.array([0.5, 1.0, 2.0, 3.0, 5.0, np.inf])
    wrong = np.array([True, False, True, False, False, False])
    found = fit_margin(margins, wrong, np.zeros(6, bool))
    assert found.margin == 2.5  # between the worst wrong scan and the next right one
    assert (found.flagged, found.passed, found.wrong) == (3, 3, 0)


def test_a_wrong_scan_in_two_hundred_is_tolerated_and_the_interval_says_how_little_that_is():
    margins = np.arange(200) + 1.0
    wrong = margins == 150
    found = fit_margin(margins, wrong, np.zeros(200, bool))
    assert found.margin == 0
    assert found.wrong == 1
    assert found.upper == pytest.approx(0.0275, abs=0.0003)  # 1 of 200, Clopper and Pearson
    assert fit_margin(margins, wrong, np.zeros(200, bool), tolerated=0.004).margin == 150.5


def test_scans_flagged_for_another_reason_need_no_margin():
    margins = np.array([9.0, 1.0])
    assert fit_margin(margins, np.array([True, False]), np.array([True, False])).margin == 0


def test_where_the_surest_scan_is_wrong_everything_is_flagged():
    margins, wrong = np.array([1.0, 2.0]), np.array([False, True])
    found = fit_margin(margins, wrong, np.zeros(2, bool))
    assert found.margin > 2
    assert (found.passed, found.wrong, found.upper) == (0, 0, 1.0)
    without_rival = np.array([1.0, np.inf])
    assert fit_margin(without_rival, wrong, np.zeros(2, bool)).wrong == 1  # no margin can flag it: it is said
    assert limit(2.0, margins, wrong, np.zeros(2, bool)).passed == 1


def test_reliability_bins_hold_equal_numbers():
    confidence = np.array([0.9, 0.1, 0.8, 0.2])
    right = np.array([True, False, False, True])
    table = reliability(confidence, right, bins=2)
    assert table == pytest.approx(np.array([[0.15, 0.5, 2], [0.85, 0.5, 2]]))
    assert calibration_error(confidence, right, bins=2) == pytest.approx(0.35)
    assert reliability(np.zeros(0), np.zeros(0, bool)).shape == (0, 3)
