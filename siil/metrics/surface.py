"""Distances between two surfaces: HD, HD95, ASSD and the normalised surface Dice, in millimetres.

Part of `evaluate`. Surfaces are surfels (siil.metrics.surfels); each surfel's distance is to the nearest surfel of the
other surface, found with a k-d tree. That is exact, needs no distance map, and costs the same however far apart a stray
voxel lies.

    HD      largest distance, both directions
    HD95    the larger of the two directions' 95th percentiles by area
    ASSD    mean over the area of both surfaces together
    NSD     share of the area of both surfaces together that lies within the tolerance of the other
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.spatial import KDTree

from siil.metrics.surfels import Surface

_ON_THE_LIMIT_MM = 1e-6
"""Distances on the lattice fall exactly on tolerances; rounding must not decide about them."""


@dataclass(frozen=True, slots=True)
class Distances:
    """Both directions, each sorted: distances [N] in mm and the areas [N] in mm2 that they hold for."""

    from_truth_mm: np.ndarray
    from_prediction_mm: np.ndarray
    truth_mm2: np.ndarray
    prediction_mm2: np.ndarray


def distances(truth: Surface, prediction: Surface) -> Distances:
    """From every surfel of each of two non-empty surfaces to the other."""
    there, _ = KDTree(prediction.points_mm).query(truth.points_mm)
    back, _ = KDTree(truth.points_mm).query(prediction.points_mm)
    one, two = np.argsort(there, kind="stable"), np.argsort(back, kind="stable")
    return Distances(there[one], back[two], truth.areas_mm2[one], prediction.areas_mm2[two])


def hausdorff_mm(found: Distances) -> float:
    """HD."""
    return float(max(found.from_truth_mm[-1], found.from_prediction_mm[-1]))


def percentile_mm(found: Distances, percent: float) -> float:
    """HD95 for percent = 95."""
    return max(
        _percentile(found.from_truth_mm, found.truth_mm2, percent),
        _percentile(found.from_prediction_mm, found.prediction_mm2, percent),
    )


def _percentile(sorted_mm: np.ndarray, areas_mm2: np.ndarray, percent: float) -> float:
    share = np.cumsum(areas_mm2) / areas_mm2.sum()
    # a share that rounding puts a hair under the percentile has reached it
    first = int(np.searchsorted(share, percent / 100 - 1e-9))
    return float(sorted_mm[min(first, len(sorted_mm) - 1)])


def average_mm(found: Distances) -> float:
    """ASSD."""
    total = (found.from_truth_mm * found.truth_mm2).sum() + (found.from_prediction_mm * found.prediction_mm2).sum()
    return float(total / (found.truth_mm2.sum() + found.prediction_mm2.sum()))


def surface_dice(found: Distances, tolerance_mm: float) -> float:
    """NSD at a tolerance."""
    limit = tolerance_mm + _ON_THE_LIMIT_MM
    near = found.truth_mm2[found.from_truth_mm <= limit].sum()
    near += found.prediction_mm2[found.from_prediction_mm <= limit].sum()
    return float(near / (found.truth_mm2.sum() + found.prediction_mm2.sum()))


def surface_scores(truth: Surface, prediction: Surface, *, tolerances_mm: Sequence[float]) -> dict[str, float]:
    """hd_mm, hd95_mm, assd_mm and nsd_{t}mm of two non-empty surfaces."""
    found = distances(truth, prediction)
    scores = {"hd_mm": hausdorff_mm(found), "hd95_mm": percentile_mm(found, 95), "assd_mm": average_mm(found)}
    return scores | {nsd_name(t): surface_dice(found, t) for t in tolerances_mm}


def nsd_name(tolerance_mm: float) -> str:
    """Column of the surface Dice at a tolerance: nsd_1mm, nsd_0.5mm."""
    return f"nsd_{tolerance_mm:g}mm"
