"""From the working grid back to the scan's own grid: the inverse of preprocess.py, exact where spacing is kept."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from siil.scan.geometry import Geometry, lps_axes, lps_grid
from siil.scan.grid import Grid, Volume
from siil.scan.resample import SoftVote, apply, weights_in_air


@dataclass(frozen=True, slots=True)
class SoftMap:
    """The probability of one vertebra in a box of the working grid; it is 0 outside the box.

    code: VerSe code. corner_zyx: first voxel of the box. probability: [dz, dy, dx] float32.
    """

    code: int
    corner_zyx: tuple[int, int, int]
    probability: np.ndarray


def undo_labels(labels: np.ndarray, geometry: Geometry) -> Volume:
    """Labels (Z, Y, X) of the working grid on the scan's own grid, by the nearest voxel; 0 outside the crop."""
    axes = lps_axes(geometry.source)
    if axes is None:
        matrix, offset = _index_map(geometry)
        array = ndimage.affine_transform(
            labels, matrix, offset, output_shape=geometry.source.shape, order=0, mode="grid-constant", cval=0
        )
        return Volume(array, geometry.source)
    grid = lps_grid(geometry.source, axes)
    taken, kept = [], []
    for axis in range(3):
        nearest = np.rint(_positions(grid, geometry.working, axis)).astype(np.int64)
        inside = (nearest >= 0) & (nearest < labels.shape[axis])
        taken.append(nearest[inside])
        kept.append(np.flatnonzero(inside))
    array = np.zeros(grid.shape, labels.dtype)
    array[np.ix_(*kept)] = labels[np.ix_(*taken)]
    return Volume(np.ascontiguousarray(axes.from_lps(array)), geometry.source)


def undo_soft(maps: Iterable[SoftMap], geometry: Geometry, *, sampled: bool = False) -> Volume:
    """Label map (uint8 VerSe codes) on the scan's own grid from soft maps of the working grid.

    Each map is up-sampled linearly in its own box; then the largest wins, background being 1 minus their sum. Memory
    is bounded by the box around all maps, not by the number of classes.

    sampled: a voxel of the scan that is longer than those of the maps takes what they say at its centre, not their mean
    over it; this is how masks in thick slices are drawn.
    """
    axes = lps_axes(geometry.source)
    if axes is None:
        return Volume(_oblique(list(maps), geometry), geometry.source)
    grid = lps_grid(geometry.source, axes)
    made = np.zeros(grid.shape, np.uint8)
    parts = [(soft, *_spans(soft, grid, geometry.working, sampled)) for soft in maps]
    parts = [part for part in parts if all(span.stop > span.start for span in part[1])]
    if parts:
        vote, whole = _vote([spans for _, spans, _ in parts])
        for soft, spans, matrices in parts:
            lifted = apply(soft.probability.astype(np.float32), matrices)
            vote.add(soft.code, (spans[0].start, spans[1].start, spans[2].start), lifted)
        made[whole] = vote.labels()
    return Volume(np.ascontiguousarray(axes.from_lps(made)), geometry.source)


Spans = tuple[slice, slice, slice]


def _positions(grid: Grid, working: Grid, axis: int) -> np.ndarray:
    """Voxels of an aligned grid along `axis` (of Z, Y, X) in voxels of the working grid."""
    first = (grid.origin_mm[2 - axis] - working.origin_mm[2 - axis]) / working.spacing_mm[axis]
    step = grid.spacing_mm[axis] / working.spacing_mm[axis]
    if abs(step - 1) <= 1e-4:  # spacing kept: whole voxels, without the header's float rounding
        first, step = round(first), 1.0
    return first + step * np.arange(grid.shape[axis])


def _spans(
    soft: SoftMap, grid: Grid, working: Grid, sampled: bool
) -> tuple[Spans, tuple[np.ndarray, np.ndarray, np.ndarray]]:
    spans, matrices = [], []
    for axis in range(3):
        count = soft.probability.shape[axis]
        positions = _positions(grid, working, axis) - soft.corner_zyx[axis]
        ratio = grid.spacing_mm[axis] / working.spacing_mm[axis]
        ratio = min(ratio, 1.0) if sampled else ratio
        radius = max(1.0, ratio)
        near = np.flatnonzero((positions > -radius) & (positions < count - 1 + radius))
        span = slice(int(near[0]), int(near[-1]) + 1) if near.size else slice(0, 0)
        spans.append(span)
        matrices.append(weights_in_air(count, positions[span], ratio))
    return (spans[0], spans[1], spans[2]), (matrices[0], matrices[1], matrices[2])


def _vote(boxes: list[Spans]) -> tuple[SoftVote, Spans]:
    low = [min(box[axis].start for box in boxes) for axis in range(3)]
    high = [max(box[axis].stop for box in boxes) for axis in range(3)]
    vote = SoftVote((low[0], low[1], low[2]), (high[0] - low[0], high[1] - low[1], high[2] - low[2]))
    return vote, (slice(low[0], high[0]), slice(low[1], high[1]), slice(low[2], high[2]))


def _index_map(geometry: Geometry) -> tuple[np.ndarray, np.ndarray]:
    """Matrix and offset from source voxels (z, y, x) to working voxels (z, y, x)."""
    xyz = np.linalg.solve(geometry.working.matrix, geometry.source.matrix)
    return xyz[2::-1, 2::-1], xyz[2::-1, 3]


def _oblique(maps: list[SoftMap], geometry: Geometry) -> np.ndarray:
    matrix, offset = _index_map(geometry)
    made = np.zeros(geometry.source.shape, np.uint8)
    back = np.linalg.inv(matrix)
    boxes = []
    for soft in maps:
        low = np.array(soft.corner_zyx) - 1.0
        high = low + np.array(soft.probability.shape) + 1.0
        corners = np.array([[z, y, x] for z in (low[0], high[0]) for y in (low[1], high[1]) for x in (low[2], high[2])])
        there = (corners - offset) @ back.T
        start = np.clip(np.floor(there.min(0)), 0, geometry.source.shape).astype(int)
        stop = np.clip(np.ceil(there.max(0)) + 1, 0, geometry.source.shape).astype(int)
        boxes.append(tuple(slice(int(a), int(max(a, b))) for a, b in zip(start, stop, strict=True)))
    kept = [(soft, box) for soft, box in zip(maps, boxes, strict=True) if all(span.stop > span.start for span in box)]
    if not kept:
        return made
    vote, whole = _vote([(box[0], box[1], box[2]) for _, box in kept])
    for soft, box in kept:
        start = np.array([span.start for span in box])
        lifted = ndimage.affine_transform(
            soft.probability.astype(np.float32),
            matrix,
            matrix @ start + offset - np.array(soft.corner_zyx),
            output_shape=tuple(span.stop - span.start for span in box),
            order=1,
            mode="grid-constant",
            cval=0.0,
        )
        vote.add(soft.code, (int(start[0]), int(start[1]), int(start[2])), lifted)
    made[whole] = vote.labels()
    return made
