"""docs/metrics.md: the rows of ours and of MONAI are what they give for the pair that the page describes."""

# The rows of packages outside of the pinned environment were measured once, with the versions that the page names.
from __future__ import annotations

import re
import warnings

import numpy as np
import pytest

from siil.metrics.case import score_case
from tests.conftest import ROOT

SPACING_MM = (3.0, 1.0, 1.0)


def pair() -> tuple[np.ndarray, np.ndarray]:
    """L1 as a box, and moved by 2 voxels along x, with a strip on the next slice and a stray voxel."""
    truth, prediction = np.zeros((16, 16, 24), np.uint8), np.zeros((16, 16, 24), np.uint8)
    truth[3:11, 3:13, 3:13] = 20
    prediction[3:11, 3:13, 5:15] = 20
    prediction[11, 3:13, 5:9] = 20
    prediction[3, 3, 22] = 20
    return truth, prediction


def row(package: str) -> list[list[float]]:
    """The numbers of a row: [Dice, HD95, ASSD] of the pair, missed, invented, both empty."""
    text = (ROOT / "docs/metrics.md").read_text(encoding="utf-8")
    cells = [cell.split(", ") for cell in re.search(rf"^\| {package} \| (.*) \|$", text, flags=re.M)[1].split(" | ")]
    first, others = [cells[0][0], cells[1][0], cells[2][0]], cells[3:]
    return [[float(number) for number in numbers] for numbers in (first, *others)]


def situations() -> list[tuple[np.ndarray, np.ndarray]]:
    truth, prediction = pair()
    nothing = np.zeros_like(truth)
    return [(truth, prediction), (truth, nothing), (nothing, prediction), (nothing, nothing)]


def ours(truth: np.ndarray, prediction: np.ndarray) -> list[float]:
    """Of the row of L1; without one, of the scan."""
    found = score_case(truth, prediction, SPACING_MM)
    return found.iloc[0][["dice", "hd95_mm", "assd_mm"]].astype(float).tolist()


def by_monai(truth: np.ndarray, prediction: np.ndarray) -> list[float]:
    import torch
    from monai.metrics import compute_average_surface_distance, compute_dice, compute_hausdorff_distance

    masks = [torch.tensor(labels > 0)[None, None].float() for labels in (prediction, truth)]
    words = {"spacing": SPACING_MM, "include_background": True}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that a mask is empty
        hd95 = compute_hausdorff_distance(*masks, percentile=95, **words)
        assd = compute_average_surface_distance(*masks, symmetric=True, **words)
        return [float(value) for value in (compute_dice(*masks), hd95, assd)]


@pytest.mark.parametrize(("package", "measure"), [("ours", ours), ("MONAI 1.6.1", by_monai)])
def test_the_page_says_what_the_package_gives(package, measure):
    for said, arrays in zip(row(package), situations(), strict=True):
        assert measure(*arrays) == pytest.approx(said, abs=5e-4, nan_ok=True)
