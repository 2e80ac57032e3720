"""What a reader of a release finds: scans with their masks, and how a file's name becomes a case id."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from siil.errors import InputError

SUFFIXES = (".nii.gz", ".nii")
CASE = r"[A-Za-z0-9_+-]+"
"""What a case id may be: it names files, and stands in lists and in the workflow's patterns."""


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


def check_name(found: Found) -> None:
    """Raise InputError for a scan whose file name makes no case id."""
    strange = re.sub(CASE, "", found.case)
    if strange or not found.case:
        raise InputError(
            f"{found.image}: expected a file name of letters A to Z, digits and . _ + - only, got "
            f"{strange[0] if strange else found.image.name!r}; rename the image and its mask"
        )
