"""What the scanner adds: limited resolution, streaks between dense bones, correlated noise, rounding to int16."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from siil.datasets.phantom.canvas import Canvas
from siil.datasets.phantom.view import View

LOWEST_HU, HIGHEST_HU = -1024, 3071


def slow_texture(rng: np.random.Generator, canvas: Canvas, *, length_mm: float) -> np.ndarray:
    """Smooth noise [Z, Y, X] of mean 0 and sd 1 that varies over `length_mm`, float32."""
    size = [max(2, round(n * s / length_mm) + 2) for n, s in zip(canvas.shape, canvas.spacing_mm, strict=True)]
    coarse = rng.standard_normal(size, dtype=np.float32)
    fine = coarse
    for axis, (count, spacing) in enumerate(zip(canvas.shape, canvas.spacing_mm, strict=True)):
        at = np.arange(count) * (spacing / length_mm)
        low = at.astype(int)
        share = (at - low).astype(np.float32)
        share = share * share * (3 - 2 * share)
        share = share.reshape([-1 if a == axis else 1 for a in range(3)])
        fine = fine.take(low, axis) * (1 - share) + fine.take(low + 1, axis) * share
    return fine * np.float32(1 / max(float(fine.std()), 1e-6))


def expose(canvas: Canvas, view: View) -> np.ndarray:
    """The scan as the scanner would deliver it, int16 HU [Z, Y, X]."""
    rng = np.random.default_rng(view.noise_seed)
    hu = canvas.hu
    blur = [0.3, view.blur_vox, view.blur_vox]
    for axis in range(3):
        hu = ndimage.gaussian_filter1d(hu, blur[axis], axis=axis, mode="nearest", truncate=2.5)
    hu += _streaks(hu, canvas, view, rng)
    hu += _noise(hu, view, rng)
    return np.clip(np.rint(hu), LOWEST_HU, HIGHEST_HU).astype(np.int16)


def _noise(hu: np.ndarray, view: View, rng: np.random.Generator) -> np.ndarray:
    """Noise, correlated over about a voxel in the plane, stronger where the body is thick (slices full of bone)."""
    noise = rng.standard_normal(hu.shape, dtype=np.float32)
    for axis in (1, 2):
        noise = ndimage.gaussian_filter1d(noise, 0.6, axis=axis, mode="wrap", truncate=2.5)
    load = (np.maximum(hu, -1000) + 1000).mean(axis=(1, 2), keepdims=True)
    strength = np.sqrt(load / max(float(load.mean()), 1.0))
    return noise * (np.float32(view.noise_hu / 0.47) * strength)


def _streaks(hu: np.ndarray, canvas: Canvas, view: View, rng: np.random.Generator) -> np.ndarray:
    """Dark and bright bands along the directions in which a slice holds most bone (beam hardening)."""
    dense = np.maximum(hu - 350, 0)
    rows = dense.mean(axis=2, keepdims=True)
    columns = dense.mean(axis=1, keepdims=True)
    jitter = 1 + 0.5 * rng.standard_normal(rows.shape, dtype=np.float32)
    rows = rows - ndimage.uniform_filter1d(rows, 15, axis=1)
    columns = columns - ndimage.uniform_filter1d(columns, 15, axis=2)
    del canvas
    return np.float32(-0.35 * view.streaks) * (rows * jitter + 0.5 * columns)
