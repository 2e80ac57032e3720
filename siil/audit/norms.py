"""What is usual for each level: sizes, distances, ribs or pelvis beside it; of the data set itself where it suffices.

Distances to the next vertebra are those of 193 public scans of VerSe (mean ± sd of expert centroids, in mm); the other
numbers come from phantoms (siil.phantom, `python -m benchmarks.audit --norms`). A level that at least `ENOUGH` scans
show whole is measured against their median instead, so that a set is judged by its own annotators and scanners.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from siil.anatomy import BY_CODE
from siil.audit.measure import Measured
from siil.audit.usual import TABLE

USUAL: Final = tuple(v for v in BY_CODE.values() if v.name != "T13")
"""What is counted, from the head down."""
PLACE: Final = {vertebra.code: place for place, vertebra in enumerate(USUAL)}
SIZES: Final = ("pitch", "volume", "across", "deep", "along")
"""log of mm or cm³; a patient's own factor is taken out of each."""
COMPANY: Final = ("ribs", "aside")
"""Square root of cm³."""
FEATURES: Final = (*SIZES, *COMPANY)
ENOUGH: Final = 12
STATURE: Final = 0.08
"""sd of the log of a patient's size"""
_LEAST: Final = np.array([0.05, 0.06, 0.04, 0.04, 0.05, 0.35, 0.5])
"""spreads are never smaller: half a voxel of the coarse grid and the annotators' habits"""
_REAL: Final = np.array([1, 1.5, 1.5, 1.5, 1.5, 2, 2])
"""how much wider real masks spread than phantoms: other annotators, spurs beside the bodies"""


@dataclass(frozen=True, slots=True)
class Norms:
    """centre, spread: [len(USUAL), len(FEATURES)]. own: how many scans each centre is of, 0 where it is the table's."""

    centre: np.ndarray
    spread: np.ndarray
    own: np.ndarray


def features(scan: Measured) -> np.ndarray:
    """[len(USUAL), len(FEATURES)] of a scan by the labels that it has; NaN where there is nothing to measure:
    cut vertebrae have no sizes, and only neighbours have a distance."""
    found = np.full((len(USUAL), len(FEATURES)), np.nan)
    for bone, below in zip(scan.bones, (*scan.bones[1:], None), strict=False):
        if bone.code not in PLACE:
            continue
        place = PLACE[bone.code]
        if below is not None and PLACE.get(below.code) == place + 1:
            both = not (bone.cut or below.cut)
            found[place, 0] = np.log(pitch_mm(bone.centre_mm, below.centre_mm)) if both else np.nan
        if not bone.cut:
            sizes = (bone.volume_cm3, bone.across, bone.deep, bone.along)
            found[place, 1:5] = np.log(np.maximum(sizes, 1e-3))
            found[place, 5:] = np.sqrt((bone.ribs, bone.aside))
    return found


def pitch_mm(one: np.ndarray, two: np.ndarray) -> float:
    """Distance of two centres (z, y, x) in mm, at least a tenth of a mm."""
    return max(float(np.linalg.norm(one - two)), 0.1)


def residuals(found: np.ndarray, norms: Norms) -> np.ndarray:
    """`features` [levels, features] without what is usual for the level and without the patient's own size."""
    rest = found - norms.centre
    rest[:, : len(SIZES)] -= patient(rest[:, : len(SIZES)])
    return rest


def patient(rest: np.ndarray) -> np.ndarray:
    """[sizes] log factor of a patient: the median of `rest` [levels, sizes] over the vertebrae, 0 where none is."""
    return np.array([np.median(c[~np.isnan(c)]) if (~np.isnan(c)).any() else 0.0 for c in rest.T])


def built_in() -> Norms:
    """The table of siil.audit.usual, its spreads widened where they are those of phantoms."""
    table = np.array([TABLE[vertebra.name] for vertebra in USUAL], float)
    spread = np.maximum(table[:, 1::2], _LEAST) * _REAL
    return Norms(table[:, ::2], spread, np.zeros((len(USUAL), len(FEATURES)), int))


def norms(scans: Sequence[Measured]) -> Norms:
    """What is usual in these scans: of the table where fewer than `ENOUGH` show a level."""
    base = built_in()
    if not scans:
        return base
    return fitted(np.stack([features(scan) for scan in scans]), base, ENOUGH)


def fitted(found: np.ndarray, base: Norms, enough: int) -> Norms:
    """Medians of `found` [scans, levels, features] and robust spreads about them; `base` where there is too little."""
    count = (~np.isnan(found)).sum(axis=0)
    own = count >= enough
    aligned = found.copy()
    for scan in aligned:  # people differ in size: each scan is brought to the size of the table first
        scan[:, : len(SIZES)] -= patient(scan[:, : len(SIZES)] - base.centre[:, : len(SIZES)])
    centre, spread = base.centre.copy(), base.spread.copy()
    for level, which in zip(*np.nonzero(own), strict=True):
        values = aligned[:, level, which]
        values = values[~np.isnan(values)]
        centre[level, which] = np.median(values)
        spread[level, which] = 1.4826 * np.median(np.abs(values - centre[level, which]))
    return Norms(centre, np.maximum(spread, _LEAST), np.where(own, count, 0))
