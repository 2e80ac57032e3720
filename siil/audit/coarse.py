"""A volume as the audit sees it: along the patient's axes, nearest voxels of a coarse grid.

Every check works on this: labels and HU keep their meaning, and it is quick. An oblique grid is turned to its nearest
axes, which leaves distances and shapes as they are.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from siil.scan.grid import Grid, Volume
from siil.scan.nifti import nib

SPACING_MM: Final = 3.0


def coarse(volume: Volume, spacing_mm: float = SPACING_MM) -> np.ndarray:
    """The volume's voxels [Z, Y, X] in LPS (head up), `spacing_mm` apart along each axis; the nearest voxel of each."""
    order, flips = _axes(volume.grid)
    turned = np.flip(volume.array.transpose(order), tuple(axis for axis in range(3) if flips[axis]))
    places = []
    for axis, size in zip(order, turned.shape, strict=True):
        step = spacing_mm / volume.grid.spacing_mm[axis]
        steps = (np.arange(max(1, round(size / step))) + 0.5) * step
        places.append(np.minimum(steps.astype(int), size - 1))
    return np.ascontiguousarray(turned[np.ix_(*places)])


def _axes(grid: Grid) -> tuple[list[int], list[bool]]:
    """Array axis that is nearest to the patient's Z, Y and X, and whether it runs against it."""
    near = nib.orientations.io_orientation(grid.matrix)  # of index axes x, y, z
    columns = [int(np.flatnonzero(near[:, 0] == world)[0]) for world in (2, 1, 0)]
    return [2 - column for column in columns], [bool(near[column, 1] < 0) for column in columns]
