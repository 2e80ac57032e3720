"""Constructed evidence with a known answer: tube spines, and posteriors of networks that err in a given way."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import ndimage
from scipy.spatial import cKDTree

from siil.anatomy import BY_NAME, CLASSES
from siil.inference.morphometry import PITCH_MM
from siil.inference.posterior import Posterior

ORDER = [f"C{n}" for n in range(1, 8)] + [f"T{n}" for n in range(1, 13)] + [f"L{n}" for n in range(1, 6)]


@dataclass(frozen=True)
class Spine:
    """truth: [Z, Y, X] internal indices. names: from the head down, as visible. spacing_mm: of the grid."""

    truth: np.ndarray
    names: tuple[str, ...]
    spacing_mm: float


def names(first: str, last: str) -> list[str]:
    """Names from first to last in the usual order."""
    return ORDER[ORDER.index(first) : ORDER.index(last) + 1]


def straight(s: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """No curve: y and x offsets 0."""
    return 0 * s, 0 * s


def scoliosis(angle_deg: float, wave_mm: float = 200.0) -> Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """An S-curve that leans `angle_deg` from the vertical where it is steepest."""
    amplitude = np.tan(np.radians(angle_deg)) * wave_mm / (2 * np.pi)
    return lambda z: (0 * z, amplitude * np.sin(2 * np.pi * z / wave_mm))


def tube(
    levels: Sequence[str],
    *,
    spacing_mm: float = 4.0,
    scale: float = 1.0,
    cut_top: float = 0.0,
    cut_bottom: float = 0.0,
    margin_top_mm: float = 0.0,
    margin_bottom_mm: float = 0.0,
    curve: Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]] = straight,
) -> Spine:
    """A spine of bodies, a ring and a spinous process along a curve.

    cut_top, cut_bottom: share of the first and last vertebra that lies outside the scan.
    margin_top_mm, margin_bottom_mm: empty scan above and below.
    """
    indices = np.array([BY_NAME[name].index for name in levels])
    pitch = PITCH_MM[indices] * scale
    ends = np.cumsum(pitch)
    z = np.arange(-100, ends[-1] + 200, 0.5)  # downwards
    y, x = curve(z)
    curve_mm = np.column_stack([z, y, x])
    along = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(curve_mm, axis=0), axis=1))])
    along -= np.interp(0.0, z, along)
    depth = np.interp(ends, along, z)
    top = np.interp(cut_top * pitch[0], along, z) - margin_top_mm
    bottom = np.interp(ends[-1] - cut_bottom * pitch[-1], along, z) + margin_bottom_mm
    inside = (z >= top) & (z <= bottom)
    low_y, low_x = y[inside].min() - 42, x[inside].min() - 30
    shape = [
        max(1, round(n / spacing_mm))
        for n in (bottom - top, y[inside].max() + 42 - low_y, x[inside].max() + 30 - low_x)
    ]
    grid = np.stack(np.meshgrid(*(np.arange(n) + 0.5 for n in shape), indexing="ij"), axis=-1) * spacing_mm
    points = grid.reshape(-1, 3) * [-1, 1, 1] + [bottom, low_y, low_x]  # the array's z grows towards the head
    nearest = cKDTree(curve_mm).query(points)[1]
    s, offset = along[nearest], points - curve_mm[nearest]
    level = np.searchsorted(ends, s, side="right")
    valid = (s >= 0) & (level < len(indices))
    level = np.minimum(level, len(indices) - 1)
    within = (s - (ends - pitch)[level]) / pitch[level]
    wide = np.abs(offset[:, 2])
    body = (np.hypot(offset[:, 1] + 14, offset[:, 2]) < 15) & (within < 0.8)
    ring = (np.abs(offset[:, 1] - 4) < 9) & (wide < 16) & (wide > 7)
    spinous = (wide < 5) & (offset[:, 1] > 8) & (offset[:, 1] < 36) & (within > 0.3)
    truth = np.where(valid & (body | ring | spinous), indices[level], 0).astype(np.uint8)
    assert depth[-1] > 0
    return Spine(truth.reshape(shape), tuple(levels), spacing_mm)


def posterior(
    spine: Spine,
    *,
    says: np.ndarray | None = None,
    sharp: float = 0.5,
    error: float = 0.0,
    correlation_mm: float = 25.0,
    spine_noise: float = 0.0,
    seed: int = 0,
) -> Posterior:
    """The posterior of a network that takes each voxel for level truth + a smooth random error.

    says: [Z, Y, X] what the network believes without error; default the truth.
    sharp: spread of its belief over neighbouring levels. error: standard deviation of the error, in levels.
    correlation_mm: size of the fragments that it mislabels. spine_noise: standard deviation of O_R's logit.
    """
    generator = np.random.default_rng(seed)
    said = spine.truth if says is None else says
    field = np.zeros(spine.truth.shape)
    if error:
        field = ndimage.gaussian_filter(generator.normal(size=field.shape), correlation_mm / spine.spacing_mm / 2)
        field *= error / field.std()
    solid = ndimage.gaussian_filter((spine.truth > 0).astype(float), 0.4)
    logit = 10 * (solid - 0.5) + spine_noise * generator.normal(size=solid.shape)
    probability = (1 / (1 + np.exp(-logit))).astype(np.float16)
    index = np.flatnonzero(probability.astype(np.float32).reshape(-1) > 0.1)
    nearest = ndimage.distance_transform_edt(said == 0, return_distances=False, return_indices=True)
    level = said[tuple(nearest)].reshape(-1)[index] + field.reshape(-1)[index]
    logits = -0.5 * ((np.arange(CLASSES) - level[:, None]) / sharp) ** 2
    logits[:, 0] = -6
    classes = np.exp(logits - logits.max(axis=1, keepdims=True))
    classes /= classes.sum(axis=1, keepdims=True)
    return Posterior(
        spine=probability,
        index=index,
        classes=classes.astype(np.float16),
        localisation=np.zeros((CLASSES, len(field)), np.float32),
        embeddings=np.zeros((0, 0), np.float32),
        embedding_classes=np.zeros(0, np.int64),
    )


def identified(spine: Spine, labels: np.ndarray) -> float:
    """Share of the truth's vertebrae whose voxels mostly carry their label."""
    right = [np.bincount(labels[spine.truth == k], minlength=CLASSES).argmax() == k for k in np.unique(spine.truth)[1:]]
    return float(np.mean(right))
