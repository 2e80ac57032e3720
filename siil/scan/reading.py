"""A scan of any kind, told by what it holds: NIfTI, NRRD, MHA, MHD, a DICOM series as folder, or a zip of one of them.

Above `volume` (single files) and `dicom` (series). What `siil predict` wrote is no scan, wherever it lies.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePath
from typing import Final, TypeVar

from siil.errors import InputError
from siil.scan import archive, defects, dicom, itk_files, volume
from siil.scan.grid import Grid, Volume
from siil.scan.written import is_result

SUFFIXES: Final = (".nii.gz", ".nii", *itk_files.SUFFIXES)
Name = TypeVar("Name", bound=PurePath)


def read_scan(path: Path) -> Volume:
    """Read a scan as int16 HU, whatever `path` is. Raises InputError."""
    path = Path(path)
    if is_series(path):
        return dicom.read_series(path)
    with _file(path) as file:
        return volume.read_image(file)


def read_grid(path: Path) -> Grid | None:
    """The grid of a scan by its header alone; None for a DICOM series, which has none. Raises InputError."""
    path = Path(path)
    if is_series(path):
        return None
    with _file(path) as file:
        return volume.read_grid(file)


def is_series(path: Path) -> bool:
    """Is this a DICOM series: a folder, or a zip that holds no scan of another kind?"""
    return path.is_dir() or (_is_zip(path) and not scan_files(archive.names(path)))


def is_dicom_file(path: Path) -> bool:
    """Does the file begin as DICOM does?"""
    with path.open("rb") as stream:
        return stream.read(132)[128:] == b"DICM"


def scan_files(paths: Iterable[Name]) -> list[Name]:
    """Of these files the scans, by their names, sorted; hidden files and results of `siil predict` are left out."""
    there = set(paths)
    shown = [path for path in there if not path.name.startswith(".") and "__MACOSX" not in path.parts]
    return sorted(path for path in shown if path.name.lower().endswith(SUFFIXES) and not is_result(path, there))


def stem(name: str) -> str:
    """The name of a scan's file without the suffix of its format or of the zip."""
    for suffix in (*SUFFIXES, ".zip"):
        if name.lower().endswith(suffix):
            return name[: -len(suffix)]
    return name


def _is_zip(path: Path) -> bool:
    return path.suffix.lower() == ".zip"


@contextmanager
def _file(path: Path) -> Iterator[Path]:
    """The file itself, or the one scan of a zip, which exists inside the block only."""
    if not _is_zip(path):
        yield path
        return
    if not path.is_file():
        raise defects.refusal("missing", path, "nothing")
    inside = scan_files(archive.names(path))
    if len(inside) > 1:
        told = ", ".join(item.name for item in inside[:5])
        raise InputError(f"{path}: expected one scan in a zip, got {len(inside)} ({told}); unpack it, give the folder")
    with tempfile.TemporaryDirectory() as place:
        unpacked = Path(place) / "scan"
        archive.unpack(path, unpacked)
        try:
            yield unpacked / inside[0]
        except InputError as error:
            raise InputError(str(error).replace(str(unpacked), str(path))) from None
