"""What a metric is when there is nothing to compare: decided here once, as two tables, and nowhere else.

Part of `evaluate`. `VERTEBRA` holds the values of a vertebra that is not on both sides, `SCAN` those of a scan where
one side has no vertebra at all. Everything else is computed (see overlap, surface, identification). The reasons stand
in docs/decisions/0004-metric-conventions.md.

A value is NaN where the metric has no meaning: it leaves every mean (a missed vertebra has no distance; it is punished
by Dice and by the identification rate). Whole-scan means run over the vertebrae of the truth.
"""

from __future__ import annotations

from enum import Enum
from typing import Final

import numpy as np

NAN: Final = float("nan")


class Presence(Enum):
    """On which sides something is: a label in a scan, or any vertebra at all in a scan."""

    BOTH = "in the truth and in the prediction"
    MISSED = "in the truth alone"
    INVENTED = "in the prediction alone"
    ABSENT = "in neither"


def presence(*, truth: bool, predicted: bool) -> Presence:
    """The row of the tables below that holds."""
    if truth:
        return Presence.BOTH if predicted else Presence.MISSED
    return Presence.INVENTED if predicted else Presence.ABSENT


_NO_DISTANCE: Final = {"hd_mm": NAN, "hd95_mm": NAN, "assd_mm": NAN, "distance_mm": NAN}
VERTEBRA: Final[dict[Presence, dict[str, float]]] = {
    Presence.BOTH: {},
    Presence.MISSED: {"dice": 0.0, "iou": 0.0, "nsd": 0.0, "hit_verse": 0.0, "hit_strict": 0.0, **_NO_DISTANCE},
    # No place in the denominator of any rate over the truth; precision and F1 see it.
    Presence.INVENTED: {"dice": 0.0, "iou": 0.0, "nsd": 0.0, "hit_verse": NAN, "hit_strict": NAN, **_NO_DISTANCE},
    # A label outside the field of view that is not predicted either gets no row; the functions return NaN.
    Presence.ABSENT: {"dice": NAN, "iou": NAN, "nsd": NAN, "hit_verse": NAN, "hit_strict": NAN, **_NO_DISTANCE},
}

SCAN: Final[dict[Presence, dict[str, float]]] = {
    Presence.BOTH: {},
    Presence.MISSED: {"binary_dice": 0.0, "precision": NAN, "f1": 0.0, "shift": NAN, "all_right": 0.0},
    Presence.INVENTED: {"binary_dice": 0.0, "precision": 0.0, "f1": 0.0, "shift": NAN, "all_right": 0.0},
    # Nothing to find and nothing invented.
    Presence.ABSENT: {"binary_dice": NAN, "precision": NAN, "f1": NAN, "shift": NAN, "all_right": 1.0},
}
"""Rates over the vertebrae of the truth are 0 in MISSED and NaN in INVENTED and ABSENT: they are `ratio(hits, n)`."""


def ratio(part: float, whole: float) -> float:
    """part / whole; NaN when the whole is 0, because there is nothing that the rate could be about."""
    return part / whole if whole else NAN


def mean(values: np.ndarray) -> float:
    """Mean of the numbers in `values`; NaN ones are left out, and none at all gives NaN (without a warning)."""
    finite = values[~np.isnan(values)]
    return float(finite.mean()) if finite.size else NAN
