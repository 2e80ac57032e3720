"""Dice and IoU from voxel counts, and the table of which label lies on which.

Part of `evaluate`. Counting happens in the bounding boxes of the truth: what lies outside all of them overlaps nothing.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from siil.metrics.conventions import VERTEBRA, Presence, ratio
from siil.metrics.objects import Located


def dice(*, common: int, truth: int, predicted: int) -> float:
    """2 |A and B| / (|A| + |B|) from voxel counts; NaN when both are empty."""
    return ratio(2.0 * common, truth + predicted) if truth + predicted else VERTEBRA[Presence.ABSENT]["dice"]


def iou(*, common: int, truth: int, predicted: int) -> float:
    """|A and B| / |A or B| from voxel counts; NaN when both are empty."""
    union = truth + predicted - common
    return ratio(float(common), union) if union else VERTEBRA[Presence.ABSENT]["iou"]


def overlaps(truth: np.ndarray, prediction: np.ndarray, places: Mapping[int, Located]) -> dict[int, np.ndarray]:
    """Truth code -> [256] how many of its voxels carry each code in the prediction.

    Args:
        truth, prediction: [Z, Y, X] uint8, VerSe codes.
        places: the vertebrae of `truth`.
    """
    return {
        code: np.bincount(prediction[place.box][truth[place.box] == code], minlength=256)
        for code, place in places.items()
    }
