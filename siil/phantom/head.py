"""Head and neck around C1 to C7: skull base, mandible and teeth, airway, larynx, thyroid, neck vessels.

Places are local to C1 (x left, y back, z up from the axis of the dens), for a stature of 1.
"""

from __future__ import annotations

import numpy as np

from siil.phantom.anatomy import Anatomy
from siil.phantom.canvas import Bone, Canvas
from siil.phantom.organs import BACK, BLOOD_HU, UP, front_of_bodies, lay_ball
from siil.phantom.shapes import Limb
from siil.phantom.trunk import Trunk, flat_frame
from siil.phantom.view import View


def lay_head(canvas: Canvas, anatomy: Anatomy, bone: Bone) -> None:
    """Skull base with condyles and mastoids, brain, mandible, teeth, palate, sinuses."""
    atlas = anatomy.levels[0]
    k, frame = anatomy.stature, flat_frame(atlas.place.frame)
    origin = atlas.place.centre_mm

    def at(x: float, y: float, z: float) -> np.ndarray:
        return origin + frame @ (k * np.array((x, y, z)))

    def limb(start: tuple, end: tuple, radii: tuple[float, float]) -> Limb:
        size = (k * radii[0], k * radii[1])
        return Limb(tuple(at(*start)), tuple(at(*end)), size, size)  # type: ignore[arg-type]

    centre = at(0, -14, 80)
    lay_ball(canvas, centre, (76 * k, 96 * k, 70 * k), bone.cortical_hu * 0.85, frame=frame)
    lay_ball(canvas, centre, (74.5 * k, 94.5 * k, 68.5 * k), 480.0, frame=frame)
    lay_ball(canvas, centre, (71 * k, 91 * k, 65.5 * k), bone.cortical_hu * 0.85, frame=frame)
    lay_ball(canvas, centre, (69.5 * k, 89.5 * k, 64 * k), 35.0, frame=frame)
    lay_ball(canvas, at(0, 12, 16), (17 * k, 17 * k, 12 * k), 20.0, frame=frame)  # foramen magnum
    base = [limb((0, -12, 17), (0, -38, 36), (13, 5))]
    for s in (1, -1):
        base.append(limb((17 * s, 2, 13.5), (20 * s, -6, 15.5), (6, 3.5)))
        base.append(limb((20 * s, -8, 19), (50 * s, -12, 22), (9, 8)))
        base.append(limb((52 * s, -6, 20), (53 * s, -3, 3), (9, 9)))
    canvas.lay_limbs(base, bone, seam_mm=3.0)
    for s in (1, -1):  # mastoid cells
        lay_ball(canvas, at(52 * s, -5, 14), (7 * k, 7 * k, 10 * k), -350.0, frame=frame)
    _face(canvas, at, limb, bone, k, frame)


def _face(canvas: Canvas, at, limb, bone: Bone, k: float, frame: np.ndarray) -> None:  # type: ignore[no-untyped-def]
    jaw = []
    for s in (1, -1):
        jaw.append(limb((50 * s, -30, 8), (47 * s, -32, -34), (4, 13)))
        jaw.append(limb((47 * s, -36, -36), (32 * s, -72, -42), (5.5, 11)))
        jaw.append(limb((32 * s, -72, -42), (2 * s, -92, -45), (5.5, 11)))
    canvas.lay_limbs(jaw, bone, seam_mm=2.0)
    lay_ball(canvas, at(0, -66, -20), (26 * k, 26 * k, 16 * k), 55.0, frame=frame)  # tongue
    canvas.lay_limbs([limb((0, -50, -1), (0, -84, -1), (24, 2.0))], bone)
    for x, y in ((34, -48), (30, -62), (23, -74), (13, -82), (4, -86)):
        for s in (1, -1):
            canvas.lay_limb(limb((x * s, y, -5), (x * s, y, -30), (3.6, 3.6)), 1650.0)
    for s in (1, -1):
        lay_ball(canvas, at(24 * s, -70, 20), (13 * k, 15 * k, 15 * k), -980.0, frame=frame)
    lay_ball(canvas, at(0, -62, 16), (9 * k, 30 * k, 13 * k), -700.0, frame=frame)


def lay_neck(canvas: Canvas, anatomy: Anatomy, trunk: Trunk, view: View, bone: Bone) -> None:
    """Pharynx and larynx in front of the bodies, hyoid, thyroid, vessels beside them."""
    front = front_of_bodies(trunk)
    k, c = anatomy.stature, view.contrast
    names = ("C1", "C2", "C3", "C4", "C5", "C6")
    gaps = (6, 10, 11, 12, 14, 16)
    airway = np.array([front(n, 0, g + (-26 if n == "C1" else 0)) for n, g in zip(names, gaps, strict=True)])
    airway[0] = airway[1] + (0, -3, 26 * k)
    wide = k * np.array(((8, 12), (6, 11), (6, 13), (7, 12), (6.5, 6.5), (8, 8)))
    canvas.lay_path(airway, wide[:, ::-1], -980.0, BACK)
    ring = airway[-2]
    for s in (1, -1):
        plate = np.array((ring + k * np.array((0.0, -26, 4)), ring + k * np.array((18.0 * s, -4, 2))))
        canvas.lay_path(plate, k * np.array(((1.6, 11.0), (1.6, 10.0))), 160.0, UP)
        hyoid = airway[3] + k * np.array(((0, -26, 2), (13 * s, -20, 2), (19 * s, -2, 4)))
        canvas.lay_path(hyoid, k * np.full((3, 2), 2.6), bone, UP)
        lay_ball(canvas, front("C7", 15 * s, 16), (8 * k, 9 * k, 20 * k), 105 + 60 * c)
        artery = np.array(
            [front(n, x * s * k, g) for n, x, g in (("T1", 18, 12), ("C6", 23, 5), ("C4", 26, 2), ("C2", 27, 4))]
        )
        canvas.lay_path(artery, np.full((4, 2), 3.8 * k), BLOOD_HU + 240 * c, BACK)
        vein = artery + k * np.array((9.0 * s, 2, 0))
        canvas.lay_path(vein, np.full((4, 2), 5.5 * k), BLOOD_HU + 110 * c, BACK)
        muscle = np.array((front("C2", 46 * s, -12), front("C5", 40 * s, 8), front("T1", 24 * s, 30)))
        canvas.lay_path(muscle, k * np.array(((8.0, 14), (8, 14), (7, 11))), anatomy.tissue.muscle_hu + 4, BACK)
