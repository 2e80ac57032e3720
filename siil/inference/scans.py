"""What a user points `siil predict` at: NIfTI files, folders of them, DICOM series as folder or zip.

Finds the scans and reads them; never writes to their folders. siil.scan.volume and siil.scan.dicom hold the guards.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from siil.errors import InputError

_NIFTI = (".nii", ".nii.gz")


@dataclass(frozen=True, slots=True)
class Scan:
    """One scan to segment. name: stem of its outputs. dicom: a series (folder or zip) and not a NIfTI file."""

    name: str
    path: Path
    dicom: bool


def find_scans(paths: Iterable[Path]) -> list[Scan]:
    """All scans that `paths` name, in order.

    Raises:
        InputError: a path that is not there, is no scan, or two scans whose outputs would have one name.
    """
    scans = [scan for path in paths for scan in _scans(Path(path))]
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
        images = sorted(item for item in path.iterdir() if item.is_file() and is_nifti(item))
        inside = [item for item in images if not _is_result(item)]
        if images and not inside:
            raise InputError(f"{path}: expected scans, got nothing but results of an earlier predict; give their scans")
        if inside:
            return [Scan(_stem(item), item, dicom=False) for item in inside]
        if not any(path.iterdir()):
            raise InputError(f"{path}: the folder is empty; expected NIfTI files or a DICOM series")
        return [Scan(_stem(path.resolve()), path, dicom=True)]
    if not path.is_file():
        raise InputError(f"{path}: no such file or folder; expected a NIfTI file, a folder, or a DICOM series")
    if path.suffix.lower() == ".zip":
        return [Scan(_stem(path), path, dicom=True)]
    return [Scan(_stem(path), path, dicom=False)]


def is_nifti(path: Path) -> bool:
    """By its name; hidden files are left out."""
    return path.name.lower().endswith(_NIFTI) and not path.name.startswith(".")


def _is_result(path: Path) -> bool:
    """Did an earlier `predict` write it? Then its _scan.json lies beside it."""
    name = path.name
    return name.endswith("_seg.nii.gz") and path.with_name(f"{name.removesuffix('_seg.nii.gz')}_scan.json").is_file()


def _stem(path: Path) -> str:
    name = path.name
    for suffix in (".nii.gz", ".nii", ".zip"):
        if name.lower().endswith(suffix):
            return name[: -len(suffix)]
    return name
