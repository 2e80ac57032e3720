"""NIfTI files opened by their content, and the grid that a header describes.

Between `nifti` (the library) and `volume` (voxels). The name of a file decides nothing: a plain file called .nii.gz and
a compressed one called .nii are what they are. What is wrong with a header is decided in `siil.scan.defects`.
"""

from __future__ import annotations

import gzip
import logging
import weakref
import zlib
from pathlib import Path
from typing import Any, Final

import numpy as np

from siil.scan import defects
from siil.scan.archive import PACKED
from siil.scan.grid import TO_LPS, Forms, Grid
from siil.scan.kinds import kind_of
from siil.scan.nifti import nib

logging.getLogger("nibabel.global").setLevel(logging.CRITICAL)  # what is wrong is said by siil.scan.defects, once
DAMAGE: Final = (EOFError, zlib.error, gzip.BadGzipFile, OSError, ValueError, OverflowError)
_HEADERS: Final = {b"n+1\0": nib.Nifti1Image, b"n+2\0": nib.Nifti2Image}
_MAGIC: Final = {348: slice(344, 348), 540: slice(4, 8)}
_GZIP: Final = b"\x1f\x8b"
SQUEEZED: Final = 1100
"""Deflate never shrinks data by more than this factor."""


def is_gzip(path: Path) -> bool:
    """Is the file compressed, whatever its name says?"""
    with Path(path).open("rb") as stream:
        return stream.read(2) == _GZIP


def open_image(path: Path) -> Any:
    """A NIfTI-1 or NIfTI-2 image of nibabel, its voxels not read yet. Raises InputError for anything else."""
    path = Path(path)
    if not path.is_file():
        raise defects.refusal("missing", path, "a folder" if path.is_dir() else "nothing")
    if path.stat().st_size == 0:
        raise defects.refusal("empty", path, "0 bytes")
    stream: Any = (gzip.open if is_gzip(path) else open)(path, "rb")  # closed with the image
    try:
        start = stream.read(540)
        kind = _kind(start)
        if kind is None and start[128:132] == b"DICM":
            raise defects.refusal("one_slice", path, "one DICOM file")
        if kind is None:
            raise defects.refusal(*_other(start, path))
        stream.seek(0)
        image = kind.from_file_map(kind.make_file_map({"image": stream, "header": stream}), mmap=False)
        weakref.finalize(image, stream.close)
    except (*DAMAGE, nib.spatialimages.HeaderDataError, nib.wrapstruct.WrapStructError) as error:
        stream.close()
        raise defects.refusal("damaged", path, reason(error)) from None
    except BaseException:
        stream.close()
        raise
    if image.get_data_dtype().kind not in "iufb":
        raise defects.refusal("colours", path, image.header.get_value_label("datatype"))
    _check_zooms(start, image, path)
    _check_size(image, path)
    return image


def check_end(image: Any, path: Path) -> None:
    """Read a compressed file to its end, where gzip compares its checksum; nibabel stops at the last voxel.

    image: of `open_image`, its voxels read. Raises InputError where the file is damaged.
    """
    if not is_gzip(path):
        return
    stream = image.file_map["image"].fileobj
    try:
        while stream.read(1 << 24):
            pass
    except DAMAGE as error:
        raise defects.refusal("damaged", path, reason(error)) from None


def grid_of(image: Any, path: Path) -> tuple[Grid, list[str]]:
    """The grid that the header describes, and notes on what was mended. Raises InputError."""
    shape, notes = image.shape, []
    if len(shape) > 3 and all(length == 1 for length in shape[3:]):
        notes.append(defects.note("one_volume", f"{len(shape)} dimensions"))
        shape = shape[:3]
    if len(shape) != 3 or min(shape) < 2:
        raise defects.refusal("dimensions", path, "x".join(str(length) for length in image.shape))
    sform, qform = int(image.header["sform_code"]), int(image.header["qform_code"])
    if not sform and not qform:
        raise defects.refusal("no_orientation", path, "no qform and no sform (codes 0, or unknown ones)")
    spacing, cosines, repaired = defects.orthonormal(TO_LPS @ image.affine, path)
    notes += repaired
    ox, oy, oz = (TO_LPS @ image.affine)[:3, 3].tolist()
    x, y, z = (int(length) for length in shape)
    sx, sy, sz = spacing.tolist()
    forms = _forms(image.header)
    grid = Grid((z, y, x), (sz, sy, sx), (ox, oy, oz), tuple(cosines.ravel().tolist()), forms)
    if sform and qform:
        notes += _two_forms(image, grid)
    return grid, notes


def reason(error: Exception) -> str:
    """An error of a library in one short line."""
    return f"{type(error).__name__}: {' '.join(str(error).split())[:120]}"


def put_forms(header: Any, forms: Forms) -> None:
    """Write what places the voxels into a header, field by field, as the scan has it."""
    header["qform_code"], header["sform_code"] = forms.codes
    header["xyzt_units"] = forms.units
    header["pixdim"][:4] = forms.pixdim
    for name, value in zip(_Q, forms.qform, strict=True):
        header[name] = value
    for name, row in zip(_S, np.reshape(forms.sform, (3, 4)), strict=True):
        header[name] = row


_Q: Final = ("quatern_b", "quatern_c", "quatern_d", "qoffset_x", "qoffset_y", "qoffset_z")
_S: Final = ("srow_x", "srow_y", "srow_z")


def _forms(header: Any) -> Forms:
    """The forms of a header. A matrix with numbers that are not finite is not in use: it gets code 0 and zeros."""
    qform = np.array([float(header[name]) for name in _Q])
    sform = np.concatenate([np.asarray(header[name], float) for name in _S])
    pixdim = np.asarray(header["pixdim"][:4], float)
    codes = [int(header["qform_code"]), int(header["sform_code"])]
    for place, values in enumerate((qform, sform)):
        if not np.isfinite(values).all():
            values[:], codes[place] = 0.0, 0
    units = int(header["xyzt_units"]) & 0b111
    qfac = -1.0 if pixdim[0] < 0 else 1.0
    return Forms(
        (codes[0], codes[1]), units, (qfac, *pixdim[1:].tolist()), tuple(qform.tolist()), tuple(sform.tolist())
    )


def _kind(start: bytes) -> Any:
    for order in ("little", "big"):
        place = _MAGIC.get(int.from_bytes(start[:4], order))  # type: ignore[arg-type]
        if place is not None:
            return _HEADERS.get(start[place])
    return None


def _other(start: bytes, path: Path) -> tuple[str, Path, str]:
    """The refusal of what is no NIfTI."""
    name = path.name.lower()
    if name.endswith(PACKED) and not name.endswith(".nii.gz"):
        return "packed", path, f"a file named {path.suffix}"
    words, code = kind_of(start, path.name)
    return code, path, words


def _check_zooms(start: bytes, image: Any, path: Path) -> None:
    """nibabel mends zero and negative spacings in silence; the header as stored says what came."""
    kind = type(image.header)
    raw = kind(start[: kind.template_dtype.itemsize], check=False)
    zooms = raw["pixdim"][1 : 1 + min(3, int(raw["dim"][0]))]
    if not (zooms > 0).all():
        raise defects.refusal("spacing", path, " x ".join(f"{value:.4g}" for value in zooms) + " mm")


def _check_size(image: Any, path: Path) -> None:
    """A header may promise more voxels than the file can hold: nibabel would make room for all of them."""
    needed = float(np.prod([float(length) for length in image.shape])) * image.get_data_dtype().itemsize
    held = path.stat().st_size * (SQUEEZED if is_gzip(path) else 1)
    if needed > held:
        raise defects.refusal("damaged", path, f"{path.stat().st_size} bytes for {needed:.3g} bytes of voxels")


def _two_forms(image: Any, grid: Grid) -> list[str]:
    far = np.array([*grid.shape[::-1], 1.0])
    try:
        apart = float(np.abs(image.header.get_qform() @ far - image.affine @ far).max())
    except (ValueError, nib.spatialimages.HeaderDataError):
        apart = np.inf
    return [defects.note("two_forms", f"corners {apart:.1f} mm apart")] if apart > 0.1 else []
