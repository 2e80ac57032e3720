"""Bones that carry no label but tell the level: ribs, sternum, sacrum, pelvis, shoulder girdle."""

from __future__ import annotations

import numpy as np

from siil.datasets.phantom.anatomy import Anatomy
from siil.datasets.phantom.canvas import Bone, Canvas
from siil.datasets.phantom.shapes import Limb, rotation
from siil.datasets.phantom.trunk import Trunk

MIRROR = np.array((-1.0, 1.0, 1.0))


def bone(anatomy: Anatomy, shell_mm: float) -> Bone:
    """Bone of this patient."""
    return Bone(anatomy.tissue.cortical_hu * 0.95, anatomy.tissue.trabecular_hu * 0.9 + 40, shell_mm)


def mirrored(anatomy: Anatomy, name: str, points: np.ndarray) -> np.ndarray:
    """Points [n, 3] reflected in the midplane of a level."""
    level = anatomy.level(name)
    assert level is not None
    local = (points - level.place.centre_mm) @ level.place.frame
    return level.place.centre_mm + (local * MIRROR) @ level.place.frame.T


def lay_ribs(canvas: Canvas, anatomy: Anatomy, trunk: Trunk) -> None:
    """Both ribs of every level that bears some."""
    stuff = bone(anatomy, 0.9)
    for level in anatomy.levels:
        if level.rib_mm <= 0:
            continue
        path = trunk.ribs.path(level.name)
        thick = np.interp(np.arange(len(path)), (0, 1, 3, len(path)), (4.2, 3.0, 3.6, 3.2)) * level.scale
        tall = np.interp(np.arange(len(path)), (0, 1, 3, len(path)), (4.6, 4.2, 6.2, 6.6)) * level.scale
        radii = np.stack((thick, tall), axis=1)
        for points in (path, mirrored(anatomy, level.name, path)):
            canvas.lay_path(points, radii, stuff, np.array((0.0, 0.15, 1.0)))


def lay_sacrum(canvas: Canvas, anatomy: Anatomy) -> None:
    """Five fused segments on a curve, their wings, and the median crest."""
    k = anatomy.stature
    last = anatomy.levels[-1]
    foot = last.place.point(0, 0, -last.sizes.height / 2)
    frame = last.place.frame @ rotation(0, last.sizes.wedge / 2 + last.sizes.disc_wedge * 0.8)
    at = foot - frame[:, 2] * last.sizes.disc
    widths, depths, heights = (25, 20, 16, 13, 10), (16, 12.5, 10, 8, 6.5), (30, 25, 20, 17, 15)
    wings, turns = (56, 50, 44, 36, 26), (6, 14, 20, 22, 18)
    limbs = []
    for w, d, h, wing, turn in zip(widths, depths, heights, wings, turns, strict=True):
        frame = frame @ rotation(0, turn / 2)
        centre = at - frame[:, 2] * (h * k / 2)
        radii = (w * k, d * k)
        limbs.append(_local(centre, frame, (0, 0, h * k * 0.3), (0, 0, -h * k * 0.3), radii))
        for side in (1, -1):
            limbs.append(
                _local(
                    centre,
                    frame,
                    (side * w * k * 0.6, 2 * k, 0),
                    (side * (wing - 8) * k, 8 * k, -2 * k),
                    (0.62 * d * k, h * k * 0.42),
                )
            )
        limbs.append(_local(centre, frame, (0, d * k, 0), (0, (d + 15) * k, -3 * k), (6 * k, h * k * 0.42)))
        at = at - frame[:, 2] * h * k
        frame = frame @ rotation(0, turn / 2)
    canvas.lay_limbs(limbs, bone(anatomy, 1.1), seam_mm=4.0)


def _local(centre: np.ndarray, frame: np.ndarray, start: tuple, end: tuple, radii: tuple[float, float]) -> Limb:
    up = (0.0, 1.0, 0.0) if abs(start[2] - end[2]) > abs(start[0] - end[0]) else (0.0, 0.0, 1.0)
    return Limb(start, end, radii, radii, up).placed(centre, frame)
