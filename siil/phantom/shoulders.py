"""Shoulder girdle and sternum: clavicles, shoulder blades, heads of the upper arm, breast bone with rib cartilage."""

from __future__ import annotations

import numpy as np

from siil.phantom.anatomy import Anatomy
from siil.phantom.canvas import Bone, Canvas
from siil.phantom.organs import lay_ball
from siil.phantom.trunk import RibCage, Trunk, mirrored

UP = np.array((0.0, 0.0, 1.0))
CARTILAGE_HU = 115.0


def lay_sternum(canvas: Canvas, anatomy: Anatomy, cage: RibCage, bone: Bone) -> None:
    """Breast bone before ribs 1 to 7, and the cartilage between."""
    ends = {n: cage.path(n) for n in (f"T{i}" for i in range(1, 8))}
    x = float(np.mean([anatomy.levels[i].place.centre_mm[0] for i in range(8, 14)]))
    bottom, top = ends["T6"][-1], ends["T1"][-1]
    middle = np.array([(x, p[1] - 4, p[2] + 4) for p in (top, (top + bottom) / 2, bottom)])
    k = anatomy.stature
    canvas.lay_path(middle, k * np.array(((7.0, 26), (5.5, 18), (5, 16))), bone, np.array((1.0, 0.0, 0.0)))
    for number, (name, path) in enumerate(ends.items()):
        along = min(number / 5, 1.0)
        joint = middle[0] * (1 - along) + middle[2] * along
        for side, points in ((1, path), (-1, mirrored(anatomy, name, path))):
            end = points[-1]
            goal = joint + np.array((17 * side * k, 0, 0))
            bridge = np.array((end, (end + goal) / 2 + (0, -3, -6 - 2 * number), goal))
            canvas.lay_path(bridge, np.tile((3.2 * k, 5.5 * k), (3, 1)), CARTILAGE_HU, UP)


def lay_shoulders(canvas: Canvas, anatomy: Anatomy, trunk: Trunk, bone: Bone) -> None:
    """Clavicle, scapula and humerus of both sides. With raised arms the shoulders are higher and closer."""
    k = anatomy.stature
    lift, inward = (24.0, 0.86) if anatomy.tissue.arms_up else (0.0, 1.0)
    for s in (1, -1):

        def at(landmark: str, x: float, y: float, z: float, *, s: int = s) -> np.ndarray:
            return trunk.point(landmark, s * x * inward, y, z + lift * min(x / 120, 1))

        collar = np.array((at("T2", 20, -62, -10), at("T2", 70, -62, 4), at("T1", 110, -28, 2), at("T1", 148, -8, 4)))
        canvas.lay_path(collar, k * np.array(((6.0, 7), (5, 5.5), (5, 5), (4.5, 7))), bone, UP)
        socket = at("T2", 142, 4, -12)
        edge = [at(n, x, y, 0) for n, x, y in (("T2", 82, 40), ("T4", 78, 52), ("T6", 84, 56), ("T7", 92, 56))]
        for point in edge:  # a fan of flat limbs makes the blade
            canvas.lay_path(
                np.array((socket, (socket + point) / 2 + (0, 4, 0), point)),
                k * np.array(((8.0, 8), (2.2, 12), (2.6, 14))),
                bone,
                UP,
            )
        ridge = np.array((edge[0], at("T2", 118, 46, 8), at("T1", 156, 16, 2)))
        canvas.lay_path(ridge, k * np.array(((2.5, 6.0), (3, 9), (5, 9))), bone, UP)
        ball = socket + np.array((s * 26.0 * k, -4.0, 2.0))
        lay_ball(canvas, ball, (25 * k, 25 * k, 25 * k), bone.cortical_hu * 0.6)
        lay_ball(canvas, ball, (23.5 * k, 23.5 * k, 23.5 * k), bone.trabecular_hu)
        away = np.array((s * 14.0, -10, 130)) if anatomy.tissue.arms_up else np.array((s * 16.0, 4, -160))
        canvas.lay_path(
            np.array((ball, ball + away * k)),
            k * np.full((2, 2), 12.0),
            Bone(bone.cortical_hu, 40.0, 3.5),
            np.array((1.0, 0.0, 0.0)),
        )
