"""Would the whole scan fit better under other names? Its vertebrae against what is usual a level up or down.

Sizes tell by their profile (the patient's own factor is taken out under each hypothesis), ribs and pelvis by where they
begin. One odd vertebra cannot decide, since each deviation counts only up to a bound.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from siil.audit.norms import FEATURES, SIZES, STATURE, USUAL, Norms, patient

REACH: Final = (-3, -2, -1, 1, 2, 3)
_BOUND: Final = 9.0
"""squared deviations are cut here: three spreads"""
_LEAST: Final = 3


@dataclass(frozen=True, slots=True)
class Shift:
    """The best other naming. levels: how far down the names move. gain: how much better it fits (half squared spreads).
    why: the features that speak for it most, and how much each gains."""

    levels: int
    gain: float
    why: tuple[tuple[str, float], ...]
    own: str
    """the whole vertebrae that were judged, by the mask's names; first, last: by the other ones"""
    first: str
    last: str


def best_shift(found: np.ndarray, norms: Norms) -> Shift | None:
    """The best naming other than the mask's own; None where fewer than three vertebrae are there to judge.

    found: `siil.audit.norms.features` of a scan.
    """
    there = np.flatnonzero((~np.isnan(found)).any(axis=1))
    if len(there) < _LEAST:
        return None
    own = _costs(found[there], there, norms)
    options = []
    for levels in REACH:
        named = there + levels
        if named[0] < 0 or named[-1] >= len(USUAL):
            continue
        gains = own - _costs(found[there], named, norms)
        options.append((float(gains.sum()), levels, gains))
    if not options:
        return None
    gain, levels, gains = max(options, key=lambda option: option[0])
    ranked = sorted(zip(FEATURES, gains.tolist(), strict=True), key=lambda pair: -pair[1])
    return Shift(
        levels,
        gain,
        tuple(pair for pair in ranked if pair[1] > 0)[:3],
        f"{USUAL[there[0]].name}-{USUAL[there[-1]].name}",
        USUAL[there[0] + levels].name,
        USUAL[there[-1] + levels].name,
    )


def _costs(found: np.ndarray, named: np.ndarray, norms: Norms) -> np.ndarray:
    """[features] half squared deviations, with the cost of the patient's own size."""
    rest = found - norms.centre[named]
    size = patient(rest[:, : len(SIZES)])
    rest[:, : len(SIZES)] -= size
    squared = np.minimum((rest / norms.spread[named]) ** 2, _BOUND)
    costs: np.ndarray = np.nansum(squared, axis=0) / 2
    costs[: len(SIZES)] += (size / STATURE) ** 2 / 2
    return costs
