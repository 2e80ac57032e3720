"""What of a prediction is judged where a part of the truth was not annotated; worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from siil.anatomy import BY_NAME, UNLABELLED
from siil.metrics.annotation import judged
from siil.metrics.case import score_case

T11, T12, L1 = (BY_NAME[name].code for name in ("T11", "T12", "L1"))
SPACING = (1.0, 1.0, 1.0)


def scan() -> tuple[np.ndarray, np.ndarray]:
    """Truth: L1 and T12, and above T12's middle nobody annotated. Prediction: the same, T12 two slices too high, and a
    T11 above of which one slice in five lies where T12's truth is."""
    truth = np.zeros((20, 6, 6), np.uint8)
    truth[2:6, 1:5, 1:5], truth[8:12, 1:5, 1:5] = L1, T12
    truth[10:][truth[10:] == 0] = UNLABELLED
    prediction = np.zeros_like(truth)
    prediction[2:6, 1:5, 1:5], prediction[8:14, 1:5, 1:5] = L1, T12
    prediction[14:18, 1:5, 1:5], prediction[11, 1:5, 1:5] = T11, T11
    return truth, prediction


def test_a_vertebra_that_lies_where_nobody_annotated_goes_with_its_rest() -> None:
    truth, prediction = scan()
    found = judged(truth, prediction)
    assert np.unique(found).tolist() == [0, T12, L1]
    assert (found[8:11, 1:5, 1:5] == T12).all(), "what was annotated stays"
    assert not found[11:].any()


def test_a_vertebra_that_lies_where_the_truth_speaks_loses_only_what_is_beyond() -> None:
    truth, prediction = scan()
    prediction[prediction == T12] = T11  # a wrong name, 48 voxels of 96 + 64 beyond: kept for its other half
    prediction[14:] = 0
    found = judged(truth, prediction)
    assert (found == T11).sum() == 16 * 4


def test_a_wrong_name_that_lies_beyond_by_more_than_half_finds_nothing() -> None:
    truth, prediction = scan()
    prediction[8:12][prediction[8:12] > 0] = L1
    prediction[14:] = 0
    prediction[11, 1:5, 1:5] = T12  # of T12 one slice of three lies on the truth
    found = judged(truth, prediction)
    assert T12 not in found


def test_everything_annotated_is_the_same_array() -> None:
    _, prediction = scan()
    assert judged(np.zeros_like(prediction), prediction) is prediction


@pytest.mark.parametrize(("ignore", "n_predicted", "precision", "f1"), [(False, 3, 2 / 3, 4 / 5), (True, 2, 1.0, 1.0)])
def test_the_counts_of_a_scan(ignore: bool, n_predicted: int, precision: float, f1: float) -> None:
    truth, prediction = scan()
    rows = score_case(truth, judged(truth, prediction) if ignore else prediction, SPACING)
    found = rows[rows["scope"] == "scan"].iloc[0]
    assert found["n_truth"] == 2
    assert found["n_predicted"] == n_predicted
    assert found["precision"] == pytest.approx(precision)
    assert found["f1"] == pytest.approx(f1)
    assert found["detection_rate"] == 1
    assert found["all_right"] == float(ignore)
    assert rows["label"].tolist() == ([] if ignore else ["T11"]) + ["T12", "L1", ""]


def test_overlap_and_distances_of_a_scan() -> None:
    """T12 has 64 true voxels; 80 are predicted (its slice 11 is named T11), of which 48 lie on the truth, 32 beyond."""
    truth, prediction = scan()
    counted, ignored = (score_case(truth, found, SPACING) for found in (prediction, judged(truth, prediction)))
    one, other = (rows.set_index("label").loc["T12"] for rows in (counted, ignored))
    assert one["dice"] == pytest.approx(2 * 48 / (64 + 80))
    assert other["dice"] == pytest.approx(2 * 48 / (64 + 48))
    assert one["hd_mm"] == pytest.approx(2)
    assert other["hd_mm"] == pytest.approx(1)
    one, other = (rows[rows["scope"] == "scan"].iloc[0] for rows in (counted, ignored))
    assert one["binary_dice"] == pytest.approx(2 * 128 / (128 + 64 + 80 + 80))
    assert other["binary_dice"] == pytest.approx(2 * 112 / (128 + 112))


def test_unlabelled_voxels_are_no_vertebra_of_the_truth() -> None:
    truth, prediction = scan()
    plain = np.where(truth == UNLABELLED, 0, truth).astype(np.uint8)
    one, other = (score_case(side, prediction, SPACING) for side in (truth, plain))
    assert one.equals(other)
