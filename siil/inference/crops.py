"""Crops for the second look: each vertebra in a box of its own at a fine spacing, with what the first look thought.

After inference/soft_maps.py; used alike by training and by inference/second_look.py. All crops of a scan are boxes of
one fine grid (`fine_grid`): LPS, isotropic, through the centre of the scan's first voxel, never finer than the scan's
finest axis. Where an axis keeps its spacing the voxels are the scan's own; an oblique scan is interpolated box by box.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np

from siil.scan import oblique
from siil.scan.geometry import Geometry, lps_axes, lps_grid
from siil.scan.grid import Grid, Volume
from siil.scan.resample import apply, resample_image, span, weights, weights_in_air
from siil.scan.undo import SoftMap

COARSEST_MM: Final = 2.0
"""A scan whose finest axis is coarser than this has nothing that a second look could see better."""
LOW_HU: Final = -1024
HIGH_HU: Final = 3071
Box = tuple[slice, slice, slice]


@dataclass(frozen=True, slots=True)
class Crop:
    """A vertebra in a box of the fine grid.

    code: VerSe code by the first look. corner_zyx: first voxel of the box in the fine grid. grid: of the box.
    image: [Z, Y, X] int16 HU. own, others: [Z, Y, X] uint8, 255 where the first look is certain of this vertebra, of
    another one.
    """

    code: int
    corner_zyx: tuple[int, int, int]
    grid: Grid
    image: np.ndarray
    own: np.ndarray
    others: np.ndarray


def sees(source: Grid) -> bool:
    """Is there anything that a second look could see better on this grid?"""
    return min(source.spacing_mm) <= COARSEST_MM


def fine_grid(source: Grid, spacing_mm: float) -> Grid:
    """The isotropic LPS grid over a scan that crops are boxes of.

    spacing_mm: what is wished for; a scan whose finest axis is coarser gives that axis's spacing.
    """
    spacing = max(spacing_mm, min(source.spacing_mm))
    axes = lps_axes(source)
    if axes is None:
        return oblique.box_around(source, spacing)
    turned = lps_grid(source, axes)
    count = [
        int(np.ceil((length - 1) * old / spacing - 1e-3)) + 1
        for length, old in zip(turned.shape, turned.spacing_mm, strict=True)
    ]
    return Grid((count[0], count[1], count[2]), (spacing,) * 3, turned.origin_mm)


def cut_crops(
    source: Volume, maps: Collection[SoftMap], geometry: Geometry, *, spacing_mm: float, margin_mm: float
) -> Iterator[Crop]:
    """One crop for each map, made one at a time.

    Args:
        source: int16 HU on the scan's own grid.
        maps: soft maps of the first look on the working grid.
        geometry: the way from the scan's grid to the working grid.
        spacing_mm: of the crops (see `fine_grid`).
        margin_mm: around the box of the map, where the scan reaches that far.
    """
    fine = fine_grid(source.grid, spacing_mm)
    working = geometry.working
    total = np.zeros(working.shape, np.float32)
    for soft in maps:
        total[_box(soft)] += soft.probability
    for soft in maps:
        box = _around(soft, working, fine, margin_mm)
        if box is None:
            continue
        grid = _part(fine, box)
        own = _lift(soft.probability, soft.corner_zyx, working, grid)
        everything = _lift(total, (0, 0, 0), working, grid)
        yield Crop(
            code=soft.code,
            corner_zyx=(box[0].start, box[1].start, box[2].start),
            grid=grid,
            image=image_on(source, grid),
            own=to_bytes(own),
            others=to_bytes(everything - own),
        )


def to_bytes(probability: np.ndarray) -> np.ndarray:
    """Probabilities as uint8: 255 is 1."""
    return np.rint(np.clip(probability, 0, 1) * np.float32(255)).astype(np.uint8)


def image_on(source: Volume, target: Grid) -> np.ndarray:
    """The scan on an isotropic LPS grid within it (int16 HU): antialiased on the way down, linear on the way up."""
    axes = lps_axes(source.grid)
    if axes is None:
        return oblique.onto(source, target, low=LOW_HU, high=HIGH_HU)
    turned = lps_grid(source.grid, axes)
    taken: list[slice] = []
    matrices: list[np.ndarray | None] = []
    for axis in range(3):
        old, count = turned.spacing_mm[axis], turned.shape[axis]
        first = (target.origin_mm[2 - axis] - turned.origin_mm[2 - axis]) / old
        ratio = target.spacing_mm[axis] / old
        if abs(ratio - 1) <= 1e-4 and abs(first - round(first)) <= 1e-2:
            taken.append(slice(round(first), round(first) + target.shape[axis]))
            matrices.append(None)
            continue
        positions = np.clip(first + ratio * np.arange(target.shape[axis]), 0, count - 1)
        matrix = weights(count, positions, ratio)
        used = span(matrix.max(0))
        taken.append(used)
        matrices.append(np.ascontiguousarray(matrix[:, used]))
    view = axes.to_lps(source.array)[tuple(taken)]
    return resample_image(view, (matrices[0], matrices[1], matrices[2]), low=LOW_HU, high=HIGH_HU)


def _box(soft: SoftMap) -> Box:
    z, y, x = (slice(c, c + n) for c, n in zip(soft.corner_zyx, soft.probability.shape, strict=True))
    return z, y, x


def _around(soft: SoftMap, working: Grid, fine: Grid, margin_mm: float) -> Box | None:
    """The map's box with the margin, in voxels of the fine grid; None where it lies outside the scan."""
    spans = []
    for axis, taken in enumerate(_box(soft)):
        shift = working.origin_mm[2 - axis] - fine.origin_mm[2 - axis]
        coarse, spacing = working.spacing_mm[axis], fine.spacing_mm[axis]
        low = shift + (taken.start - 0.5) * coarse - margin_mm
        high = shift + (taken.stop - 0.5) * coarse + margin_mm
        first = max(0, int(np.floor(low / spacing)))
        last = min(fine.shape[axis], int(np.ceil(high / spacing)) + 1)
        if first >= last:
            return None
        spans.append(slice(first, last))
    return spans[0], spans[1], spans[2]


def _part(fine: Grid, box: Box) -> Grid:
    x, y, z = (o + s.start * fine.spacing_mm[0] for o, s in zip(fine.origin_mm, box[::-1], strict=True))
    shape = tuple(s.stop - s.start for s in box)
    return Grid((shape[0], shape[1], shape[2]), fine.spacing_mm, (x, y, z))


def _lift(block: np.ndarray, corner_zyx: tuple[int, ...], working: Grid, target: Grid) -> np.ndarray:
    """A block of the working grid linearly on `target`, [Z, Y, X] float32; 0 outside the block."""
    taken, matrices = [], []
    for axis, count in enumerate(block.shape):
        coarse = working.spacing_mm[axis]
        first = (target.origin_mm[2 - axis] - working.origin_mm[2 - axis]) / coarse - corner_zyx[axis]
        ratio = target.spacing_mm[axis] / coarse
        positions = first + ratio * np.arange(target.shape[axis])
        near = (positions > -1) & (positions < count)
        if not near.any():
            return np.zeros(target.shape, np.float32)
        matrix = np.zeros((len(positions), count), np.float32)
        matrix[near] = weights_in_air(count, positions[near], ratio)
        used = span(matrix.max(0))
        taken.append(used)
        matrices.append(np.ascontiguousarray(matrix[:, used]))
    part = np.ascontiguousarray(block[tuple(taken)], np.float32)
    return apply(part, (matrices[0], matrices[1], matrices[2]))
