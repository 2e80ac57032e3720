"""Separable resampling with antialiasing, for images, label maps and soft maps.

On the way up the kernel interpolates linearly, on the way down it is the mean over the new voxel's footprint (on real
masks that keeps more of a vertebra than a triangle does: 0.93 to 0.96 of Dice at 3 mm against 0.92 to 0.95); at equal
spacings the two are the same. Along each axis it is a small dense matrix, applied slab by slab, so that a scan of
int16 is never copied to floats as a whole.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from siil.anatomy import RIB_CODE, SACRUM_CODE

Matrices = tuple[np.ndarray | None, np.ndarray | None, np.ndarray | None]
"""For Z, Y, X: weights [out, in] float32, or None where the axis is kept as it is."""
Corner = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class AxisPlan:
    """New voxels along one axis: how many, where the first lies (in old voxels), and the weights (None: kept)."""

    count: int
    first_vox: float
    matrix: np.ndarray | None


def plan_axis(count: int, old_mm: float, new_mm: float) -> AxisPlan:
    """Cover `count` voxels of `old_mm` by voxels of `new_mm`, centred, nothing lost at the ends."""
    if abs(old_mm - new_mm) <= 1e-4 * new_mm:
        return AxisPlan(count, 0.0, None)
    length_mm = count * old_mm
    new = max(1, int(np.ceil(length_mm / new_mm - 1e-3)))
    first = ((length_mm - new * new_mm) / 2 + new_mm / 2) / old_mm - 0.5
    positions = first + np.arange(new) * new_mm / old_mm
    return AxisPlan(new, first, weights(count, np.clip(positions, 0, count - 1), new_mm / old_mm))


def weights(count: int, positions: np.ndarray, ratio: float) -> np.ndarray:
    """Overlap of new voxels at `positions` (in old voxels) with old ones: [positions, count] float32, rows sum to 1.

    `ratio` is new spacing over old spacing; a footprint is never narrower than an old voxel.
    """
    half = max(1.0, ratio) / 2
    index, centre = np.arange(count), positions[:, None]
    rows = np.maximum(0.0, np.minimum(centre + half, index + 0.5) - np.maximum(centre - half, index - 0.5))
    return (rows / rows.sum(1, keepdims=True)).astype(np.float32)


def weights_in_air(count: int, positions: np.ndarray, ratio: float) -> np.ndarray:
    """As `weights`, but the `count` voxels lie in zeros that go on outside: rows near the ends sum to less than 1."""
    around = int(np.ceil(2 * max(1.0, ratio))) + 1
    return weights(count + 2 * around, positions + around, ratio)[:, around : around + count]


def apply(block: np.ndarray, matrices: Matrices) -> np.ndarray:
    """Apply the weights of Z, Y, X to a float32 block (Z, Y, X)."""
    along_z, along_y, along_x = matrices
    if along_y is not None:
        block = along_y @ block
    if along_x is not None:
        block = block @ along_x.T
    if along_z is not None:
        block = np.tensordot(along_z, block, 1)
    return block


def resample_image(array: np.ndarray, matrices: Matrices, *, low: int, high: int) -> np.ndarray:
    """An integer image (Z, Y, X; any strides) clipped to [low, high] and resampled to int16, slab by slab."""
    along_z, along_y, along_x = matrices
    depth = array.shape[0] if along_z is None else along_z.shape[0]
    height = array.shape[1] if along_y is None else along_y.shape[0]
    width = array.shape[2] if along_x is None else along_x.shape[0]
    made = np.empty((depth, height, width), np.int16)
    kept = along_z is None and along_y is None and along_x is None
    for out, taken in _slabs(depth, along_z, array.shape[1] * array.shape[2]):
        block = np.clip(array[taken], low, high)
        if kept:
            made[out] = block
            continue
        part = None if along_z is None else np.ascontiguousarray(along_z[out, taken])
        block = apply(np.ascontiguousarray(block, dtype=np.float32), (part, along_y, along_x))
        made[out] = np.rint(block)
    return made


def _slabs(depth: int, along_z: np.ndarray | None, plane_vox: int) -> Iterator[tuple[slice, slice]]:
    """Slices of the new Z axis, each with the slices of the old one that it needs (about 8 million voxels)."""
    old = depth if along_z is None else along_z.shape[1]
    step = max(1, int(8e6 / plane_vox * depth / old))
    for start in range(0, depth, step):
        out = slice(start, min(start + step, depth))
        yield out, out if along_z is None else span(along_z[out].max(0))


def span(used: np.ndarray) -> slice:
    """From the first to the last index where `used` is not 0."""
    found = np.flatnonzero(used)
    return slice(int(found[0]), int(found[-1]) + 1)


class SoftVote:
    """Arg max over soft maps in a box of an otherwise empty volume; background is 1 minus their sum."""

    def __init__(self, corner: Corner, shape: Corner) -> None:
        self.corner = corner
        self._best = np.zeros(shape, np.float32)
        self._total = np.zeros(shape, np.float32)
        self._label = np.zeros(shape, np.uint8)

    def add(self, label: int, corner: Corner, probability: np.ndarray) -> None:
        """Add one map [z, y, x] from voxel `corner` on, within the box. Of equal probabilities the first one stays."""
        box = tuple(
            slice(one - base, one - base + length)
            for one, base, length in zip(corner, self.corner, probability.shape, strict=True)
        )
        self._total[box] += probability
        better = probability > self._best[box]
        self._best[box][better] = probability[better]
        self._label[box][better] = label

    def labels(self) -> np.ndarray:
        """The winner of each voxel of the box (uint8 [z, y, x]); a tie with the background goes to the label."""
        return np.where(self._best + 1e-6 >= 1 - self._total, self._label, 0).astype(np.uint8)


def resample_labels(labels: np.ndarray, matrices: Matrices) -> np.ndarray:
    """A label map (uint8; Z, Y, X; any strides) resampled: each label softly in its own box, then arg max."""
    if all(matrix is None for matrix in matrices):
        return np.ascontiguousarray(labels)
    shape = [n if m is None else m.shape[0] for n, m in zip(labels.shape, matrices, strict=True)]
    made = np.zeros(shape, np.uint8)
    found = [(label, box) for label, box in enumerate(ndimage.find_objects(labels), start=1) if box is not None]
    reach = {label: tuple(_reach(m, s) for m, s in zip(matrices, box, strict=True)) for label, box in found}
    if not found:
        return made
    low = [min(spans[axis].start for spans in reach.values()) for axis in range(3)]
    high = [max(spans[axis].stop for spans in reach.values()) for axis in range(3)]
    vote = SoftVote((low[0], low[1], low[2]), (high[0] - low[0], high[1] - low[1], high[2] - low[2]))
    for label, box in found:
        z, y, x = reach[label]
        parts = [_part(m, spans, s) for m, spans, s in zip(matrices, reach[label], box, strict=True)]
        soft = apply((labels[box] == label).astype(np.float32), (parts[0], parts[1], parts[2]))
        vote.add(label, (z.start, y.start, x.start), soft)
    made[low[0] : high[0], low[1] : high[1], low[2] : high[2]] = vote.labels()
    return made


def landmarks_apart(labels: np.ndarray, resample: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """`labels` (uint8) by `resample`: vertebrae as if there were no sacrum and no ribs, these where nothing else is."""
    landmarks = np.isin(labels, (SACRUM_CODE, RIB_CODE))
    if not landmarks.any():
        return resample(labels)
    made = resample(np.where(landmarks, np.uint8(0), labels))
    return np.where(made > 0, made, resample(np.where(landmarks, labels, np.uint8(0))))


def _reach(matrix: np.ndarray | None, taken: slice) -> slice:
    return taken if matrix is None else span(matrix[:, taken].max(1))


def _part(matrix: np.ndarray | None, out: slice, taken: slice) -> np.ndarray | None:
    return None if matrix is None else np.ascontiguousarray(matrix[out, taken])
