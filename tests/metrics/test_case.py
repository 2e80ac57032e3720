"""A whole scan: hand-made label maps, and the boxes against whole arrays."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from siil.anatomy import BY_NAME
from siil.errors import InputError
from siil.metrics.case import score_case
from siil.scan.volume import read_mask
from tests.metrics.plain import surface_metrics

SPACING = (2.0, 1.0, 1.0)


def blocks(*names: str) -> np.ndarray:
    """Vertebrae of 3 x 4 x 4 voxels (6 mm high), from the head (high z) down, 8 mm apart, clear of the border."""
    labels = np.zeros((31, 10, 10), np.uint8)
    for n, name in enumerate(names):
        top = 29 - 4 * n
        labels[top - 3 : top, 3:7, 3:7] = BY_NAME[name].code
    return labels


def vertebra(frame, name: str) -> dict:
    return frame[(frame["scope"] == "vertebra") & (frame["label"] == name)].to_dict("records")[0]


def whole(frame) -> dict:
    return frame[frame["scope"] == "scan"].to_dict("records")[0]


def test_a_perfect_prediction_is_perfect_everywhere() -> None:
    truth = blocks("T11", "T12", "T13", "L1")
    found = whole(score_case(truth, truth, SPACING))
    ones = ("dice", "binary_dice", "iou", "nsd_1mm", "nsd_2mm", "id_rate_verse", "id_rate_strict", "precision", "f1")
    assert [found[name] for name in (*ones, "detection_rate", "shift_accuracy", "all_right")] == [1] * 12
    assert [found[name] for name in ("hd_mm", "hd95_mm", "assd_mm", "d_mean_mm", "shift")] == [0] * 5
    assert (found["n_truth"], found["n_predicted"]) == (4, 4)


def test_a_vertebra_one_slice_too_low() -> None:
    truth = blocks("L1")
    row = vertebra(score_case(truth, np.roll(truth, -1, axis=0), SPACING), "L1")
    assert row["dice"] == pytest.approx(2 / 3)
    assert row["iou"] == pytest.approx(0.5)
    assert row["distance_mm"] == row["hd_mm"] == 2
    assert row["hit_verse"] == row["hit_strict"] == row["detected"] == 1
    assert row["nearest_label"] == "L1"


def test_a_shifted_column_is_detected_but_called_wrongly() -> None:
    truth, prediction = blocks("T11", "T12", "L1"), blocks("T12", "L1", "L2")
    frame = score_case(truth, prediction, SPACING)
    found = whole(frame)
    assert found["binary_dice"] == found["detection_rate"] == found["shift_accuracy"] == 1
    assert found["dice"] == found["id_rate_strict"] == found["f1"] == found["all_right"] == 0
    assert found["shift"] == 1
    assert vertebra(frame, "L2")["nearest_label"] == "L1"  # called L2, lies on L1
    assert vertebra(frame, "T11")["nearest_label"] == ""  # never predicted


def test_means_over_complete_vertebrae_leave_the_cut_ones_out() -> None:
    truth, prediction = blocks("T12", "L1"), blocks("T12")
    found = whole(score_case(truth, prediction, SPACING, complete={BY_NAME["T12"].code}))
    assert found["dice"] == found["id_rate_strict"] == 0.5
    assert found["dice_complete"] == found["id_rate_complete"] == 1


def test_an_invented_vertebra_is_never_complete_even_if_the_scan_holds_one_of_its_name() -> None:
    codes = {BY_NAME[name].code for name in ("T12", "L1")}
    frame = score_case(blocks("T12"), blocks("T12", "L1"), SPACING, complete=codes)
    assert vertebra(frame, "T12")["complete"]
    assert not vertebra(frame, "L1")["complete"]


def test_of_two_vertebrae_overlapped_equally_the_upper_is_the_nearest() -> None:
    truth, prediction = blocks("T12", "L1"), np.zeros((31, 10, 10), np.uint8)
    prediction[24:28, 3:7, 3:7] = BY_NAME["L3"].code  # 2 slices of T12, 1 between, 1 of L1
    prediction[23, 3:7, 3:7] = BY_NAME["L3"].code
    assert vertebra(score_case(truth, prediction, SPACING), "L3")["nearest_label"] == "T12"


def test_without_being_told_the_border_of_the_grid_cuts() -> None:
    truth = blocks("T12", "L1")[4:]
    truth[0:2, 3:7, 3:7] = BY_NAME["L5"].code
    frame = score_case(truth, truth, SPACING)
    assert {name: vertebra(frame, name)["complete"] for name in ("T12", "L1", "L5")} == {
        "T12": True,
        "L1": True,
        "L5": False,
    }


def test_sacrum_is_ignored_on_both_sides() -> None:
    truth, prediction = blocks("L5"), blocks("L5")
    truth[0:4], prediction[0:6] = 26, 27
    found = whole(score_case(truth, prediction, SPACING))
    assert found["binary_dice"] == found["dice"] == found["all_right"] == 1


def test_a_quick_look_leaves_the_surfaces_out() -> None:
    truth = blocks("L1", "L2")
    found = whole(score_case(truth, truth, SPACING, surfaces=False))
    assert found["dice"] == 1
    assert math.isnan(found["hd95_mm"])
    assert math.isnan(found["nsd_1mm"])


def test_different_grids_are_refused() -> None:
    with pytest.raises(InputError, match="one grid"):
        score_case(blocks("L1"), blocks("L1")[1:], SPACING)


def test_boxes_give_the_numbers_of_whole_arrays() -> None:
    rng = np.random.default_rng(3)
    truth = blocks("T10", "T11", "T12", "L1", "L2", "L3", "L4")
    prediction = np.roll(truth, (1, -1, 2), axis=(0, 1, 2))
    for array in (truth, prediction):
        array[rng.random(array.shape) < 0.2] = 0
        array[0, 0, 0] = array[-1, -1, -1] = BY_NAME["L2"].code  # stray voxels in far corners
    frame = score_case(truth, prediction, SPACING, tolerances_mm=(1.5,))
    for name in ("T10", "T12", "L2", "L4"):
        one, two, row = truth == BY_NAME[name].code, prediction == BY_NAME[name].code, vertebra(frame, name)
        plain = surface_metrics(one, two, SPACING, 1.5)
        assert row["dice"] == pytest.approx(2 * (one & two).sum() / (one.sum() + two.sum()), abs=1e-9)
        assert row["iou"] == pytest.approx((one & two).sum() / (one | two).sum(), abs=1e-9)
        gap = (np.argwhere(one).mean(0) - np.argwhere(two).mean(0)) * SPACING
        assert row["distance_mm"] == pytest.approx(np.linalg.norm(gap), abs=1e-6)
        for column in ("hd_mm", "hd95_mm", "assd_mm"):
            assert row[column] == pytest.approx(plain[column], abs=1e-6)
        assert row["nsd_1.5mm"] == pytest.approx(plain["nsd"], abs=1e-6)


def test_vertebrae_that_a_real_scan_cuts_are_told_from_whole_ones(real_data: Path) -> None:
    expected = {"tptbox-ct": {"L2", "L4"}, "ts-example-ct": {"T11", "T12"}}
    for folder, cut in expected.items():
        mask = read_mask(real_data / folder / "msk.nii.gz")
        frame = score_case(mask.array, mask.array, mask.grid.spacing_mm, surfaces=False)
        rows = frame[frame["scope"] == "vertebra"]
        assert {row["label"] for row in rows.to_dict("records") if not row["complete"]} == cut
        assert whole(frame)["all_right"] == 1
