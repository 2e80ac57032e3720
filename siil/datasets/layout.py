"""What a reader of a release finds: scans with their masks, and how a file's name becomes a case id."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

SUFFIXES = (".nii.gz", ".nii")


@dataclass(frozen=True, slots=True)
class Found:
    """One scan in a release, before any file is opened. `edition` and `split` may be empty."""

    case: str
    patient: str
    edition: str
    split: str
    image: Path
    mask: Path | None
    centroids: Path | None


def is_volume(path: Path) -> bool:
    """Does the file's name say NIfTI?"""
    return path.name.endswith(SUFFIXES)


def stem(name: str) -> str:
    """File name without .nii or .nii.gz; other dots stay."""
    for suffix in SUFFIXES:
        if name.endswith(suffix):
            return name.removesuffix(suffix)
    return name


def case_id(name: str) -> str:
    """The whole stem before `_ct`, dots made underscores: 1.3.6.nii.gz is 1_3_6, sub-a_dir-ax_ct.nii is sub-a_dir-ax"""
    return stem(name).removesuffix("_ct").replace(".", "_")
