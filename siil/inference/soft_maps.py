"""Soft maps of the decoded vertebrae, for the way back to the input's grid (siil.scan.undo.undo_soft).

A voxel of a vertebra carries the spine's probability, moved so that the threshold lies at one half; so does a voxel
just below the threshold beside it, which is what makes an up-sampled surface finer than the working grid. Between
vertebrae the maps are hard, so that where the spacing is kept the labels come back exactly.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

import numpy as np
from scipy import ndimage

from siil.anatomy import BY_INDEX
from siil.inference.posterior import Posterior
from siil.scan.undo import SoftMap

_NEIGHBOURS = sorted(
    (step for step in product((-1, 0, 1), repeat=3) if any(step)), key=lambda step: sum(abs(s) for s in step)
)


def soft_maps(posterior: Posterior, labels: np.ndarray, *, threshold: float) -> Iterator[SoftMap]:
    """One map per vertebra of `labels` [Z, Y, X] (internal indices), made one at a time."""
    wide, chance = _widen(posterior, labels, threshold)
    for index, box in enumerate(ndimage.find_objects(wide), start=1):
        if box is not None:
            probability = np.where(wide[box] == index, chance[box], np.float32(0))
            corner = (box[0].start, box[1].start, box[2].start)
            yield SoftMap(BY_INDEX[index].code, corner, probability)


def _widen(posterior: Posterior, labels: np.ndarray, threshold: float) -> tuple[np.ndarray, np.ndarray]:
    """Labels with the weak spine voxels beside them, and the moved spine probability, both [Z, Y, X]."""
    spine = posterior.spine.reshape(-1)[posterior.index].astype(np.float32)
    spine = np.clip(spine, 1e-3, 1 - 1e-3)
    moved = 1 / (1 + (1 - spine) / spine * np.float32(threshold / (1 - threshold)))
    flat = labels.reshape(-1)
    own = flat[posterior.index]
    weak = np.flatnonzero((own == 0) & (moved <= 0.5))
    padded = np.pad(labels, 1)
    sites = np.stack(np.unravel_index(posterior.index[weak], labels.shape)) + 1
    beside = np.zeros(len(weak), np.uint8)
    for step in _NEIGHBOURS:
        there = padded[tuple(sites + np.array(step)[:, None])]
        beside = np.where(beside == 0, there, beside)
    wide = labels.copy()
    wide.reshape(-1)[posterior.index[weak]] = beside
    chance = np.zeros(labels.shape, np.float32)
    chance.reshape(-1)[posterior.index] = moved
    return wide, chance
