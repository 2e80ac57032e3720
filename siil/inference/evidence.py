"""What the network says about each cross-section of the spine: the emissions of the whole-scan decoding.

Voxels of O_R are dropped into bins along the centreline. A bin's distribution over the K classes is the mean of its
voxels' O_S over the vertebrae (bodies count more than processes, which hang over the level below; a young network's O_S
calls much of what O_R finds background, and still knows which vertebra it would be), and spine that is missing counts
as background: a bin without spine says "nothing here", not "any label". The logarithm has a floor: no bin can veto.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from siil.anatomy import CLASSES
from siil.inference.centreline import Centreline
from siil.inference.posterior import Posterior

STEP_MM = 2.0
"""Length of a bin along the centreline."""
RADIUS_MM = 75.0
"""Voxels farther from the centreline are no vertebra: a transverse process ends 50 mm out, a spinous process 65."""
_AREA_MM2 = 150.0
"""A cross-section with less spine than this is partly empty; a disc with its facet joints has 200 to 400."""
_BEHIND_MM, _BEHIND_WEIGHT = 8.0, 0.3
"""Voxels this far behind the centreline belong to processes, and weigh less."""
_FLOOR = 0.02
_DOUBT = 0.05
"""O_R says where spine is; O_S's background counts only where O_S gives all vertebrae together no more than this."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """Cross-sections of a spine.

    share: [S, K] distribution over the classes per bin, background included; rows sum to 1.
    log_share: [S, K] nats per mm of centreline, floored.
    body_mm2: [S] area of spine before the canal, by which discs are seen.
    bin_of: [N] bin of each voxel of the posterior; inside: [N] bool, near enough to the centreline to count.
    arclength_mm: [N] of each voxel; offset_mm: [N, 3] (z, y, x) from the centreline.
    """

    share: np.ndarray
    log_share: np.ndarray
    body_mm2: np.ndarray
    bin_of: np.ndarray
    inside: np.ndarray
    arclength_mm: np.ndarray
    offset_mm: np.ndarray


def gather_evidence(posterior: Posterior, centreline: Centreline, spacing_mm: float) -> Evidence:
    """Project every voxel to the centreline and average the classes of each bin."""
    arclength, offset = centreline.project((posterior.sites() + 0.5) * spacing_mm)
    inside = np.linalg.norm(offset, axis=1) < RADIUS_MM
    bins = max(1, int(np.ceil(centreline.length_mm / STEP_MM)))
    bin_of = np.minimum((arclength / STEP_MM).astype(int), bins - 1)
    mass = posterior.spine.reshape(-1)[posterior.index].astype(np.float32) * inside
    area = spacing_mm**3 / STEP_MM
    total = np.bincount(bin_of, mass, minlength=bins) * area
    body = np.bincount(bin_of, mass * (offset[:, 1] < 0), minlength=bins) * area
    weight = mass * np.where(offset[:, 1] > _BEHIND_MM, np.float32(_BEHIND_WEIGHT), np.float32(1))
    weighted = posterior.classes.astype(np.float32) * weight[:, None]
    sums = np.column_stack([np.bincount(bin_of, weighted[:, k], minlength=bins) for k in range(CLASSES)])
    mean = sums / np.maximum(sums.sum(axis=1, keepdims=True), 1e-6)
    filled = np.minimum(total / _AREA_MM2, 1.0)[:, None]
    share = mean / (mean[:, 1:].sum(axis=1, keepdims=True) + _DOUBT) * filled
    share[:, 0] = 1 - share[:, 1:].sum(axis=1)
    return Evidence(
        share=share,
        log_share=np.log(share + _FLOOR),
        body_mm2=body,
        bin_of=bin_of,
        inside=inside,
        arclength_mm=arclength,
        offset_mm=offset,
    )
