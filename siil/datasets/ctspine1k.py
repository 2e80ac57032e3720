"""CTSpine1K as hosted on the Hugging Face hub.

    raw_data/volumes/{COLONOG,COVID-19,HNSCC-3DCT-RT,MSD-T10}/{name}.nii.gz
    raw_data/labels/{the same}/{name}_seg.nii.gz
    metadata/data_split.txt    trainset, test_public, test_private; Windows line ends

Names hold dots (1.3.6.1.4.1.9328.50.4.0001), which become underscores in case ids. `test_public` is the validation list
and `test_private` the testing list. Vertebrae cut by the border are labelled here, in VerSe they are not.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from siil.datasets.layout import Found, case_id, is_volume, stem
from siil.errors import DatasetError

COUNTS = {"training": 610, "validation": 197, "testing": 198}
_SECTIONS = {"trainset": "training", "test_public": "validation", "test_private": "testing"}


def is_wanted(path: Path) -> bool:
    """Is this file of the repository (relative path) used? The Arrow form, which is ten times the size, is not."""
    return (path.parts[0] == "raw_data" and is_volume(path)) or path.name == "data_split.txt"


def find(paths: Sequence[Path]) -> list[Found]:
    """Scans in a CTSpine1K tree, given by its files.

    Raises:
        DatasetError: no scan of this layout, or no metadata/data_split.txt.
    """
    split_file = next((path for path in paths if path.name == "data_split.txt"), None)
    if split_file is None:
        raise DatasetError("CTSpine1K: expected metadata/data_split.txt, got nothing; run the fetch step again")
    splits = read_split(split_file)
    labels = {(path.parent.name, stem(path.name)): path for path in paths if "labels" in path.parts and is_volume(path)}
    found = []
    for path in paths:
        if not ("volumes" in path.parts and is_volume(path)):
            continue
        name = stem(path.name)
        mask = labels.get((path.parent.name, f"{name}_seg"))
        found.append(Found(case_id(path.name), _patient(path), "ctspine1k", splits.get(name, ""), path, mask, None))
    if not found:
        raise DatasetError(f"CTSpine1K: expected raw_data/volumes/*/*.nii.gz among {len(paths)} files, got none")
    return found


def read_split(path: Path) -> dict[str, str]:
    """Name of a scan (without .nii.gz) -> training, validation or testing. Raises DatasetError for a strange file."""
    splits: dict[str, str] = {}
    section = ""
    for line in path.read_text(encoding="utf-8-sig").splitlines():
        word = line.strip().rstrip(":")
        if word in _SECTIONS:
            section = _SECTIONS[word]
        elif word:
            if not section:
                raise DatasetError(f"{path}: expected trainset:, test_public: or test_private: first, got {word[:60]}")
            splits[stem(word)] = section
    return splits


def _patient(path: Path) -> str:
    """One scan is one patient, as far as the release says; a COVID-19 name may end in the number of the series."""
    name = case_id(path.name)
    return re.sub(r"^(volume-covid19-A-\d+)_\d+$", r"\1", name)
