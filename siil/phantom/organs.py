"""Organs and vessels of chest and belly, with contrast agent, and the muscles beside the spine.

Places are given by landmark and by distances from the spine's middle in mm (x left, y back), for a girth of 1.
"""

from __future__ import annotations

import numpy as np

from siil.phantom.anatomy import Anatomy
from siil.phantom.canvas import Canvas
from siil.phantom.shapes import Point, ellipsoid_distance, rotation
from siil.phantom.trunk import Trunk
from siil.phantom.view import View

BLOOD_HU = 42.0
UP = np.array((0.0, 0.0, 1.0))
BACK = np.array((0.0, 1.0, 0.0))


def lay_belly(canvas: Canvas, anatomy: Anatomy, trunk: Trunk, view: View, rng: np.random.Generator) -> None:
    """Liver, spleen, stomach, kidneys, bowel with its gas. The lungs are laid after them."""
    tissue, c = anatomy.tissue, view.contrast
    liver = tissue.liver_hu + 45 * c
    lay_blob(canvas, trunk, "T11", (-72, -62, 6), (78, 78, 72), liver)
    lay_blob(canvas, trunk, "T11", (15, -95, 5), (60, 45, 38), liver)
    lay_blob(canvas, trunk, "T11", (98, -8, 0), (30, 42, 50), 48 + 70 * c)
    lay_blob(canvas, trunk, "T12", (58, -85, 12), (45, 38, 42), 25.0)
    lay_blob(canvas, trunk, "T12", (55, -104, 16), (32, 18, 28), -960.0)
    _bowel(canvas, trunk, rng)
    for side, landmark, up in ((1, "T12", -22), (-1, "L2", 14)):
        frame = rotation(1, -9.0 * side) @ rotation(2, 25.0 * side)
        lay_blob(canvas, trunk, landmark, (54 * side, -6, up), (26, 29, 56), 32 + 150 * c, frame=frame)
        lay_blob(canvas, trunk, landmark, (47 * side, -12, up), (11, 13, 30), -60 + 60 * c, frame=frame)
    lay_blob(canvas, trunk, "hips", (0, -75, 5), (42, 34, 34), 6.0)


def _bowel(canvas: Canvas, trunk: Trunk, rng: np.random.Generator) -> None:
    """The colon's frame and small loops; gas gathers in front, as the patient lies on the back."""
    places = [("L2", -104, -48, 20), ("L4", -104, -45, 0), ("L4", -98, -40, -45), ("L2", 108, -38, 25)]
    places += [
        ("L4", 112, -34, 5),
        ("S1", 102, -34, 10),
        ("L2", -50, -105, -10),
        ("L2", 0, -110, -16),
        ("L2", 50, -106, -8),
    ]
    for landmark, x, y, z in places:
        size = float(rng.uniform(20, 30))
        at: Point = (x, y, z + float(rng.normal(0, 6)))
        lay_blob(canvas, trunk, landmark, at, (size, size, size * 1.25), 30.0)
        if rng.random() < 0.75:
            gas = size * float(rng.uniform(0.45, 0.85))
            lay_blob(canvas, trunk, landmark, (x, y - size + gas + 2, at[2]), (gas * 1.1, gas, gas * 1.2), -930.0)
    for _ in range(14):
        landmark = str(rng.choice(("L2", "L4", "S1")))
        at = (float(rng.uniform(-70, 70)), float(rng.uniform(-105, -58)), float(rng.uniform(-28, 28)))
        size = float(rng.uniform(10, 17))
        lay_blob(canvas, trunk, landmark, at, (size * 1.8, size, size), 28.0)
        if rng.random() < 0.3:
            lay_blob(
                canvas, trunk, landmark, (at[0], at[1] - size * 0.4, at[2]), (size, size * 0.5, size * 0.6), -900.0
            )


def lay_chest(canvas: Canvas, anatomy: Anatomy, trunk: Trunk, view: View) -> None:
    """Heart, oesophagus and the trachea with its two bronchi; laid over the lungs."""
    c = view.contrast
    frame = rotation(2, -38.0) @ rotation(1, 28.0)
    lay_blob(canvas, trunk, "T8", (22, -82, 0), (48, 40, 58), BLOOD_HU + 140 * c, frame=frame)
    front = front_of_bodies(trunk)
    gullet = [front(n, 2, 7) for n in ("C7", "T2", "T4", "T6", "T8", "T10")]
    canvas.lay_path(np.array(gullet), np.full((6, 2), 6.0), 38.0, UP)
    windpipe = np.array([front(n, -1, gap) for n, gap in (("C6", 16), ("T1", 19), ("T3", 24), ("T5", 26))])
    canvas.lay_path(windpipe, np.full((4, 2), 10.0), 30.0, UP)
    canvas.lay_path(windpipe, np.full((4, 2), 8.2), -985.0, UP)
    carina = windpipe[-1]
    for side in (1, -1):
        branch = np.array((carina, carina + np.array((26 * side, 4, -24)), carina + np.array((46 * side, 8, -42))))
        canvas.lay_path(branch, np.array(((6.5, 6.5), (6.0, 6.0), (4.5, 4.5))), -960.0, BACK)


def lay_vessels(canvas: Canvas, anatomy: Anatomy, trunk: Trunk, view: View) -> None:
    """Aorta with its arch and iliac arteries, caval veins; bright with contrast agent."""
    artery, vein = BLOOD_HU + 230 * view.contrast, BLOOD_HU + 95 * view.contrast
    front = front_of_bodies(trunk)
    arch = [front("T8", -12, 75), front("T6", -16, 72), front("T4", -10, 62), front("T4", 12, 32), front("T5", 20, 14)]
    down = [front(n, x, 12) for n, x in (("T6", 20), ("T8", 18), ("T10", 14), ("T12", 8), ("L2", 6), ("L4", 2))]
    path = np.array(arch + down)
    wide = np.linspace(14.5, 9.0, len(path)) * anatomy.stature
    canvas.lay_path(path, np.stack((wide, wide), axis=1), artery, BACK)
    cava = np.array(
        [front(n, x, gap) for n, x, gap in (("T10", -24, 34), ("T12", -22, 18), ("L2", -20, 11), ("L5", -14, 10))]
    )
    canvas.lay_path(cava, np.array(((11, 9), (11, 9), (11, 8.5), (10, 8))), vein, BACK)
    upper = np.array([front(n, x, gap) for n, x, gap in (("T3", -22, 40), ("T5", -24, 45), ("T7", -26, 48))])
    canvas.lay_path(upper, np.full((3, 2), 9.0), BLOOD_HU + 180 * view.contrast, BACK)
    for side in (1, -1):
        fork = np.array((path[-1], trunk.point("S1", 28 * side, -34, 5), trunk.point("S3", 52 * side, -46, 0)))
        canvas.lay_path(fork, np.full((3, 2), 6.0), artery, BACK)
        beside = np.array((cava[-1], trunk.point("S1", 32 * side, -24, 0), trunk.point("S3", 56 * side, -34, 0)))
        canvas.lay_path(beside, np.full((3, 2), 7.0), vein, BACK)
    if anatomy.age > 60:  # calcified plaques
        rng = np.random.default_rng(anatomy.texture_seed + 1)
        for _ in range(int((anatomy.age - 58) / 3)):
            at = path[int(rng.integers(4, len(path)))] + rng.normal(0, (3, 3, 12))
            turn = float(rng.uniform(0, 2 * np.pi))
            lay_ball(canvas, at + 9 * np.array((np.cos(turn), np.sin(turn), 0)), (2.2, 2.2, 3.0), 620.0)


def lay_muscles(canvas: Canvas, anatomy: Anatomy, trunk: Trunk) -> None:
    """Psoas beside the lumbar bodies, with the fat around them, and the crura of the diaphragm."""
    tissue = anatomy.tissue
    k = anatomy.stature
    for side in (1, -1):
        path = np.array(
            (
                trunk.point("T12", 24 * side, 4, -10),
                trunk.point("L2", 33 * side, 3, 0),
                trunk.point("L4", 43 * side, 0, 0),
                trunk.point("S1", 56 * side, -16, 0),
                trunk.point("hips", 78 * side, -52, 25),
            )
        )
        radii = k * np.array(((9, 8), (18, 16), (23, 21), (24, 23), (20, 18)), float)
        canvas.lay_path(path, radii + 1.8, tissue.fat_hu, BACK)
        canvas.lay_path(path, radii, tissue.muscle_hu, BACK)
        crus = np.array([trunk.point(n, x * side, -21, 0) for n, x in (("T10", 12), ("T12", 13), ("L2", 9))])
        canvas.lay_path(crus, np.array(((4, 8), (5, 9), (3, 5))), tissue.muscle_hu, BACK)


def front_of_bodies(trunk: Trunk):  # type: ignore[no-untyped-def]
    """A function (level name, x, gap) -> the point `gap` mm in front of that vertebral body, x mm to the left."""

    def place(name: str, x: float, gap: float) -> np.ndarray:
        level = trunk.anatomy.level(name) or trunk.anatomy.level("T11")
        assert level is not None
        return level.place.point(x, -level.sizes.depth / 2 - gap, 0)

    return place


def lay_blob(
    canvas: Canvas, trunk: Trunk, landmark: str, at: Point, radii: Point, hu: float, *, frame: np.ndarray | None = None
) -> None:
    """Lay an ellipsoid at a place of the trunk; it grows with the patient."""
    girth = trunk.anatomy.tissue.girth
    size = (radii[0] * girth, radii[1] * girth, radii[2] * trunk.anatomy.stature)
    lay_ball(canvas, trunk.point(landmark, *at), size, hu, frame=frame)


def lay_ball(
    canvas: Canvas, centre_mm: np.ndarray, radii: Point, hu: float, *, frame: np.ndarray | None = None
) -> None:
    """Lay an ellipsoid with half axes `radii` along the columns of `frame` (default: x, y, z)."""
    turned = np.eye(3) if frame is None else frame
    reach = np.abs(turned) @ np.array(radii) + canvas.voxel_mm
    box = canvas.box(centre_mm - reach, centre_mm + reach)
    if box is not None:
        canvas.lay(box, ellipsoid_distance(canvas.axes(box), centre_mm, turned, radii), hu)
