"""The body of a vertebra, found in its mask: its centre is what VerSe calls the centroid.

A vertebra's body is its thickest part: the mask is opened with a ball that fits into the body and not into the arch.
The ball's size follows the vertebra (a share of its greatest thickness), so that necks and loins, children and adults
are treated alike. C1 has no body: VerSe puts its centroid into the ring, near the mask's own centre.
"""

from __future__ import annotations

import cc3d
import edt
import numpy as np

_BALL = 0.65
"""Radius of the ball over the greatest distance to the mask's surface."""
_COLUMN_MM = 6.0
"""The height is the mean over a column of this radius around the centre."""


def body_mask(mask: np.ndarray, spacing_mm: tuple[float, float, float]) -> np.ndarray:
    """The thick part of one vertebra's mask [Z, Y, X] bool that holds its body; its mean is the body's centre.

    The mask has at least one voxel, and an empty rim where the scan goes on. Its box may end
    at the scan's border: what lies beyond counts as more bone, or a cut body would look thin.
    """
    depth = edt.edt(np.ascontiguousarray(mask), anisotropy=spacing_mm, black_border=False)
    if not np.isfinite(depth).all():  # the mask fills its whole box
        return mask
    radius = _BALL * float(depth.max())
    parts, count = cc3d.connected_components(depth >= radius, connectivity=26, return_N=True)
    sizes = np.bincount(parts.reshape(-1), weights=depth.reshape(-1), minlength=count + 1)
    core = parts == 1 + sizes[1:].argmax()
    away = edt.edt(np.ascontiguousarray(~core), anisotropy=spacing_mm, black_border=False)
    return mask & (away < radius)


def body_height_mm(
    mask: np.ndarray, spacing_mm: tuple[float, float, float], *, centre: np.ndarray, along: np.ndarray
) -> float:
    """Mean height of the body in a column through `centre` (z, y, x voxels) along the unit vector `along` (z, y, x)."""
    sites = (np.argwhere(mask) - centre) * spacing_mm
    height = sites @ along
    aside = np.linalg.norm(sites - height[:, None] * along, axis=1)
    column = aside < max(_COLUMN_MM, 1.5 * max(spacing_mm))
    radius = max(_COLUMN_MM, 1.5 * max(spacing_mm))
    volume = float(column.sum()) * float(np.prod(spacing_mm))
    return volume / (np.pi * radius**2)
