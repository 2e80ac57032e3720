"""Soft tissue slice by slice: skin, fat, muscle, the abdominal cavity, lungs and mediastinum, and the table below."""

from __future__ import annotations

import numpy as np

from siil.datasets.phantom.anatomy import Anatomy
from siil.datasets.phantom.canvas import Canvas
from siil.datasets.phantom.trunk import Slice, Trunk


def lay_soft_tissue(canvas: Canvas, anatomy: Anatomy, trunk: Trunk, *, table: bool, grain: np.ndarray) -> None:
    """Fill the scan with everything that is neither bone nor a single organ. `grain`: slow texture, mean 0, sd 1."""
    y, x = canvas.y[:, None], canvas.x[None, :]
    table_y = max(trunk.slice(float(z)).y + trunk.slice(float(z)).back for z in trunk.z[4:14])
    for k, z in enumerate(canvas.z):
        part = trunk.slice(float(z))
        image, texture = canvas.hu[k], grain[k]
        if table:
            _table(canvas, image, table_y)
        _body(canvas, image, anatomy, part, texture)
        if z < trunk.z[5]:
            _cavity(canvas, image, anatomy, part, trunk, float(z), texture)
        if trunk.z[11] < z < trunk.places["T1"][2] + 25:
            _lungs(canvas, image, anatomy, trunk, float(z), texture)
    del x, y


def _rounded(
    canvas: Canvas, *, x0: float, y0: float, half_width: float, front: float, back: float, power: float
) -> np.ndarray:
    """Signed distance [Y, X] to a superellipse with different depths before and behind (x0, y0)."""
    dx = np.abs(canvas.x - np.float32(x0)) / np.float32(half_width)
    dy = canvas.y - np.float32(y0)
    dy = np.where(dy > 0, dy / np.float32(back), -dy / np.float32(front))
    radius = (dx[None, :] ** power + dy[:, None] ** power) ** np.float32(1 / power)
    return (radius - 1) * np.float32(min(half_width, (front + back) / 2) * 0.9)


def _lay(canvas: Canvas, image: np.ndarray, distance: np.ndarray, hu: float | np.ndarray) -> None:
    image += canvas.occupancy(distance) * (hu - image)


def _body(canvas: Canvas, image: np.ndarray, anatomy: Anatomy, part: Slice, texture: np.ndarray) -> None:
    tissue = anatomy.tissue
    skin = _rounded(
        canvas,
        x0=part.x,
        y0=part.y,
        half_width=part.half_width,
        front=part.front,
        back=part.back,
        power=part.squareness,
    )
    _lay(canvas, image, skin, 15.0)
    fat = tissue.fat_hu + 6 * texture
    _lay(canvas, image, skin + 2.0, fat)
    _lay(canvas, image, skin + np.float32(3.0 + part.fat), tissue.muscle_hu + 7 * texture)


def _cavity(
    canvas: Canvas, image: np.ndarray, anatomy: Anatomy, part: Slice, trunk: Trunk, z: float, texture: np.ndarray
) -> None:
    """Fat and bowel in front of the spine; the muscles of the back and the belly's wall stay around it."""
    tissue = anatomy.tissue
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
    # the spine and the psoas bulge into it from behind
    x, y = canvas.x[None, :] - np.float32(part.x), canvas.y[:, None] - np.float32(part.y)
    bulge = np.sqrt(x * x * np.float32(0.45) + y * y) - np.float32(30.0)
    inside = np.maximum(inside, -bulge)
    filling = np.where(texture > 0.15, np.float32(32.0), np.float32(tissue.fat_hu + 8)) + 6 * texture
    _lay(canvas, image, inside, filling)
    del trunk, z


def _lungs(canvas: Canvas, image: np.ndarray, anatomy: Anatomy, trunk: Trunk, z: float, texture: np.ndarray) -> None:
    """Both lungs: inside the rib cage, beside the mediastinum, above the diaphragm."""
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
    depth = y0 - y  # in front of the vertebral bodies
    heart = np.exp(-(((z - trunk.places["T8"][2]) / 55.0) ** 2))
    half = (
        20
        + 7 * np.clip(depth / 30, 0, 1)
        + heart * 34 * np.exp(-(((depth - 62) / 38) ** 2)) * np.where(x > 0, 1.5, 0.75)
    )
    beside = half.astype(np.float32) - np.abs(x)
    dome = trunk.places["T10"][2] + np.where(x > 0, np.float32(-8), np.float32(6))
    lateral = (np.abs(x) - 65) / 62
    frontal = (depth - 50) / 80
    floor = dome + 8 - 62 * np.clip(lateral, -1.2, 1.6) ** 2 * 0.8 - 62 * np.clip(frontal, -1.2, 1.2) ** 2
    lungs = np.maximum(np.maximum(cage, beside), (floor - z).astype(np.float32) * 0.6)
    vessels = np.where(texture > 1.3, np.float32(330.0), np.float32(0.0))
    lung = np.float32(anatomy.tissue.lung_hu) + 25 * texture + vessels
    _lay(canvas, image, lungs, lung)


def _table(canvas: Canvas, image: np.ndarray, table_y: float) -> None:
    """A thin curved carbon shell filled with foam, under the back."""
    x, y = canvas.x[None, :], canvas.y[:, None]
    top = y - np.float32(table_y + 6) + (x / np.float32(210.0)) ** 2 * 18
    shell = np.maximum(-top, top - 42)
    _lay(canvas, image, np.maximum(shell, np.abs(x) - 205), -900.0)
    _lay(canvas, image, np.maximum(np.maximum(-top, top - 2.5), np.abs(x) - 205), -150.0)
    _lay(canvas, image, np.maximum(np.maximum(39.5 - top, top - 42), np.abs(x) - 205), -150.0)
