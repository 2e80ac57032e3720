"""NRRD, MHA and MHD, which SimpleITK reads: the same guards as for NIfTI, the result is written as NIfTI.

Called by `volume`. SimpleITK makes up what a header does not say (1 mm, axes along the patient's) and reads the voxels
from whatever file of the disk a header names; both are checked here before it reads.
"""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Final

import numpy as np
import SimpleITK as sitk

from siil.scan import defects
from siil.scan.grid import Grid
from siil.scan.nifti_header import SQUEEZED

SUFFIXES: Final = (".nrrd", ".nhdr", ".mha", ".mhd")
_HEADER_BYTES: Final = 1 << 16
_COUNTS: Final = (
    *(("dimsize", 1), ("elementspacing", 1), ("elementsize", 1), ("offset", 1), ("position", 1), ("origin", 1)),
    *(("centerofrotation", 1), ("transformmatrix", 2), ("rotation", 2), ("orientation", 2)),
)
"""Keys of MetaImage with a value per dimension, or per pair of them."""


def is_itk(path: Path) -> bool:
    """Is the file NRRD or MetaImage, by its name or its first bytes?"""
    path = Path(path)
    if path.name.lower().endswith(SUFFIXES):
        return True
    if not path.is_file():
        return False
    with path.open("rb") as stream:
        start = stream.read(16)
    return start[:4] == b"NRRD" or start.replace(b" ", b"").startswith(b"ObjectType=")


def read_grid(path: Path) -> tuple[Grid, list[str]]:
    """The grid from the header alone, and notes on what was mended. Raises InputError."""
    reader = _open(path)
    size, spacing = reader.GetSize(), np.array(reader.GetSpacing())
    count, notes = len(size), []
    if count > 3 and all(length == 1 for length in size[3:]):
        notes.append(defects.note("one_volume", f"{count} dimensions"))
    if count < 3 or any(length != 1 for length in size[3:]) or min(size[:3]) < 2:
        raise defects.refusal("dimensions", path, "x".join(str(length) for length in size))
    _check_placed(path)
    matrix = np.eye(4)
    matrix[:3, :3] = np.reshape(reader.GetDirection(), (count, count))[:3, :3] * spacing[:3]
    matrix[:3, 3] = reader.GetOrigin()[:3]
    spacing_mm, cosines, repaired = defects.orthonormal(matrix, path)
    sx, sy, sz = spacing_mm.tolist()
    ox, oy, oz = matrix[:3, 3].tolist()
    x, y, z = size[:3]
    return Grid((z, y, x), (sz, sy, sx), (ox, oy, oz), tuple(cosines.ravel().tolist())), [*notes, *repaired]


def read_voxels(path: Path) -> np.ndarray:
    """The voxels (Z, Y, X) as stored, after `read_grid` found nothing wrong. Raises InputError."""
    reader = _open(path)
    try:
        array = sitk.GetArrayFromImage(reader.Execute())
    except (RuntimeError, MemoryError) as error:
        raise defects.refusal("damaged", path, _said(error)) from None
    return array.reshape(array.shape[-3:])


def _open(path: Path) -> sitk.ImageFileReader:
    path = Path(path)
    if not path.is_file():
        raise defects.refusal("missing", path, "a folder" if path.is_dir() else "nothing")
    if path.stat().st_size == 0:
        raise defects.refusal("empty", path, "0 bytes")
    _check_numbers(path)
    data = _voxels_of(path)
    reader = sitk.ImageFileReader()
    reader.SetImageIO("NrrdImageIO" if _header(path)[0] else "MetaImageIO")
    reader.SetFileName(str(path))
    try:
        reader.ReadImageInformation()
    except RuntimeError as error:
        word = "spacing" if "change spacing" in str(error) else "damaged"
        raise defects.refusal(word, path, _said(error)) from None
    kind = sitk.GetPixelIDValueAsString(reader.GetPixelID())
    if reader.GetNumberOfComponents() != 1 or "complex" in kind or "vector" in kind:
        raise defects.refusal("colours", path, kind)
    needed = float(np.prod([float(length) for length in reader.GetSize()])) * _bytes_per_voxel(reader)
    if needed > SQUEEZED * data.stat().st_size:
        raise defects.refusal("damaged", path, f"{data.stat().st_size} bytes for {needed:.3g} bytes of voxels")
    return reader


def _bytes_per_voxel(reader: sitk.ImageFileReader) -> int:
    return sitk.Image([1, 1, 1], reader.GetPixelID()).GetSizeOfPixelComponent()


def _check_placed(path: Path) -> None:
    """Refuse a header that does not say where the voxels lie: SimpleITK would make it up."""
    nrrd, fields = _header(path)
    if nrrd and (not fields.get("space") or "space directions" not in fields):
        raise defects.refusal("no_orientation", path, "an NRRD without space and space directions")
    if not nrrd and not {"elementspacing", "elementsize"} & fields.keys():
        raise defects.refusal("spacing", path, "a header without ElementSpacing")
    if not nrrd and not {"transformmatrix", "rotation", "orientation"} & fields.keys():
        raise defects.refusal("no_orientation", path, "a header without TransformMatrix")


def _check_numbers(path: Path) -> None:
    """Refuse counts that do not fit each other: ITK's reader of MetaImage ends the process over some of them."""
    nrrd, fields = _header(path)
    count = _integer(fields.get("dimension" if nrrd else "ndims", ""))
    if not 2 <= count <= 9:
        raise defects.refusal("damaged", path, f"a header of {count} dimensions")
    for name, expected in () if nrrd else _COUNTS:
        values = fields.get(name, "").split()
        if name in fields and (len(values) != count**expected or not all(_is_number(value) for value in values)):
            raise defects.refusal("damaged", path, f"{name} = {fields[name][:40]} for {count} dimensions")
    if not 1 <= _integer(fields.get("elementnumberofchannels", "1")) <= 4096:
        raise defects.refusal("damaged", path, "ElementNumberOfChannels out of range")


def _integer(text: str) -> int:
    return int(text) if re.fullmatch(r"\d{1,6}", text) else -1


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


def _voxels_of(path: Path) -> Path:
    """The file that holds the voxels. Refuses one that is not there or lies outside the header's folder."""
    nrrd, fields = _header(path)
    data = (fields.get("data file") or fields.get("datafile")) if nrrd else fields.get("elementdatafile")
    if not data or data.upper() == "LOCAL":
        return path
    place = path.parent / data
    if not place.is_file():
        raise defects.refusal("missing", path, f"a header whose voxels ({data[:60]}) are not there")
    if not place.resolve().is_relative_to(path.parent.resolve()):
        raise defects.refusal("damaged", path, f"a header whose voxels lie outside its folder ({data[:60]})")
    return place


def _header(path: Path) -> tuple[bool, dict[str, str]]:
    """Is it NRRD, and the fields of its text header by their lower-case names."""
    with path.open("rb") as stream:
        start = stream.read(_HEADER_BYTES)
    nrrd = start.startswith(b"NRRD")
    return nrrd, _fields(start, b":", b"") if nrrd else _fields(start, b"=", b"elementdatafile")


def _fields(start: bytes, sign: bytes, last: bytes) -> dict[str, str]:
    """Lower-case key -> value of a text header, up to the empty line or the key `last`."""
    found: dict[str, str] = {}
    for line in start.splitlines():
        key, there, value = line.partition(sign)
        if not line.strip() and sign == b":":
            break
        if there and not line.startswith(b"#"):
            name = key.strip().lower()
            if name.decode("latin-1") in found:
                found["ndims"] = found["dimension"] = "twice"  # which of the two a reader takes is not known
                break
            found[name.decode("latin-1")] = value.strip(b" =\t").decode("latin-1")
            if name == last:
                break
    return found


def _said(error: Exception) -> str:
    """The last line of what ITK says, which is the one with the reason."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {(lines or ['nothing said'])[-1][:120]}"
