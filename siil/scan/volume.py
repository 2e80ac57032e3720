"""Volumes from files and back: the one module that turns files into HU, labels and millimetres.

Arrays are (Z, Y, X) on grids in LPS (see grid.py, whose names are offered here too). NIfTI is read with nibabel:
ITK refuses headers that the public sets contain. NRRD, MHA and MHD are read by SimpleITK (itk_files.py). What is wrong
with a file is decided in `siil.scan.defects`.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from siil.run import files
from siil.scan import defects, itk_files
from siil.scan.grid import TO_LPS, Grid, Volume, from_sitk, match_mask, to_sitk
from siil.scan.nifti import nib
from siil.scan.nifti_header import DAMAGE, check_end, grid_of, open_image, put_forms, reason

__all__ = [
    "Grid",
    "Volume",
    "from_sitk",
    "match_mask",
    "read_grid",
    "read_image",
    "read_mask",
    "read_volume",
    "to_sitk",
    "write_volume",
]


def read_grid(path: Path) -> Grid:
    """The grid of a file from its header alone. Raises InputError as `read_image` does."""
    return (itk_files.read_grid(path) if itk_files.is_itk(path) else grid_of(open_image(path), path))[0]


def read_volume(path: Path, *, foreign: bool = False) -> Volume:
    """Read a NIfTI file as it is (repaired header, stored dtype, scaling applied), whatever its voxels mean.

    foreign: not written by this package, so the end of a compressed file is checked too. Raises InputError.
    """
    image = open_image(path)
    grid, notes = grid_of(image, path)
    try:
        array = np.asanyarray(image.dataobj).reshape(grid.shape[::-1]).T
    except DAMAGE as error:
        raise defects.refusal("damaged", path, reason(error)) from None
    if foreign:
        check_end(image, path)
    return Volume(array, grid, tuple(notes))


def read_image(path: Path) -> Volume:
    """Read a CT (NIfTI, NRRD, MHA or MHD) as int16 HU.

    Raises:
        InputError: the file is missing, damaged, of another format, not 3D, sheared, not finite, constant, or not in
            HU.
    """
    if itk_files.is_itk(path):
        grid, notes = itk_files.read_grid(path)
        stored = itk_files.read_voxels(path)
        blocks = _slabs(stored)
    else:
        image = open_image(path)
        grid, notes = grid_of(image, path)
        blocks = _blocks(image, path, grid)
    array = _room(grid, np.int16, path)
    clipped = False
    for rows, block in blocks:
        if block.dtype.kind == "f":
            if not np.isfinite(block).all():
                raise defects.refusal("non_finite", path, "NaN or infinite voxels")
            block = np.rint(block)
        info = np.iinfo(np.int16)
        if block.dtype != np.int16 and block.size:
            clipped |= bool(block.min() < info.min or block.max() > info.max)
            block = np.clip(block, info.min, info.max)
        array[rows] = block
    if clipped:
        notes.append(defects.note("clipped", "values beyond -32768 to 32767"))
    offset = defects.check_hu(array, path)
    if offset:
        array -= 1024
        notes.append(offset)
    return Volume(array, grid, tuple(notes))


def read_mask(path: Path) -> Volume:
    """Read a label map as uint8 VerSe codes; whole numbers stored as floats are fine.

    Raises:
        InputError: as `read_image`, or fractions, or labels outside the table. A mask without vertebrae is no error.
    """
    image = open_image(path)
    grid, notes = grid_of(image, path)
    array = _room(grid, np.uint8, path)
    for rows, block in _blocks(image, path, grid):
        if block.dtype.kind == "f":
            if not np.isfinite(block).all():
                raise defects.refusal("non_finite", path, "NaN or infinite voxels")
            whole = np.rint(block)
            if block.size and np.abs(block - whole).max() > 1e-3:
                raise defects.refusal("fractions", path, f"{block[np.abs(block - whole) > 1e-3][0]:.4g}")
            block = whole
        low, high = block.min(), block.max()
        if low < 0 or high > 28:
            defects.check_labels(np.unique(block), path)
        array[rows] = block
    return Volume(array, grid, tuple(notes))


def write_volume(path: Path, volume: Volume) -> None:
    """Write a volume as NIfTI, atomically; the same volume gives the same bytes. 64-bit integers become 32-bit.

    On the grid of a NIfTI file the header gets that file's two matrices and codes, so both coincide in every reader.
    """
    array = volume.array
    if array.dtype == bool:
        array = array.astype(np.uint8)
    elif array.dtype in (np.dtype(np.int64), np.dtype(np.uint64)):
        array = array.astype(np.int32)
    elif array.dtype == np.float16:
        array = array.astype(np.float32)
    if volume.grid.forms is None:
        affine = TO_LPS @ volume.grid.matrix
        image = nib.Nifti1Image(array.T, affine)
        image.set_qform(affine, code=1)
        image.set_sform(affine, code=1)
        image.header.set_xyzt_units("mm")
    else:
        image = nib.Nifti1Image(array.T, None)
        put_forms(image.header, volume.grid.forms)
    with files.atomic(path) as temporary:
        nib.save(image, temporary)


def _room(grid: Grid, kind: type, path: Path) -> np.ndarray:
    try:
        return np.empty(grid.shape, kind)
    except MemoryError:
        z, y, x = grid.shape
        raise defects.refusal("too_large", path, f"{x}x{y}x{z} voxels, more than memory holds") from None


def _slabs(array: np.ndarray) -> Iterator[tuple[slice, np.ndarray]]:
    """As `_blocks`, of voxels that are in memory already."""
    step = max(1, 4_000_000 // (array.shape[1] * array.shape[2]))
    for start in range(0, array.shape[0], step):
        rows = slice(start, min(start + step, array.shape[0]))
        yield rows, array[rows]


def _blocks(image: Any, path: Path, grid: Grid) -> Iterator[tuple[slice, np.ndarray]]:
    """Slabs (slices of Z, array (z, Y, X) in HU or labels), read one by one: the volume is never held twice."""
    proxy, (depth, height, width) = image.dataobj, grid.shape
    stream, further = image.file_map["image"].fileobj, [0] * (len(proxy.shape) - 3)
    step = max(1, 4_000_000 // (height * width))
    slope, inter = float(proxy.slope), float(proxy.inter)
    whole = slope == 1 and inter == round(inter)
    try:
        for start in range(0, depth, step):
            rows = slice(start, min(start + step, depth))
            at = (slice(None), slice(None), rows, *further)
            if proxy.dtype.kind not in "iu":
                block = np.asarray(proxy[at])
            else:
                block = nib.fileslice.fileslice(stream, at, proxy.shape, proxy.dtype, proxy.offset, order="F")
                if whole and inter:
                    block = block.astype(np.int32) + int(inter)
                elif not whole:
                    block = block * np.float32(slope) + np.float32(inter)
            yield rows, block.T
    except DAMAGE as error:
        raise defects.refusal("damaged", path, reason(error)) from None
    check_end(image, path)
