"""Planes that follow the spine: a sagittal and a coronal image through the vertebral bodies, straight or scoliotic.

A plain mid-sagittal slice misses half of a scoliotic spine; here every axial slice contributes the line through its own
vertebral body. Pure numpy; arrays (Z, Y, X), LPS, isotropic.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

BODY_QUANTILE = 0.3
"""The body is the front of a vertebra: this quantile of its voxels from front to back lies in the body."""
SMOOTHING_MM = 15.0


def spine_path(labels: np.ndarray, *, spacing_mm: float) -> tuple[np.ndarray, np.ndarray]:
    """Column of the spine in every axial slice.

    Args:
        labels: [Z, Y, X], > 0 where a vertebra is.
        spacing_mm: isotropic spacing.

    Returns:
        y [Z] and x [Z] voxel indices (int64); slices without a vertebra take the nearest ones' (interpolated);
        the middle of the volume where there is no vertebra at all.
    """
    depth, rows, columns = labels.shape
    found = [z for z in range(depth) if labels[z].any()]
    if not found:
        return np.full(depth, rows // 2), np.full(depth, columns // 2)
    sites = [np.nonzero(labels[z]) for z in found]
    y = [float(np.quantile(ys, BODY_QUANTILE)) for ys, _ in sites]
    x = [float(np.median(xs)) for _, xs in sites]
    return tuple(_smooth(np.interp(np.arange(depth), found, line), spacing_mm) for line in (y, x))  # type: ignore[return-value]


def _smooth(line: np.ndarray, spacing_mm: float) -> np.ndarray:
    return np.rint(ndimage.gaussian_filter1d(line, SMOOTHING_MM / spacing_mm, mode="nearest")).astype(np.int64)


def sagittal(volume: np.ndarray, x: np.ndarray) -> np.ndarray:
    """[Z, Y] image of `volume` [Z, Y, X] along column x [Z]."""
    return volume[np.arange(len(x)), :, x]


def coronal(volume: np.ndarray, y: np.ndarray) -> np.ndarray:
    """[Z, X] image of `volume` [Z, Y, X] along row y [Z]."""
    return volume[np.arange(len(y)), y, :]


def window(labels: np.ndarray, *, margin_vox: int) -> slice:
    """Columns of an image [Z, W] that hold labels, with a margin; all columns where there is none."""
    hit = np.flatnonzero(labels.any(axis=0))
    if not len(hit):
        return slice(0, labels.shape[1])
    return slice(max(0, int(hit[0]) - margin_vox), min(labels.shape[1], int(hit[-1]) + margin_vox + 1))
