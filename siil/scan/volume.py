"""Volumes from NIfTI files and back: the one module that turns files into HU, labels and millimetres.

Arrays are (Z, Y, X) on grids in LPS (see grid.py, whose names are offered here too). NIfTI is read with nibabel:
ITK refuses headers that the public sets contain. What is wrong with a file is decided in `siil.scan.defects`.
"""

from __future__ import annotations

import gzip
import logging
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from siil.run import files
from siil.scan import defects
from siil.scan.grid import TO_LPS, Grid, Volume, from_sitk, match_mask, to_sitk
from siil.scan.nifti import nib

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

logging.getLogger("nibabel.global").setLevel(logging.CRITICAL)  # what is wrong is said by siil.scan.defects, once
_DAMAGE = (EOFError, zlib.error, gzip.BadGzipFile, OSError, ValueError)


def read_grid(path: Path) -> Grid:
    """The grid of a NIfTI file from its header alone. Raises InputError as `read_image` does."""
    return _grid(_open(path), path)[0]


def read_volume(path: Path, *, foreign: bool = False) -> Volume:
    """Read a NIfTI file as it is (repaired header, stored dtype, scaling applied), whatever its voxels mean.

    foreign: not written here, so that the end of a compressed file is checked too, as `read_image` does.
    """
    image = _open(path)
    grid, notes = _grid(image, path)
    if foreign:
        _check_whole(path)
    try:
        array = np.asanyarray(image.dataobj).reshape(grid.shape[::-1]).T
    except _DAMAGE as error:
        raise defects.refusal("damaged", path, _reason(error)) from None
    return Volume(array, grid, tuple(notes))


def read_image(path: Path) -> Volume:
    """Read a CT as int16 HU.

    Raises:
        InputError: the file is missing, damaged, no NIfTI, not 3D, sheared, not finite, constant, or not in HU.
    """
    image = _open(path)
    grid, notes = _grid(image, path)
    _check_whole(path)
    array = _room(grid, np.int16, path)
    clipped = False
    for rows, block in _blocks(image, path, grid):
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
    image = _open(path)
    grid, notes = _grid(image, path)
    _check_whole(path)
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
    """Write a volume as NIfTI, atomically; the same volume gives the same bytes. 64-bit integers become 32-bit."""
    array = volume.array
    if array.dtype == bool:
        array = array.astype(np.uint8)
    elif array.dtype in (np.dtype(np.int64), np.dtype(np.uint64)):
        array = array.astype(np.int32)
    elif array.dtype == np.float16:
        array = array.astype(np.float32)
    affine = TO_LPS @ volume.grid.header
    image = nib.Nifti1Image(array.T, affine)
    image.set_qform(affine, code=1)
    image.set_sform(affine, code=1)
    image.header.set_xyzt_units("mm")
    with files.atomic(path) as temporary:
        nib.save(image, temporary)


def _open(path: Path) -> Any:
    path = Path(path)
    if not path.is_file():
        raise defects.refusal("missing", path, "a folder" if path.is_dir() else "nothing")
    if path.stat().st_size == 0:
        raise defects.refusal("empty", path, "0 bytes")
    if not path.name.lower().endswith((".nii", ".nii.gz")):
        raise defects.refusal("not_nifti", path, f"a file named {path.suffix or 'without suffix'}")
    try:
        with nib.openers.ImageOpener(str(path)) as stream:
            start = stream.read(540)
        image = nib.load(path, mmap=False, keep_file_open=True)
    except nib.filebasedimages.ImageFileError:
        raise defects.refusal("not_nifti", path, "something else") from None
    except (*_DAMAGE, nib.spatialimages.HeaderDataError) as error:
        raise defects.refusal("damaged", path, _reason(error)) from None
    if not isinstance(image, nib.Nifti1Image):  # Nifti2Image is a subclass
        raise defects.refusal("not_nifti", path, type(image).__name__)
    if image.get_data_dtype().kind not in "iufb":
        raise defects.refusal("colours", path, image.header.get_value_label("datatype"))
    _check_zooms(start, image, path)
    return image


def _room(grid: Grid, kind: type, path: Path) -> np.ndarray:
    try:
        return np.empty(grid.shape, kind)
    except MemoryError:
        z, y, x = grid.shape
        raise defects.refusal("too_large", path, f"{x}x{y}x{z} voxels, more than memory holds") from None


def _check_whole(path: Path) -> None:
    """nibabel stops at the last voxel: only at the end of the stream does gzip compare its checksum."""
    if not Path(path).name.lower().endswith(".gz"):
        return
    try:
        with gzip.open(path) as stream:
            while stream.read(1 << 24):
                pass
    except _DAMAGE as error:
        raise defects.refusal("damaged", path, _reason(error)) from None


def _check_zooms(start: bytes, image: Any, path: Path) -> None:
    """nibabel mends zero and negative spacings in silence; the header as stored says what came."""
    kind = type(image.header)
    raw = kind(start[: kind.template_dtype.itemsize], check=False)
    zooms = raw["pixdim"][1 : 1 + min(3, int(raw["dim"][0]))]
    if not (zooms > 0).all():
        raise defects.refusal("spacing", path, " x ".join(f"{value:.4g}" for value in zooms) + " mm")


def _grid(image: Any, path: Path) -> tuple[Grid, list[str]]:
    shape, notes = image.shape, []
    if len(shape) > 3 and all(length == 1 for length in shape[3:]):
        notes.append(defects.note("one_volume", f"{len(shape)} dimensions"))
        shape = shape[:3]
    if len(shape) != 3 or min(shape) < 2:
        raise defects.refusal("dimensions", path, "x".join(str(length) for length in image.shape))
    sform, qform = int(image.header["sform_code"]), int(image.header["qform_code"])
    if not sform and not qform:
        raise defects.refusal("no_orientation", path, "codes 0 and 0")
    spacing, cosines, repaired = defects.orthonormal(TO_LPS @ image.affine, path)
    notes += repaired
    ox, oy, oz = (TO_LPS @ image.affine)[:3, 3].tolist()
    x, y, z = (int(length) for length in shape)
    sx, sy, sz = spacing.tolist()
    stored = tuple((TO_LPS @ image.affine).ravel().tolist()) if repaired else None
    grid = Grid((z, y, x), (sz, sy, sx), (ox, oy, oz), tuple(cosines.ravel().tolist()), stored)
    if sform and qform:
        notes += _two_forms(image, grid)
    return grid, notes


def _two_forms(image: Any, grid: Grid) -> list[str]:
    far = np.array([*grid.shape[::-1], 1.0])
    try:
        apart = float(np.abs(image.header.get_qform() @ far - image.affine @ far).max())
    except (ValueError, nib.spatialimages.HeaderDataError):
        apart = np.inf
    return [defects.note("two_forms", f"corners {apart:.1f} mm apart")] if apart > 0.1 else []


def _blocks(image: Any, path: Path, grid: Grid) -> Iterator[tuple[slice, np.ndarray]]:
    """Slabs (slices of Z, array (z, Y, X) in HU or labels) so that no float copy of a whole volume is made."""
    proxy, (depth, height, width) = image.dataobj, grid.shape
    step = max(1, 4_000_000 // (height * width))
    slope, inter = float(proxy.slope), float(proxy.inter)
    whole = slope == 1 and inter == round(inter)
    try:
        raw = proxy.get_unscaled().reshape(width, height, depth) if proxy.dtype.kind in "iu" else None
        for start in range(0, depth, step):
            rows = slice(start, min(start + step, depth))
            if raw is None:
                block = np.asarray(proxy[(slice(None), slice(None), rows, *[0] * (len(proxy.shape) - 3))])
            elif whole and inter == 0:
                block = raw[:, :, rows]
            elif whole:
                block = raw[:, :, rows].astype(np.int32) + int(inter)
            else:
                block = raw[:, :, rows] * np.float32(slope) + np.float32(inter)
            yield rows, block.T
    except _DAMAGE as error:
        raise defects.refusal("damaged", path, _reason(error)) from None


def _reason(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())[:120]}"
