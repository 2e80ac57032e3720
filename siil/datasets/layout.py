"""What a reader of a release finds: scans with their masks, and how a file's name becomes a case id."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from siil.errors import InputError

SUFFIXES = (".nii.gz", ".nii")
_ENDS = re.compile(
    r"_(seg-vert_msk|mod-[a-z0-9]+|seg|dseg|msk|mask|labels?|ct|img|image|0000)$",
)
_MASK = re.compile(r"(^|[_.-])(seg|dseg|msk|mask|labels?)$")
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


def case_of(name: str) -> str:
    """`sub-a_mod-ct_seg-vert_msk.nii.gz`, `sub-a_0000.nii.gz` -> `sub-a`; dots as in case ids.

    What people and tools put behind a case's name is taken off: nnU-Net's channel, what kind of file it is.
    """
    case = stem(name)
    while (shorter := _ENDS.sub("", case)) != case:
        case = shorter
    return case.replace(".", "_")


def is_mask_name(name: str) -> bool:
    """Does the end of a file's name say that it is a label map?"""
    return _MASK.search(stem(name)) is not None


def check_name(found: Found) -> None:
    """Raise InputError for a scan whose file name makes no case id."""
    strange = re.sub(CASE, "", found.case)
    if strange or not found.case:
        raise InputError(
            f"{found.image}: expected a file name of letters A to Z, digits and . _ + - only, got "
            f"{strange[0] if strange else found.image.name!r}; rename the image and its mask"
        )
