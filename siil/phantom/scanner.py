"""What the scanner adds: limited resolution, streaks between dense bones, correlated noise, rounding to int16.

Slice by slice, so that the arithmetic stays in the processor's cache.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from siil.phantom.canvas import Canvas
from siil.phantom.view import View

LOWEST_HU, HIGHEST_HU = -1024, 3071
DENSE_HU = 350.0
METAL_HU = 4500.0
"""denser than any bone or tooth: implants, which the file shows at its highest value"""
NOISE_WEIGHT = 0.24
"""side weight of the three-point kernel that correlates the noise in the plane"""


def expose(canvas: Canvas, view: View) -> np.ndarray:
    """The scan as the scanner would deliver it, int16 HU [Z, Y, X]."""
    rng = np.random.default_rng(view.noise_seed)
    conditions = view.conditions
    noise_hu = view.noise_hu if conditions.noise_hu is None else conditions.noise_hu
    outside = outside_circle(view)
    hu = np.empty(canvas.shape, np.int16)
    load = np.array([float(np.maximum(image[::4, ::4], -1000).mean()) + 1000 for image in canvas.hu])
    strength = np.sqrt(load / max(load.mean(), 1.0))  # thick and bony slices are noisier
    norm = (1 - 2 * NOISE_WEIGHT) ** 2 + 2 * NOISE_WEIGHT**2
    for k, image in enumerate(canvas.hu):
        seen = _smooth(image, view.blur if conditions.blur is None else conditions.blur)
        seen += _streaks(seen, view, rng)
        if image.max() > METAL_HU:
            seen += _metal(image, view, rng)
        grain = _smooth(rng.standard_normal(image.shape, dtype=np.float32), NOISE_WEIGHT)
        grain *= np.float32(noise_hu / norm * strength[k])
        seen += grain
        if outside is not None:
            seen[outside] = conditions.outside_hu
        np.rint(seen, out=seen)
        hu[k] = np.clip(seen, LOWEST_HU, HIGHEST_HU)
    return hu


def outside_circle(view: View) -> np.ndarray | None:
    """Pixels [Y, X] beyond the reconstruction circle around the image's middle; None: there are none."""
    if not view.conditions.circle_mm:
        return None
    _, rows, columns = view.shape
    y = (np.arange(rows) - (rows - 1) / 2) * view.spacing_mm[1]
    x = (np.arange(columns) - (columns - 1) / 2) * view.spacing_mm[2]
    return np.asarray(np.hypot(y[:, None], x[None, :]) > view.conditions.circle_mm)


def _metal(image: np.ndarray, view: View, rng: np.random.Generator) -> np.ndarray:
    """Rays [Y, X] from the metal of a slice, and a dark band along the line that most of it lies on."""
    place = np.argwhere(image > METAL_HU)
    pixel = np.array(view.spacing_mm[1:])
    y, x = (np.arange(n, dtype=np.float32) * s for n, s in zip(image.shape, pixel, strict=True))
    left = place[:, 1] < place[:, 1].mean()
    found = np.zeros(image.shape, np.float32)
    for part in (place[left], place[~left]):
        if len(part):
            centre = part.mean(axis=0) * pixel
            dy, dx = y[:, None] - np.float32(centre[0]), x[None, :] - np.float32(centre[1])
            angle, away = np.arctan2(dy, dx), np.hypot(dy, dx)
            turns, phases = rng.integers(5, 24, 5), rng.uniform(0, 2 * np.pi, 5)
            rays = sum(np.cos(n * angle + np.float32(p)) for n, p in zip(turns, phases, strict=True))
            found += rays * np.exp(-away / np.float32(45)) * np.float32(160 * view.streaks)
    if left.any() and not left.all():
        a, b = (place[side].mean(axis=0) * pixel for side in (left, ~left))
        along = (b - a) / np.linalg.norm(b - a)
        dy, dx = y[:, None] - np.float32(a[0]), x[None, :] - np.float32(a[1])
        across = dy * np.float32(along[1]) - dx * np.float32(along[0])
        middle = np.abs(dy * np.float32(along[0]) + dx * np.float32(along[1]) - np.float32(np.linalg.norm(b - a) / 2))
        found -= np.float32(350 * view.streaks) * np.exp(-((across / 6) ** 2) - middle / np.float32(60))
    return found


def _smooth(image: np.ndarray, weight: float) -> np.ndarray:
    """Convolve [Y, X] with (weight, 1 - 2 weight, weight) along both axes."""
    middle, side = np.float32(1 - 2 * weight), np.float32(weight)
    once = image * middle
    once[1:] += side * image[:-1]
    once[:-1] += side * image[1:]
    once[0] += side * image[0]
    once[-1] += side * image[-1]
    twice = once * middle
    twice[:, 1:] += side * once[:, :-1]
    twice[:, :-1] += side * once[:, 1:]
    twice[:, 0] += side * once[:, 0]
    twice[:, -1] += side * once[:, -1]
    return twice


def _streaks(image: np.ndarray, view: View, rng: np.random.Generator) -> np.ndarray:
    """Dark and bright bands [Y, X] along the directions in which a slice holds most bone (beam hardening)."""
    dense = np.maximum(image - np.float32(DENSE_HU), 0)
    rows, columns = dense.mean(axis=1), dense.mean(axis=0)
    rows = (rows - ndimage.uniform_filter1d(rows, 15)) * (1 + 0.5 * rng.standard_normal(len(rows), dtype=np.float32))
    columns = columns - ndimage.uniform_filter1d(columns, 15)
    weight = np.float32(-0.35 * view.streaks)
    return (weight * rows)[:, None] + (np.float32(0.5) * weight * columns)[None, :]
