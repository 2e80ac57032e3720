"""Oblique scans: from axes that do not run along the patient's onto the LPS box around them.

Called by `siil.scan.preprocess`, and for crops by `siil.inference.crops`. The scan is first coarsened along its own
axes (antialiased, never refined), then interpolated: the image by cubic splines (crops: linearly), each label linearly
in its own box with an arg max at the end.
"""

from __future__ import annotations

import numpy as np
import SimpleITK as sitk
from scipy import ndimage

from siil.scan.grid import Grid, Volume, part_around, to_sitk
from siil.scan.resample import AxisPlan, Matrices, SoftVote, apply, landmarks_apart, plan_axis, resample_image, span


def box_around(source: Grid, spacing_mm: float) -> Grid:
    """The LPS box of voxels that holds every voxel of an oblique grid, edges included."""
    ends = [(-0.5, length - 0.5) for length in source.shape[::-1]]
    low, high = _extent(source, ends)
    count = np.maximum(1, np.ceil((high - low) / spacing_mm - 1e-3)).astype(int)
    ox, oy, oz = ((low + high) / 2 - (count - 1) / 2 * spacing_mm).tolist()
    return Grid((int(count[2]), int(count[1]), int(count[0])), (spacing_mm,) * 3, (ox, oy, oz))


def resample(
    image: Volume, mask: Volume | None, *, spacing_mm: float, window_hu: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray | None, Grid]:
    """An oblique scan and its mask on the LPS box around it: int16 HU and uint8 labels (Z, Y, X), the grid.

    What lies outside the scan is air (the low end of the window) and background.
    """
    target = box_around(image.grid, spacing_mm)
    plans = [
        plan_axis(count, old, max(old, spacing_mm))
        for count, old in zip(image.grid.shape, image.grid.spacing_mm, strict=True)
    ]
    matrices = (plans[0].matrix, plans[1].matrix, plans[2].matrix)
    own = _coarsened(image.grid, plans, spacing_mm)
    low, high = window_hu
    coarse = resample_image(image.array, matrices, low=low, high=high)
    moved = _interpolate(coarse, own, target, how=sitk.sitkBSpline3, outside=low)
    labels = None if mask is None else landmarks_apart(mask.array, lambda codes: _labels(codes, matrices, own, target))
    return np.clip(np.rint(moved), low, high).astype(np.int16), labels, target


def onto(image: Volume, target: Grid, *, low: int, high: int) -> np.ndarray:
    """The part of an oblique scan that lies on `target`, an isotropic LPS grid: int16 HU (Z, Y, X), linear.

    Outside the scan it is `low`. Only the box of the scan around `target` is touched.
    """
    spacing = target.spacing_mm[0]
    part = part_around(image, target)
    if not part.array.size:
        return np.full(target.shape, low, np.int16)
    plans = [plan_axis(n, old, max(old, spacing)) for n, old in zip(part.grid.shape, part.grid.spacing_mm, strict=True)]
    matrices = (plans[0].matrix, plans[1].matrix, plans[2].matrix)
    coarse = resample_image(part.array, matrices, low=low, high=high)
    moved = _interpolate(coarse, _coarsened(part.grid, plans, spacing), target, how=sitk.sitkLinear, outside=low)
    return np.clip(np.rint(moved), low, high).astype(np.int16)


def _labels(mask: np.ndarray, matrices: Matrices, own: Grid, target: Grid) -> np.ndarray:
    vote = SoftVote((0, 0, 0), target.shape)
    for label, box in enumerate(ndimage.find_objects(mask), start=1):
        if box is None:
            continue
        reach = [taken if m is None else span(m[:, taken].max(1)) for m, taken in zip(matrices, box, strict=True)]
        parts = [
            None if m is None else np.ascontiguousarray(m[out, taken])
            for m, out, taken in zip(matrices, reach, box, strict=True)
        ]
        soft = apply((mask[box] == label).astype(np.float32), (parts[0], parts[1], parts[2]))
        soft = np.pad(soft, 1)  # it falls to 0 within a voxel, as linear interpolation does
        there = _part(own, [out.start - 1 for out in reach], soft.shape)
        corner, part = _within(there, target)
        if min(part.shape) > 0:
            vote.add(label, corner, _interpolate(soft, there, part, how=sitk.sitkLinear, outside=0))
    return vote.labels()


def _extent(grid: Grid, ends_xyz: list[tuple[float, float]]) -> tuple[np.ndarray, np.ndarray]:
    corners = np.array([[i, j, k, 1.0] for i in ends_xyz[0] for j in ends_xyz[1] for k in ends_xyz[2]]).T
    world = (grid.matrix @ corners)[:3]
    return world.min(1), world.max(1)


def _part(grid: Grid, start_zyx: list[int], shape: tuple[int, ...]) -> Grid:
    x, y, z = (grid.matrix @ [start_zyx[2], start_zyx[1], start_zyx[0], 1.0])[:3].tolist()
    return Grid((shape[0], shape[1], shape[2]), grid.spacing_mm, (x, y, z), grid.direction)


def _within(part: Grid, target: Grid) -> tuple[tuple[int, int, int], Grid]:
    """The piece of `target` that `part` touches: its first voxel (z, y, x) and its grid."""
    low, high = _extent(part, [(0, length - 1) for length in part.shape[::-1]])
    origin, spacing = np.array(target.origin_mm), np.array(target.spacing_mm[::-1])
    size = np.array(target.shape[::-1])
    first = np.clip(np.floor((low - origin) / spacing), 0, size).astype(int)
    last = np.clip(np.ceil((high - origin) / spacing) + 1, first, size).astype(int)
    corner = (int(first[2]), int(first[1]), int(first[0]))
    count = last - first
    return corner, _part(target, list(corner), (int(count[2]), int(count[1]), int(count[0])))


def _coarsened(source: Grid, plans: list[AxisPlan], spacing_mm: float) -> Grid:
    kept = [plan.matrix is None for plan in plans]
    z, y, x = (old if same else spacing_mm for same, old in zip(kept, source.spacing_mm, strict=True))
    ox, oy, oz = (source.matrix @ [*(plan.first_vox for plan in reversed(plans)), 1.0])[:3].tolist()
    return Grid((plans[0].count, plans[1].count, plans[2].count), (z, y, x), (ox, oy, oz), source.direction)


def _interpolate(array: np.ndarray, grid: Grid, target: Grid, *, how: int, outside: float) -> np.ndarray:
    z, y, x = target.shape
    made = sitk.Resample(
        to_sitk(Volume(array.astype(np.float32, copy=False), grid)),
        (x, y, z),
        sitk.Transform(),
        how,
        target.origin_mm,
        tuple(reversed(target.spacing_mm)),
        target.direction,
        float(outside),
        sitk.sitkFloat32,
    )
    return sitk.GetArrayFromImage(made)
