"""Means, intervals over patients and paired tests, by hand on a few rows."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from siil.config.schema.report import Report
from siil.metrics.pool import by_level, holm, paired, summarise

SETTINGS = Report(bootstrap=2000, confidence=0.9, seed=0, viewer_cases=0)


def scans(**values: list[float]) -> pd.DataFrame:
    """One model per keyword, one scan per value, each of a patient of its own."""
    rows = [
        {"model": model, "space": "work", "case": f"c{n}", "patient": f"p{n}", "dice": value}
        for model, of_model in values.items()
        for n, value in enumerate(of_model)
    ]
    return pd.DataFrame(rows)


def summary(frame: pd.DataFrame, settings: Report = SETTINGS) -> dict[str, float]:
    (row,) = summarise(frame, by=("model", "space"), metrics=["dice"], settings=settings).to_dict("records")
    return row


def test_mean_and_standard_deviation_are_over_rows() -> None:
    row = summary(scans(siil=[0.5, 0.7, 0.9]))
    assert (row["model"], row["space"], row["metric"], row["n"]) == ("siil", "work", "dice", 3)
    assert row["mean"] == pytest.approx(0.7)
    assert row["sd"] == pytest.approx(0.2)


def test_absent_values_leave_the_mean_and_the_count() -> None:
    row = summary(scans(siil=[0.5, np.nan, 0.9]))
    assert (row["mean"], row["n"]) == (pytest.approx(0.7), 2)
    row = summary(scans(siil=[np.nan, np.nan]))
    assert np.isnan([row["mean"], row["sd"], row["low"], row["high"]]).all()
    assert row["n"] == 0


def test_the_interval_of_two_patients_is_what_drawing_two_of_two_gives() -> None:
    # Means of two draws out of {0, 1}: 0, 0.5 or 1 with 1/4, 1/2, 1/4; the 5th and 95th percentiles are 0 and 1.
    row = summary(scans(siil=[0.0, 1.0]))
    assert (row["low"], row["high"]) == (0, 1)
    row = summary(scans(siil=[0.0, 1.0]), SETTINGS.model_copy(update={"confidence": 0.4}))
    assert (row["low"], row["high"]) == (0.5, 0.5)


def test_patients_are_drawn_not_scans() -> None:
    # Ten scans of one good patient and one of a bad one: still two patients, each drawn half the time.
    frame = scans(siil=[1.0] * 10 + [0.0])
    frame["patient"] = ["good"] * 10 + ["bad"]
    row = summary(frame)
    assert row["mean"] == pytest.approx(10 / 11)
    assert (row["low"], row["high"]) == (0, 1)


def test_one_patient_has_no_interval() -> None:
    frame = scans(siil=[0.2, 0.8]).assign(patient="only")
    row = summary(frame)
    assert row["mean"] == 0.5
    assert np.isnan([row["low"], row["high"]]).all()


def test_the_same_seed_gives_the_same_interval_and_models_share_their_draws() -> None:
    frame = scans(a=[0.1, 0.5, 0.9, 0.4], b=[0.1, 0.5, 0.9, 0.4])
    one = summarise(frame, by=("model",), metrics=["dice"], settings=SETTINGS)
    assert one.equals(summarise(frame, by=("model",), metrics=["dice"], settings=SETTINGS))
    assert one["low"].nunique() == one["high"].nunique() == 1
    assert one["model"].tolist() == ["a", "b"]


def test_the_interval_agrees_with_the_normal_one_for_many_patients() -> None:
    values = np.random.default_rng(1).normal(0.8, 0.1, 400)
    row = summary(scans(siil=values.tolist()))
    half = 1.645 * values.std(ddof=1) / 20
    assert row["low"] == pytest.approx(values.mean() - half, abs=0.0015)
    assert row["high"] == pytest.approx(values.mean() + half, abs=0.0015)


def test_holm_corrects_step_by_step_and_never_falls() -> None:
    assert holm(np.array([0.01, 0.04, 0.03])) == pytest.approx([0.03, 0.06, 0.06])
    assert holm(np.array([0.5, 0.9])) == pytest.approx([1.0, 1.0])
    assert holm(np.array([0.02, np.nan])) == pytest.approx([0.02, np.nan], nan_ok=True)
    assert holm(np.array([])).size == 0


def test_six_patients_that_all_improve_have_the_exact_p() -> None:
    frame = scans(siil=[0.5] * 6, better=[0.51, 0.52, 0.53, 0.54, 0.55, 0.56])
    (row,) = paired(frame, reference="siil", metrics=["dice"], settings=SETTINGS).to_dict("records")
    assert (row["model"], row["n"]) == ("better", 6)
    assert row["difference"] == pytest.approx(0.035)
    assert row["p"] == row["p_holm"] == pytest.approx(2 / 2**6)


def test_ties_and_zeros_are_counted_exactly_for_few_patients() -> None:
    # Ranks of 0.1, 0.1, 0.1: all positive in 2 of 8 sign patterns, two-sided.
    frame = scans(siil=[0.5, 0.6, 0.7], other=[0.6, 0.7, 0.8])
    (row,) = paired(frame, reference="siil", metrics=["dice"], settings=SETTINGS).to_dict("records")
    assert row["p"] == pytest.approx(0.25)


def test_pairs_are_patients() -> None:
    frame = scans(siil=[0.5] * 4, other=[0.7, 0.3, 0.6, 0.6])
    frame["patient"] = ["a", "a", "b", "c"] * 2
    (row,) = paired(frame, reference="siil", metrics=["dice"], settings=SETTINGS).to_dict("records")
    assert row["n"] == 3
    assert row["difference"] == pytest.approx((0.0 + 0.1 + 0.1) / 3)


def test_equal_models_do_not_differ_and_one_pair_cannot_be_tested() -> None:
    (row,) = paired(
        scans(siil=[0.5, 0.6], same=[0.5, 0.6]), reference="siil", metrics=["dice"], settings=SETTINGS
    ).to_dict("records")
    assert row["p"] == 1
    frame = scans(siil=[0.5, np.nan], other=[0.6, 0.7])
    (row,) = paired(frame, reference="siil", metrics=["dice"], settings=SETTINGS).to_dict("records")
    assert row["n"] == 1
    assert np.isnan([row["p"], row["p_holm"]]).all()


def test_one_model_alone_has_no_tests() -> None:
    assert paired(scans(siil=[0.5, 0.6]), reference="siil", metrics=["dice"], settings=SETTINGS).empty


def vertebrae(**levels: list[tuple[str, float]]) -> pd.DataFrame:
    """One row per (patient, Dice) of each level, of one model."""
    rows = [
        {"model": "siil", "label": label, "patient": patient, "dice": value}
        for label, of_level in levels.items()
        for patient, value in of_level
    ]
    return pd.DataFrame(rows)


def test_by_level_a_rare_level_counts_as_much_as_a_frequent_one() -> None:
    frame = vertebrae(L1=[("a", 1.0), ("b", 1.0), ("c", 1.0)], L6=[("a", 0.4)], T13=[("b", np.nan)])
    (row,) = by_level(frame, by=("model",), metrics=["dice"], settings=SETTINGS).to_dict("records")
    assert row["mean"] == pytest.approx(0.7)
    assert row["n"] == 2  # T13 has no value
    assert row["sd"] == pytest.approx(np.std([1.0, 0.4], ddof=1))
    # a draw without patient a has no L6 and a mean of 1, any other one 0.7
    assert (row["low"], row["high"]) == (pytest.approx(0.7), 1)


def test_by_level_an_invented_vertebra_counts_with_its_dice_of_zero() -> None:
    frame = vertebrae(L1=[("a", 0.8)], L2=[("a", 0.0)])
    (row,) = by_level(frame, by=("model",), metrics=["dice"], settings=SETTINGS).to_dict("records")
    assert row["mean"] == pytest.approx(0.4)
    assert np.isnan([row["low"], row["high"]]).all()  # one patient
