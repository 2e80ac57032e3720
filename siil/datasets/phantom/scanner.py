"""What the scanner adds: limited resolution, streaks between dense bones, correlated noise, rounding to int16.

Slice by slice, so that the arithmetic stays in the processor's cache.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from siil.datasets.phantom.canvas import Canvas
from siil.datasets.phantom.view import View

LOWEST_HU, HIGHEST_HU = -1024, 3071
DENSE_HU = 350.0
NOISE_WEIGHT = 0.24
"""side weight of the three-point kernel that correlates the noise in the plane"""


def expose(canvas: Canvas, view: View) -> np.ndarray:
    """The scan as the scanner would deliver it, int16 HU [Z, Y, X]."""
    rng = np.random.default_rng(view.noise_seed)
    hu = np.empty(canvas.shape, np.int16)
    load = np.array([float(np.maximum(image[::4, ::4], -1000).mean()) + 1000 for image in canvas.hu])
    strength = np.sqrt(load / max(load.mean(), 1.0))  # thick and bony slices are noisier
    norm = (1 - 2 * NOISE_WEIGHT) ** 2 + 2 * NOISE_WEIGHT**2
    for k, image in enumerate(canvas.hu):
        seen = _smooth(image, view.blur)
        seen += _streaks(seen, view, rng)
        grain = _smooth(rng.standard_normal(image.shape, dtype=np.float32), NOISE_WEIGHT)
        grain *= np.float32(view.noise_hu / norm * strength[k])
        seen += grain
        np.rint(seen, out=seen)
        hu[k] = np.clip(seen, LOWEST_HU, HIGHEST_HU)
    return hu


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
