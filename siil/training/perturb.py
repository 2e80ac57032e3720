"""Errors of a first look, made at random: what the second look must not believe.

On the scans that it was trained on a first look errs less than on others. So in training its two maps are moved, worn
away or swollen, softened, and lose a piece (a process that was missed), together or apart.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from scipy import ndimage

SHIFT_MM: Final = 3.0
"""Largest displacement along each axis: a voxel of a usual first look."""
_SOFT_MM: Final = (0.5, 2.5)
_BIAS: Final = 0.3
_PIECE_MM: Final = (8.0, 25.0)


def perturb(
    own: np.ndarray, others: np.ndarray, generator: np.random.Generator, *, probability: float, spacing_mm: float
) -> tuple[np.ndarray, np.ndarray]:
    """The two soft maps, [Z, Y, X] float32 in [0, 1], with each kind of error happening with `probability`.

    The same objects where nothing happens.
    """
    moved, apart, worn, lost = generator.random(4) < probability
    if moved:  # together: the border between neighbours moves as well
        shift = generator.uniform(-SHIFT_MM, SHIFT_MM, 3) / spacing_mm
        own, others = _moved(own, shift), _moved(others, shift)
    if apart:
        own = _moved(own, generator.uniform(-SHIFT_MM, SHIFT_MM, 3) / 2 / spacing_mm)
    if worn:
        own = _worn(own, generator, spacing_mm)
        others = _worn(others, generator, spacing_mm)
    if lost:
        own = _without_piece(own, generator, spacing_mm)
    return own, others


def _moved(chance: np.ndarray, shift_vox: np.ndarray) -> np.ndarray:
    """By whole voxels, with what lies at the border repeated."""
    for axis, shift in enumerate(np.rint(shift_vox).astype(int).tolist()):
        places = np.clip(np.arange(chance.shape[axis]) - shift, 0, chance.shape[axis] - 1)
        chance = chance.take(places, axis)
    return chance


def _worn(chance: np.ndarray, generator: np.random.Generator, spacing_mm: float) -> np.ndarray:
    """Softened, then sharpened again around another threshold: smaller or larger, and rounder."""
    soft = ndimage.gaussian_filter(chance, generator.uniform(*_SOFT_MM) / spacing_mm, truncate=2.5)
    steep = generator.uniform(1.0, 2.5)
    return np.clip((soft - 0.5 + generator.uniform(-_BIAS, _BIAS)) * np.float32(steep) + 0.5, 0, 1).astype(np.float32)


def _without_piece(chance: np.ndarray, generator: np.random.Generator, spacing_mm: float) -> np.ndarray:
    """A box around one of its voxels is empty."""
    inside = np.flatnonzero(chance.reshape(-1) > 0.5)
    if not inside.size:
        return chance
    centre = np.unravel_index(int(generator.choice(inside)), chance.shape)
    half = generator.uniform(*_PIECE_MM, 3) / 2 / spacing_mm
    box = tuple(slice(max(0, int(c - h)), int(c + h) + 1) for c, h in zip(centre, half, strict=True))
    chance = chance.copy()
    chance[box] = 0
    return chance
