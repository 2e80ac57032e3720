"""Volumes and their grids: the one module that converts axes, units and file formats.

Arrays are (Z, Y, X). Grids are ITK's: origin and direction in LPS millimetres. The working grid has the identity as
direction: X grows to the patient's left, Y to the back, Z to the head.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from siil import files


@dataclass(frozen=True, slots=True)
class Grid:
    """Where the voxels of an array lie.

    shape: (Z, Y, X) voxels. spacing_mm: (Z, Y, X). origin_mm: (x, y, z) of voxel (0, 0, 0) in LPS.
    direction: ITK's 3 x 3 cosines, row by row; its columns are the directions of the x, y and z axes.
    """

    shape: tuple[int, int, int]
    spacing_mm: tuple[float, float, float]
    origin_mm: tuple[float, float, float] = (0.0, 0.0, 0.0)
    direction: tuple[float, ...] = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)


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


def read_volume(path: Path) -> Volume:
    """Read a NIfTI file. (First version; guards and repairs come with it.)"""
    return from_sitk(sitk.ReadImage(str(path)))


def write_volume(path: Path, volume: Volume) -> None:
    """Write a volume as NIfTI, atomically."""
    with files.atomic(path) as temporary:
        sitk.WriteImage(to_sitk(volume), str(temporary), useCompression=True)
