"""Soft tissue slice by slice: clothes, skin, fat, muscle, the abdominal cavity, the lungs, and the table below.

Slices fit into the processor's cache, which makes this several times faster than whole-volume arithmetic.
"""

from __future__ import annotations

import numpy as np

from siil.phantom.anatomy import Anatomy
from siil.phantom.canvas import Canvas
from siil.phantom.texture import Texture
from siil.phantom.trunk import Slice, Trunk
from siil.phantom.view import View

FOLDS_MM = 6.0
"""How far clothes stand off the skin, on average."""
CLOTH_MM = 2.0


def lay_body(canvas: Canvas, anatomy: Anatomy, trunk: Trunk, view: View, *, grain: Texture) -> None:
    """Clothes, table, skin, fat, muscle, and the abdominal cavity filled with fat and gut."""
    parts = [trunk.slice(float(z)) for z in trunk.z[4:14]]
    table_y = max(part.y + part.back for part in parts)
    for k, z in enumerate(canvas.z):
        image, texture = canvas.hu[k], grain.slice(k)
        part = trunk.slice(float(z))
        if view.conditions.cloth_hu is not None and z < trunk.places["C7"][2]:
            _clothes(canvas, image, part, texture, view.conditions.cloth_hu)
        if view.table:
            _table(canvas, image, table_y)
        _shell(canvas, image, anatomy, part, texture)
        if z < trunk.z[7]:
            _cavity(canvas, image, anatomy, part, texture)


def lay_lungs(canvas: Canvas, anatomy: Anatomy, trunk: Trunk, *, grain: Texture) -> None:
    """Both lungs, wherever the scan meets them."""
    low, high = trunk.places["L2"][2], trunk.places["T1"][2] + 12
    for k, z in enumerate(canvas.z):
        if low < z < high:
            _lungs(canvas, canvas.hu[k], anatomy, trunk, float(z), grain.slice(k))


def _rounded(
    canvas: Canvas, *, x0: float, y0: float, half_width: float, front: float, back: float, power: float
) -> np.ndarray:
    """Distance [Y, X] to a superellipse with different depths before and behind (x0, y0); good near its edge only."""
    dx = np.abs(canvas.x - np.float32(x0)) / np.float32(max(half_width, 1.0))
    dy = canvas.y - np.float32(y0)
    dy = np.where(dy > 0, dy / np.float32(max(back, 1.0)), -dy / np.float32(max(front, 1.0)))
    scale = np.float32(min(half_width, (front + back) / 2) * 0.9 / power)
    return (dx**power * scale)[None, :] + ((dy**power - 1) * scale)[:, None]


def _lay(canvas: Canvas, image: np.ndarray, distance: np.ndarray, hu: float | np.ndarray) -> None:
    share = canvas.occupancy(distance)
    image += share * (np.asarray(hu, np.float32) - image)


def _inset(canvas: Canvas, part: Slice, by_mm: float) -> np.ndarray:
    return _rounded(
        canvas,
        x0=part.x,
        y0=part.y,
        half_width=part.half_width - by_mm,
        front=part.front - by_mm,
        back=part.back - by_mm,
        power=part.squareness,
    )


def _clothes(canvas: Canvas, image: np.ndarray, part: Slice, texture: np.ndarray, cloth_hu: float) -> None:
    """A layer of cloth in folds, which lies on the skin here and some millimetres off there, with air below it."""
    inside = _inset(canvas, part, -FOLDS_MM) + np.float32(FOLDS_MM / 2) * texture
    _lay(canvas, image, inside, cloth_hu)
    _lay(canvas, image, inside + np.float32(CLOTH_MM), -1000.0)


def _shell(canvas: Canvas, image: np.ndarray, anatomy: Anatomy, part: Slice, texture: np.ndarray) -> None:
    tissue = anatomy.tissue
    fat = np.float32(tissue.fat_hu) + np.float32(6) * texture
    streaky = texture > np.float32(2.9 - anatomy.age / 60)  # fat between and within muscles grows with age
    muscle = np.where(streaky, np.float32(-55), np.float32(tissue.muscle_hu)) + np.float32(5) * texture
    _lay(canvas, image, _inset(canvas, part, 0.0), 15.0)
    _lay(canvas, image, _inset(canvas, part, 2.0), fat)
    _lay(canvas, image, _inset(canvas, part, 3.0 + part.fat), muscle)


def _cavity(canvas: Canvas, image: np.ndarray, anatomy: Anatomy, part: Slice, texture: np.ndarray) -> None:
    """Fat and mesentery in front of the spine; the muscles of the back and the belly's wall stay around it."""
    wall = 16.0 + part.fat
    inside = _rounded(
        canvas,
        x0=part.x,
        y0=part.y - 0.42 * part.front,
        half_width=part.half_width - wall - 8,
        front=part.front * 0.58 - wall,
        back=part.front * 0.42 + 16,
        power=2.4,
    )
    x, y = canvas.x[None, :] - np.float32(part.x), canvas.y[:, None] - np.float32(part.y)
    bulge = np.float32(30) - np.sqrt(x * x * np.float32(0.45) + y * y)  # the spine bulges into it from behind
    filling = np.where(texture > 0.9, np.float32(30), np.float32(anatomy.tissue.fat_hu + 8)) + np.float32(6) * texture
    _lay(canvas, image, np.maximum(inside, bulge), filling)


def _lungs(canvas: Canvas, image: np.ndarray, anatomy: Anatomy, trunk: Trunk, z: float, texture: np.ndarray) -> None:
    """Inside the rib cage, beside the mediastinum, above the diaphragm."""
    half_width, front_y, back_y = trunk.ribs.wall(z)
    x0, y0 = trunk.middle(z)
    inner = 9.0
    middle_y = (front_y + back_y) / 2
    cage = _rounded(
        canvas,
        x0=x0,
        y0=middle_y,
        half_width=half_width - inner,
        front=middle_y - front_y - inner,
        back=back_y - middle_y - inner + 4,
        power=2.2,
    )
    x, y = canvas.x[None, :] - np.float32(x0), canvas.y[:, None]
    left = canvas.x[None, :] > x0
    depth = (np.float32(y0) - y).astype(np.float32)  # in front of the vertebral bodies
    heart = np.float32(np.exp(-(((z - trunk.places["T8"][2]) / 55.0) ** 2)) * 34) * np.exp(-(((depth - 62) / 38) ** 2))
    half = 20 + 7 * np.clip(depth / 30, 0, 1) + heart * np.where(left, np.float32(1.5), np.float32(0.75))
    lateral = np.clip((np.abs(x) - 65) / 62, -1.2, 1.6) ** 2 * np.float32(50)
    frontal = np.clip((depth - 50) / 80, -1.2, 1.2) ** 2 * np.float32(62)
    dome = np.where(left, np.float32(trunk.places["T10"][2]), np.float32(trunk.places["T10"][2] + 14))
    floor = (dome - lateral - frontal - np.float32(z)) * np.float32(0.6)
    apex = (np.abs(x) - 38) ** 2 * np.float32(1 / 40) + (depth + 5) ** 2 * np.float32(1 / 60)
    ceiling = (np.float32(z - trunk.places["T1"][2] - 14) + apex * np.float32(z > trunk.places["T4"][2])) * np.float32(
        0.5
    )
    lungs = np.maximum(np.maximum(cage, half - np.abs(x)), np.maximum(floor, ceiling))
    vessels = np.where(texture > 1.7, np.float32(420), np.float32(0))
    _lay(canvas, image, lungs, np.float32(anatomy.tissue.lung_hu) + np.float32(22) * texture + vessels)


def _table(canvas: Canvas, image: np.ndarray, table_y: float) -> None:
    """A thin curved carbon shell filled with foam, under the back."""
    if canvas.y[-1] < table_y - 15:
        return
    x, y = canvas.x[None, :], canvas.y[:, None]
    top = y - np.float32(table_y + 6) + (x / np.float32(210)) ** 2 * np.float32(18)
    side = np.abs(x) - np.float32(205)
    _lay(canvas, image, np.maximum(np.maximum(-top, top - 42), side), -900.0)
    _lay(canvas, image, np.maximum(np.maximum(-top, top - np.float32(2.5)), side), -150.0)
    _lay(canvas, image, np.maximum(np.maximum(np.float32(39.5) - top, top - 42), side), -150.0)
