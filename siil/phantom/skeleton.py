"""The ribs, and the bone that this patient's unlabelled skeleton is made of."""

from __future__ import annotations

import numpy as np

from siil.anatomy import RIB_CODE
from siil.phantom.anatomy import Anatomy
from siil.phantom.canvas import Bone, Canvas
from siil.phantom.trunk import RibCage, mirrored


def bone_of(anatomy: Anatomy, shell_mm: float) -> Bone:
    """Bone of this patient with a cortical shell of `shell_mm`."""
    return Bone(anatomy.tissue.cortical_hu * 0.95, anatomy.tissue.trabecular_hu * 0.9 + 40, shell_mm)


def lay_ribs(canvas: Canvas, anatomy: Anatomy, cage: RibCage) -> None:
    """Both ribs of every level that bears some."""
    bone = bone_of(anatomy, 0.9)
    for level in anatomy.levels:
        if level.rib_mm <= 0:
            continue
        path = cage.path(level.name)
        steps = np.arange(len(path))
        thick = np.interp(steps, (0, 1, 3, len(path)), (4.2, 3.0, 3.6, 3.2)) * level.scale
        tall = np.interp(steps, (0, 1, 3, len(path)), (4.6, 4.2, 6.2, 6.6)) * level.scale
        radii = np.stack((thick, tall), axis=1)
        for points in (path, mirrored(anatomy, level.name, path)):
            canvas.lay_path(points, radii, bone, np.array((0.0, 0.15, 1.0)), code=RIB_CODE)
