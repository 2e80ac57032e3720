"""What a user points `siil predict` at: NIfTI, NRRD, MHA or MHD files, folders of them, DICOM series, zips.

Finds the scans; `siil.scan.reading` reads them and holds the guards. What an earlier `predict` wrote is no scan.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from siil.errors import InputError
from siil.scan import reading
from siil.scan.written import is_result

log = logging.getLogger(__name__)
_DCM2NIIX = re.compile(r"_(Eq|Tilt)_\d+$")


@dataclass(frozen=True, slots=True)
class Scan:
    """One scan to segment. name: stem of its outputs. dicom: a series (folder or zip) and not one file."""

    name: str
    path: Path
    dicom: bool


def find_scans(paths: Iterable[Path], *, refused: list[tuple[Path, InputError]] | None = None) -> list[Scan]:
    """All scans that `paths` name, in order.

    Args:
        paths: files, folders, series.
        refused: gets the paths that are no scan and why, so that they cost the others nothing; None: they raise.

    Raises:
        InputError: a path that is not there, is no scan, or two scans whose outputs would have one name.
    """
    scans: list[Scan] = []
    for path in paths:
        try:
            scans += _scans(Path(path))
        except InputError as error:
            if refused is None:
                raise
            refused.append((Path(path), error))
    seen: dict[str, Path] = {}
    for scan in scans:
        if scan.name in seen:
            raise InputError(
                f"{seen[scan.name]} and {scan.path} would both write {scan.name}_seg.nii.gz; "
                "predict them into different folders"
            )
        seen[scan.name] = scan.path
    return scans


def _scans(path: Path) -> list[Scan]:
    if path.is_dir():
        return _of_folder(path)
    if not path.is_file():
        raise InputError(f"{path}: no such file or folder; expected a scan: a file, a folder, or a DICOM series")
    return [_scan(path)]


def _scan(path: Path) -> Scan:
    name = path.resolve().name if path.is_dir() else path.name
    return Scan(reading.stem(name), path, dicom=reading.is_series(path))


def _of_folder(folder: Path) -> list[Scan]:
    """The files of a folder that are scans; else it is a DICOM series, beside which results may lie."""
    there = [item for item in folder.rglob("*") if item.is_file() and not item.name.startswith((".tmp-", "._", ".DS"))]
    here = [item for item in there if item.parent == folder]
    images = reading.scan_files(here)
    if images:
        _say_of_dcm2niix(images)
        dicom = sum(reading.is_dicom_file(item) for item in here if not is_result(item, here))
        if dicom:
            log.warning("%s: its %d DICOM files are left out beside %s", folder, dicom, images[0].name)
        return [_scan(item) for item in images]
    if not there:
        raise InputError(f"{folder}: the folder is empty; expected NIfTI files or a DICOM series")
    found = set(there)
    if all(is_result(item, found) for item in there):
        raise InputError(f"{folder}: expected scans, got nothing but results of an earlier predict; give their scans")
    return [_scan(folder)]


def _say_of_dcm2niix(images: Sequence[Path]) -> None:
    """Where dcm2niix wrote NAME_Eq_1 or NAME_Tilt_1, NAME itself has the wrong geometry."""
    stems = {reading.stem(item.name): item for item in images}
    for name, item in stems.items():
        plain = _DCM2NIIX.sub("", name)
        if plain != name and plain in stems:
            log.warning("%s: dcm2niix wrote %s beside it; its own geometry is wrong", stems[plain], item.name)
