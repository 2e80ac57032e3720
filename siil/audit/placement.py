"""Does the mask lie on its image? Bone under the labels as they are, and as they would be mirrored or moved.

A mask that lies on bone is denser where it is than anywhere near. Arrays are (Z, Y, X) in LPS, cubic voxels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

_STEPS: Final = (-8, -5, -3, -2, 2, 3, 5, 8)
_LEAST_INSIDE: Final = 0.6
_SIDES: Final = ("upside down", "front to back", "left to right")
_TOWARDS: Final = (("down", "up"), ("forward", "back"), ("right", "left"))


@dataclass(frozen=True, slots=True)
class Placement:
    """hu: mean under the labels. mirrored: (which way, HU that it gains), the best way. moved: (in words, HU that it
    gains, voxels), the best of some steps along one axis."""

    hu: float
    mirrored: tuple[str, float]
    moved: tuple[str, float, int]


def placement(spine: np.ndarray, hu: np.ndarray) -> Placement:
    """How a mask (bool, not empty) lies on an image of the same shape."""
    sites = np.argwhere(spine)
    sites = sites[:: max(1, len(sites) // 30000)]
    sizes = np.array(spine.shape)

    def mean_hu(places: np.ndarray) -> float:
        inside = ((places >= 0) & (places < sizes)).all(axis=1)
        if inside.mean() < _LEAST_INSIDE:
            return -np.inf
        return float(np.clip(hu[tuple(places[inside].T)], -200, 800).mean())

    own = mean_hu(sites)
    mirrored = []
    for axis, way in enumerate(_SIDES):
        turned = sites.copy()
        turned[:, axis] = sizes[axis] - 1 - turned[:, axis]
        mirrored.append((way, mean_hu(turned) - own))
    moved = []
    for axis in range(3):
        for step in _STEPS:
            word = _TOWARDS[axis][step > 0]
            moved.append((word, mean_hu(sites + step * np.eye(3, dtype=int)[axis]) - own, abs(step)))
    return Placement(own, max(mirrored, key=lambda m: m[1]), max(moved, key=lambda m: m[1]))
