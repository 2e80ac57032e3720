"""The metrics as a table: name of the column, heading, unit, and whether more or less is better.

Pure data, read by `aggregate` (which columns are pooled) and `tables` (headings). A new metric is a function, a test, a
column and a row here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Metric:
    """One column. unit: mm, or 0-1 for shares. better: 1 when more is better, -1 when less is."""

    name: str
    heading: str
    unit: str
    better: int

    @property
    def title(self) -> str:
        """Heading with unit, as tables show it."""
        return f"{self.heading} ({self.unit})"

    @property
    def decimals(self) -> int:
        """Digits after the point in tables."""
        return 2 if self.unit == "mm" else 3


def _share(name: str, heading: str) -> Metric:
    return Metric(name, heading, "0-1", 1)


def _mm(name: str, heading: str) -> Metric:
    return Metric(name, heading, "mm", -1)


_BOTH: Final = (
    _share("dice", "Dice"),
    _share("iou", "IoU"),
    _mm("hd_mm", "HD"),
    _mm("hd95_mm", "HD95"),
    _mm("assd_mm", "ASSD"),
)
_VERTEBRA: Final = (
    _mm("distance_mm", "Centroid distance"),
    _share("hit_verse", "Id. rate, VerSe"),
    _share("hit_strict", "Id. rate, strict"),
    _share("detected", "Detected"),
)
_SCAN: Final = (
    _share("binary_dice", "Binary Dice"),
    _share("dice_complete", "Dice, complete"),
    _mm("d_mean_mm", "d_mean"),
    _share("id_rate_verse", "Id. rate, VerSe"),
    _share("id_rate_strict", "Id. rate, strict"),
    _share("id_rate_complete", "Id. rate, strict, complete"),
    _share("precision", "Precision"),
    _share("f1", "F1"),
    _share("detection_rate", "Detected"),
    _share("shift_accuracy", "Labels right after best shift"),
    _share("all_right", "Scans all right"),
    Metric("flagged", "Scans flagged uncertain", "0-1", -1),
)
_NSD: Final = re.compile(r"nsd_([0-9.e+-]+)mm")


def metric(name: str) -> Metric | None:
    """The metric of a column, or None when the column is no metric."""
    found = _NSD.fullmatch(name)
    if found:
        return _share(name, f"NSD {found[1]} mm")
    return next((m for m in (*_BOTH, *_VERTEBRA, *_SCAN) if m.name == name), None)


def metrics_of(columns: Iterable[str]) -> list[Metric]:
    """The metrics among the columns of a table, in their order."""
    return [found for name in columns if (found := metric(name)) is not None]
