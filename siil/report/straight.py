"""A straightened sagittal picture: the spine laid out along its centreline, however it leans.

Each row is the line through the centreline from front to back, perpendicular to it; rows run from the foot end up, like
the slices of a volume. Pure numpy and SciPy; arrays (Z, Y, X), LPS, isotropic. siil.report.planes shows the same spine
in place, slice by slice.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from siil.inference.centreline import Centreline

STEP_MM = 1.0
"""Distance of the samples, along and across."""


def sagittal_sites(centreline: Centreline, *, front_mm: float, back_mm: float) -> np.ndarray:
    """[S, W, 3] places (z, y, x) in mm of the working grid, the foot end first, the front first in each row."""
    along = np.arange(0.5 * STEP_MM, centreline.length_mm, STEP_MM)[::-1]
    down = centreline.direction(along)
    behind = np.array([0.0, 1.0, 0.0]) - down[:, 1:2] * down
    behind /= np.linalg.norm(behind, axis=1, keepdims=True)
    across = np.arange(-front_mm, back_mm, STEP_MM)
    return centreline.at(along)[:, None] + across[:, None] * behind[:, None]


def inside(sites_mm: np.ndarray, shape: tuple[int, ...], *, spacing_mm: float) -> np.ndarray:
    """Which of the places [..., 3] lie in a volume [Z, Y, X] of this shape: [...] of truth values."""
    return np.asarray(((sites_mm >= 0) & (sites_mm <= spacing_mm * np.array(shape))).all(axis=-1))


def sample(volume: np.ndarray, sites_mm: np.ndarray, *, spacing_mm: float, smooth: bool, outside: float) -> np.ndarray:
    """Values of `volume` [Z, Y, X] at places [..., 3] (voxel i covers i to i + 1 times the spacing).

    smooth: linear interpolation, for HU; else the nearest voxel, for labels. outside: value beyond the volume.
    """
    places = np.moveaxis(sites_mm / spacing_mm - 0.5, -1, 0)
    found = ndimage.map_coordinates(volume, places, order=1 if smooth else 0, mode="grid-constant", cval=outside)
    return np.asarray(found)
