"""Arms in the field of view: beside the trunk, on the belly, or beside the head when they are raised."""

from __future__ import annotations

import numpy as np

from siil.phantom.anatomy import Anatomy
from siil.phantom.canvas import Bone, Canvas
from siil.phantom.trunk import Trunk

SIDEWAYS = np.array((1.0, 0.0, 0.0))


def lay_arms(canvas: Canvas, anatomy: Anatomy, trunk: Trunk, bone: Bone) -> None:
    """Both arms, each in its own pose: fat, muscle, one bone above the elbow and two below."""
    rng = np.random.default_rng(anatomy.texture_seed + 5)
    k = anatomy.stature
    for side in (1.0, -1.0):
        on_belly = bool(rng.random() < 0.3)
        scatter = rng.normal(0, 12, size=(2, 3))
        joints = _raised(trunk, side) if anatomy.tissue.arms_up else _lowered(trunk, side, on_belly=on_belly)
        shoulder, elbow, wrist = joints + np.concatenate((np.zeros((1, 3)), scatter))
        for start, end, thick in ((shoulder, elbow, 44.0), (elbow, wrist, 36.0)):
            path, wide = np.array((start, end)), k * np.array(((thick, thick), (0.85 * thick, 0.85 * thick)))
            canvas.lay_path(path, wide, anatomy.tissue.fat_hu, SIDEWAYS)
            canvas.lay_path(path, wide - 5.0, anatomy.tissue.muscle_hu, SIDEWAYS)
        canvas.lay_path(np.array((shoulder, elbow)), k * np.full((2, 2), 11.0), bone, SIDEWAYS)
        apart = np.array((0.0, 9.0, 0.0)) * k
        for shift in (apart, -apart):
            canvas.lay_path(np.array((elbow, wrist)) + shift, k * np.full((2, 2), 6.5), bone, SIDEWAYS)


def _lowered(trunk: Trunk, side: float, *, on_belly: bool) -> np.ndarray:
    """Shoulder, elbow and wrist [3, 3]."""
    waist, hips = trunk.slice(float(trunk.places["L2"][2])), trunk.slice(float(trunk.places["hips"][2]))
    shoulder = trunk.point("T2", side * 172, 0, -20)
    elbow = np.array((waist.x + side * (waist.half_width + 48), waist.y + 10, trunk.places["L2"][2]))
    wrist = np.array((hips.x + side * (hips.half_width + 42), hips.y - 25, trunk.places["hips"][2] + 10))
    if on_belly:
        wrist = np.array((waist.x + side * 40, waist.y - waist.front - 40, trunk.places["L4"][2]))
    return np.array((shoulder, elbow, wrist))


def _raised(trunk: Trunk, side: float) -> np.ndarray:
    shoulder = trunk.point("T2", side * 140, 0, 15)
    elbow = trunk.point("C1", side * 165, -40, 90)
    return np.array((shoulder, elbow, trunk.point("C1", side * 60, -60, 240)))
