"""Grids: where the voxels of an array lie, and the mask laid onto the image's grid.

Arrays are (Z, Y, X). Grids are ITK's: origin and direction in LPS millimetres. The working grid has the identity as
direction: X grows to the patient's left, Y to the back, Z to the head. Files are `siil.scan.volume`'s part.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from siil.scan import defects
from siil.scan.nifti import nib

TO_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])
"""nibabel's RAS to ITK's LPS, and back."""


@dataclass(frozen=True, slots=True)
class Forms:
    """All that places the voxels in a NIfTI header, as stored: both matrices with their codes.

    Readers disagree on which of the two they take (ITK often the qform, nibabel the sform), so a file on a
    scan's grid carries both as the scan does: whichever a reader takes, scan and file coincide.

    codes: qform_code, sform_code. units: xyzt_units. pixdim: qfac and the spacings. qform: quatern_b, c, d, qoffset_x,
    y, z. sform: srow_x, y, z.
    """

    codes: tuple[int, int]
    units: int
    pixdim: tuple[float, ...]
    qform: tuple[float, ...]
    sform: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Grid:
    """Where the voxels of an array lie.

    shape: (Z, Y, X) voxels. spacing_mm: (Z, Y, X). origin_mm: (x, y, z) of voxel (0, 0, 0) in LPS.
    direction: ITK's 3 x 3 cosines, row by row; its columns are the directions of the x, y and z axes.
    forms: the header of the NIfTI file that the grid came from, which files on this grid carry; no part of equality.
    """

    shape: tuple[int, int, int]
    spacing_mm: tuple[float, float, float]
    origin_mm: tuple[float, float, float] = (0.0, 0.0, 0.0)
    direction: tuple[float, ...] = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)
    forms: Forms | None = field(default=None, compare=False)

    @property
    def matrix(self) -> np.ndarray:
        """4 x 4: voxel (x, y, z, 1) to LPS millimetres."""
        matrix = np.eye(4)
        matrix[:3, :3] = np.reshape(self.direction, (3, 3)) * np.array(self.spacing_mm[::-1])
        matrix[:3, 3] = self.origin_mm
        return matrix

    @property
    def orientation(self) -> str:
        """Where each axis of the file (x, y, z) grows to, for example PIR."""
        return "".join(nib.orientations.aff2axcodes(TO_LPS @ self.matrix))


@dataclass(frozen=True, slots=True)
class Volume:
    """An array (Z, Y, X) and its grid. `repairs` says in plain words what was mended while reading."""

    array: np.ndarray
    grid: Grid
    repairs: tuple[str, ...] = ()


def to_sitk(volume: Volume) -> sitk.Image:
    """The volume as a SimpleITK image."""
    image = sitk.GetImageFromArray(volume.array)
    image.SetSpacing(tuple(reversed(volume.grid.spacing_mm)))
    image.SetOrigin(volume.grid.origin_mm)
    image.SetDirection(volume.grid.direction)
    return image


def from_sitk(image: sitk.Image) -> Volume:
    """A SimpleITK image as a volume; the array is a copy."""
    sx, sy, sz = image.GetSpacing()
    x, y, z = image.GetSize()
    grid = Grid((z, y, x), (sz, sy, sx), tuple(image.GetOrigin()), tuple(image.GetDirection()))
    return Volume(sitk.GetArrayFromImage(image), grid)


def part_around(volume: Volume, target: Grid) -> Volume:
    """The part of a volume that lies around `target` (a view): all voxels that reach into it, and one more.

    The part has no voxel where the two do not meet.
    """
    grid = volume.grid
    ends = [(-1.0, float(length)) for length in target.shape[::-1]]
    corners = np.array([[i, j, k, 1.0] for i in ends[0] for j in ends[1] for k in ends[2]]).T
    there = np.linalg.solve(grid.matrix, target.matrix @ corners)[2::-1]  # z, y, x voxels of the volume
    reach = 1 + np.ceil(max(target.spacing_mm) / np.array(grid.spacing_mm))
    start = np.clip(np.floor(there.min(1)) - reach, 0, grid.shape).astype(int)
    stop = np.clip(np.ceil(there.max(1)) + reach + 1, start, grid.shape).astype(int)
    z, y, x = (slice(a, b) for a, b in zip(start.tolist(), stop.tolist(), strict=True))
    ox, oy, oz = (grid.matrix @ [x.start, y.start, z.start, 1.0])[:3].tolist()
    array = volume.array[z, y, x]
    shape = (array.shape[0], array.shape[1], array.shape[2])
    return Volume(array, Grid(shape, grid.spacing_mm, (ox, oy, oz), grid.direction))


def match_mask(image: Grid, mask: Volume, path: Path | str) -> Volume:
    """The mask on the image's grid: as it is, with the image's header, or turned without loss.

    Raises:
        InputError: the grids differ by more than half a voxel, or in shape.
    """
    if mask.grid == image:
        return mask
    turned = mask if mask.grid.shape == image.shape and _corner_gap_vox(image, mask.grid) <= 0.5 else _turn(mask, image)
    gap = _corner_gap_vox(image, turned.grid) if turned.grid.shape == image.shape else np.inf
    if gap > 0.5:
        raise defects.refusal(
            "mask_grid", path, f"mask {_describe(mask.grid)} and image {_describe(image)}, {_gap(image, mask.grid)}"
        )
    repairs = list(mask.repairs)
    if turned is not mask:
        repairs.append(defects.note("mask_axes", f"mask {mask.grid.orientation}, image {image.orientation}"))
    elif gap > 1e-2:
        repairs.append(defects.note("mask_shifted", f"corners {gap:.2f} voxels apart"))
    return replace(turned, grid=image, repairs=tuple(repairs))


def _turn(mask: Volume, image: Grid) -> Volume:
    to_ras = TO_LPS @ mask.grid.matrix
    change = nib.orientations.ornt_transform(
        nib.orientations.io_orientation(to_ras), nib.orientations.io_orientation(TO_LPS @ image.matrix)
    )
    array = nib.orientations.apply_orientation(mask.array.T, change)
    matrix = mask.grid.matrix @ nib.orientations.inv_ornt_aff(change, mask.array.T.shape)
    spacing = np.linalg.norm(matrix[:3, :3], axis=0)
    direction = tuple((matrix[:3, :3] / spacing).ravel().tolist())
    shape = (array.shape[2], array.shape[1], array.shape[0])
    sx, sy, sz = spacing.tolist()
    x, y, z = matrix[:3, 3].tolist()
    return Volume(np.ascontiguousarray(array.T), Grid(shape, (sz, sy, sx), (x, y, z), direction), mask.repairs)


def _corner_gap_vox(one: Grid, two: Grid) -> float:
    ends = np.array(one.shape[::-1]) - 1
    corners = np.array([[i, j, k, 1] for i in (0, ends[0]) for j in (0, ends[1]) for k in (0, ends[2])], float).T
    apart = np.linalg.solve(one.matrix, two.matrix @ corners) - corners
    return float(np.abs(apart[:3]).max())


def _describe(grid: Grid) -> str:
    x, y, z = grid.shape[::-1]
    a, b, c = grid.spacing_mm[::-1]
    return f"{x}x{y}x{z} voxels of {a:.3g}x{b:.3g}x{c:.3g} mm {grid.orientation}"


def _gap(image: Grid, mask: Grid) -> str:
    return f"corners {_corner_gap_vox(image, mask):.1f} voxels apart" if image.shape == mask.shape else "other shapes"
