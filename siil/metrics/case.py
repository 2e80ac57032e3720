"""All metrics of one scan: a row per vertebra of the truth or the prediction, and one for the scan.

Called by the stages `evaluate` (once per space) and `score`. Whole arrays are only read to locate the vertebrae; all
else happens in their bounding boxes. Arrays are (Z, Y, X) with VerSe codes. Pure: no files.
"""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from siil.anatomy import BY_CODE
from siil.errors import InputError
from siil.metrics import objects
from siil.metrics.conventions import NAN, SCAN, VERTEBRA, Presence, mean, presence, ratio
from siil.metrics.identification import Match, best_shift, match, strict_hits, verse_hits
from siil.metrics.objects import Located
from siil.metrics.overlap import dice, iou, overlaps
from siil.metrics.surface import nsd_name, surface_scores
from siil.metrics.surfels import surface_of

Places = dict[int, Located]
Spacing = tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class _Scan:
    """What the rows are made from. `overlap`: truth code -> [256] voxels by code of the prediction."""

    truth: np.ndarray
    prediction: np.ndarray
    spacing_mm: Spacing
    there: Places
    found: Places
    overlap: dict[int, np.ndarray]
    matches: list[Match]
    hits_verse: set[int]
    hits_strict: set[int]
    complete: Set[int]


def score_case(
    truth: np.ndarray,
    prediction: np.ndarray,
    spacing_mm: Spacing,
    *,
    complete: Set[int] | None = None,
    tolerances_mm: Sequence[float] = (1.0, 2.0),
    identification_mm: float = 20.0,
    surfaces: bool = True,
) -> pd.DataFrame:
    """Score a label map against the truth.

    Args:
        truth, prediction: [Z, Y, X] uint8 on one grid, VerSe codes; sacrum and coccyx are ignored, what nobody
            annotated counts as background (siil.metrics.annotation.judged takes out what is predicted there).
        spacing_mm: (Z, Y, X).
        complete: codes of the truth that the scan's border does not cut; None: judged by the border of this grid.
        tolerances_mm: of the surface Dice.
        identification_mm: a centroid farther than this is no hit.
        surfaces: False leaves the surface metrics out (NaN), which is faster.

    Returns:
        Rows with `scope` vertebra (in order of the codes) and one with `scope` scan; columns of siil.metrics.rows.
        Edge cases as in siil.metrics.conventions.

    Raises:
        InputError: shapes differ, or something that siil.metrics.objects.locate refuses.
    """
    if truth.shape != prediction.shape:
        raise InputError(f"truth and prediction must lie on one grid, got shapes {truth.shape} and {prediction.shape}")
    there, found = objects.locate(truth, spacing_mm), objects.locate(prediction, spacing_mm)
    true_mm = {code: place.centroid_mm for code, place in there.items()}
    found_mm = {code: place.centroid_mm for code, place in found.items()}
    matches = match(true_mm, found_mm, identification_mm)
    scan = _Scan(
        truth=truth,
        prediction=prediction,
        spacing_mm=spacing_mm,
        there=there,
        found=found,
        overlap=overlaps(truth, prediction, there),
        matches=matches,
        hits_verse=verse_hits(true_mm, found_mm, identification_mm),
        hits_strict=strict_hits(matches),
        complete=objects.complete(there, truth.shape) if complete is None else complete,
    )
    tolerances = tuple(tolerances_mm)
    rows = [_vertebra(scan, code, tolerances, surfaces) for code in sorted(set(there) | set(found))]
    return pd.DataFrame([*rows, _scan(scan, rows, tolerances)])


def _vertebra(scan: _Scan, code: int, tolerances_mm: tuple[float, ...], surfaces: bool) -> dict[str, Any]:
    side = presence(truth=code in scan.there, predicted=code in scan.found)
    row: dict[str, Any] = {
        "scope": "vertebra",
        "label": BY_CODE[code].name,
        "truth": code in scan.there,
        "predicted": code in scan.found,
        "complete": code in scan.there and code in scan.complete,
    }
    if side is Presence.BOTH:
        row |= _compare(scan, code, tolerances_mm, surfaces)
    else:
        fixed = VERTEBRA[side]
        row |= {name: value for name, value in fixed.items() if name != "nsd"}
        row |= {nsd_name(t): fixed["nsd"] for t in tolerances_mm}
    row["detected"] = float(code in {pair.truth for pair in scan.matches}) if code in scan.there else NAN
    row["nearest_label"] = _nearest(scan, code)
    return row


def _compare(scan: _Scan, code: int, tolerances_mm: tuple[float, ...], surfaces: bool) -> dict[str, float]:
    there, found = scan.there[code], scan.found[code]
    counts = {"common": int(scan.overlap[code][code]), "truth": there.voxels, "predicted": found.voxels}
    row = {
        "dice": dice(**counts),
        "iou": iou(**counts),
        "distance_mm": float(np.linalg.norm(there.centroid_mm - found.centroid_mm)),
        "hit_verse": float(code in scan.hits_verse),
        "hit_strict": float(code in scan.hits_strict),
    }
    if not surfaces:
        return row | dict.fromkeys(("hd_mm", "hd95_mm", "assd_mm", *map(nsd_name, tolerances_mm)), NAN)
    sides = []
    for labels, place in ((scan.truth, there), (scan.prediction, found)):
        corner = tuple(side.start for side in place.box)
        sides.append(surface_of(labels[place.box] == code, corner_vox=corner, spacing_mm=scan.spacing_mm))
    return row | surface_scores(*sides, tolerances_mm=tolerances_mm)


def _nearest(scan: _Scan, code: int) -> str:
    """Name of the true vertebra that the predicted `code` overlaps most; of equals the upper; empty without overlap."""
    shared = {true: int(counts[code]) for true, counts in scan.overlap.items() if counts[code]}
    return BY_CODE[max(shared, key=lambda true: (shared[true], -BY_CODE[true].index))].name if shared else ""


def _scan(scan: _Scan, rows: list[dict[str, Any]], tolerances_mm: tuple[float, ...]) -> dict[str, Any]:
    n_truth, n_predicted, hits = len(scan.there), len(scan.found), len(scan.hits_strict)
    of_truth = [row for row in rows if row["truth"]]
    whole = [row for row in of_truth if row["complete"]]

    def average(name: str, among: list[dict[str, Any]]) -> float:
        return mean(np.array([row[name] for row in among], float))

    shift, explained = best_shift(scan.matches) or (NAN, 0)
    summary: dict[str, Any] = {
        "scope": "scan",
        "label": "",
        "n_truth": n_truth,
        "n_predicted": n_predicted,
        "binary_dice": _binary_dice(scan),
        "dice_complete": average("dice", whole),
        "d_mean_mm": average("distance_mm", of_truth),
        "id_rate_verse": ratio(len(scan.hits_verse), n_truth),
        "id_rate_strict": ratio(hits, n_truth),
        "id_rate_complete": average("hit_strict", whole),
        "precision": ratio(hits, n_predicted),
        "f1": ratio(2.0 * hits, n_truth + n_predicted),
        "detection_rate": ratio(len(scan.matches), n_truth),
        "shift": shift,
        "shift_accuracy": ratio(explained, n_truth),
        "all_right": float(hits == n_truth == n_predicted),
    }
    names = ("dice", "iou", "hd_mm", "hd95_mm", "assd_mm", *map(nsd_name, tolerances_mm))
    summary |= {name: average(name, of_truth) for name in names}
    return summary | SCAN[presence(truth=n_truth > 0, predicted=n_predicted > 0)]


def _binary_dice(scan: _Scan) -> float:
    vertebrae = list(BY_CODE)
    return dice(
        common=int(sum(counts[vertebrae].sum() for counts in scan.overlap.values())),
        truth=sum(place.voxels for place in scan.there.values()),
        predicted=sum(place.voxels for place in scan.found.values()),
    )
