"""`pap`, the processed probability map: where the centre of a training patch falls.

Step 4 of the pipeline, used in training only. The paper does not say how its map is made; this one is ours.
Every vertebra present has equal mass, spread over its voxels, so that C2 is met as often as L3; the topmost and the
lowermost visible vertebra and the rare classes count double; a floor keeps the neighbourhood of the spine and the
background reachable.
"""

from __future__ import annotations

import edt
import numpy as np

from siil import anatomy
from siil.config.schema.dataset import Pap
from siil.scan.labels import label_counts, labels_present

NEAR_MM = 30.0
"""Background within this distance of a vertebra is its neighbourhood."""
NEAR_DENSITY = 4.0
"""The neighbourhood is this much denser than the background far away."""


def class_weights(present: list[int], *, settings: Pap) -> dict[int, float]:
    """Share of the vertebrae's mass per internal index present (sums to 1).

    A vertebra that is both at an end and rare counts once, with the larger of the two weights; all spine without a name
    counts as one vertebra.
    """
    rare = {anatomy.BY_NAME[name].index for name in settings.rare}
    named = [index for index in present if index != anatomy.UNNAMED]
    raw = {
        index: max(
            settings.end_weight if index in (*named[:1], *named[-1:]) else 1.0,
            settings.rare_weight if index in rare else 1.0,
        )
        for index in present
    }
    total = sum(raw.values())
    return {index: weight / total for index, weight in raw.items()}


def processed_probability_map(mask_indices: np.ndarray, *, settings: Pap, spacing_mm: float) -> np.ndarray:
    """The map of one case.

    Args:
        mask_indices: internal indices, uint8 (Z, Y, X), working grid.
        settings: `dataset.pap` of the configuration.
        spacing_mm: isotropic spacing of the working grid.

    Returns:
        float32 of the mask's shape: non-negative, finite, sums to 1. Without a vertebra it is uniform; without
        background all mass is on the vertebrae. 0 where nobody annotated.
    """
    counts = label_counts(mask_indices)
    present = sorted(labels_present(mask_indices)) + [anatomy.UNNAMED] * bool(counts[anatomy.UNNAMED])
    floor = _floor(mask_indices, spacing_mm=spacing_mm)
    if not present:
        return floor
    background = settings.background_mass if counts[0] else 0.0
    per_voxel = np.zeros(counts.size, np.float64)
    for index, share in class_weights(present, settings=settings).items():
        per_voxel[index] = (1 - background) * share / counts[index]
    made = floor * np.float32(background)
    made += per_voxel.astype(np.float32)[mask_indices]
    made /= np.float32(made.sum(dtype=np.float64))
    return made


def _floor(mask_indices: np.ndarray, *, spacing_mm: float) -> np.ndarray:
    """Mass 1 over the background, denser near the vertebrae; uniform when there is no vertebra. Float32."""
    spine = (mask_indices > 0) & (mask_indices != anatomy.UNLABELLED)
    made = np.ones(mask_indices.shape, np.float32)
    if spine.any():
        box = _around(spine, int(np.ceil(NEAR_MM / spacing_mm)))
        distance_mm = edt.edt(np.ascontiguousarray(~spine[box]), anisotropy=(spacing_mm,) * 3, parallel=1)
        made[box][distance_mm <= NEAR_MM] = NEAR_DENSITY
    made[mask_indices > 0] = 0.0
    total = float(made.sum(dtype=np.float64))
    return made / np.float32(total) if total > 0 else made


def _around(spine: np.ndarray, margin_vox: int) -> tuple[slice, ...]:
    spans = []
    for axis in range(3):
        used = np.flatnonzero(spine.any(tuple(other for other in range(3) if other != axis)))
        spans.append(slice(max(0, int(used[0]) - margin_vox), int(used[-1]) + 1 + margin_vox))
    return tuple(spans)
