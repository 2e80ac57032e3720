"""The user's own files: img/ and msk/ with equal file names, optional training.txt, validation.txt, testing.txt.

A folder with rawdata/ and derivatives/ (BIDS, as VerSe has it) is read as such. Nothing is ever written into it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from siil.datasets import verse
from siil.datasets.layout import Found, case_id, is_volume, stem
from siil.errors import DatasetError

_LIST_FILES = ("training.txt", "validation.txt", "testing.txt")


def find(paths: Sequence[Path]) -> list[Found]:
    """Scans of a user's folder, given by its files; every scan is its own patient unless its name starts with sub-.

    Raises:
        DatasetError: no scan of this layout, or a list names a scan that is not there.
    """
    if any("rawdata" in path.parts for path in paths):
        found = verse.find(paths, edition="")
        roots = {verse.root(path, "rawdata") for path in paths if "rawdata" in path.parts}
    else:
        masks = {path.name: path for path in paths if path.parent.name == "msk" and is_volume(path)}
        images = [path for path in paths if path.parent.name == "img" and is_volume(path)]
        found = [_found(path, masks.get(path.name)) for path in images]
        roots = {path.parent.parent for path in images}
    if not found:
        raise DatasetError(
            "expected img/*.nii.gz and msk/*.nii.gz with equal names (or rawdata/ and derivatives/), got none among "
            f"{len(paths)} files"
        )
    lists = {path.stem: path for path in paths if path.parent in roots and path.name in _LIST_FILES}
    return _with_lists(found, lists) if lists else found


def _found(image: Path, mask: Path | None) -> Found:
    case = case_id(image.name)
    patient = case.split("_")[0] if case.startswith("sub-") else case
    return Found(case, patient, "", "", image, mask, None)


def _with_lists(found: list[Found], lists: dict[str, Path]) -> list[Found]:
    known = {item.case for item in found}
    split: dict[str, str] = {}
    for which, path in sorted(lists.items()):
        for line in path.read_text(encoding="utf-8-sig").splitlines():
            if not line.strip():
                continue
            case = case_id(line.strip().replace("\\", "/").split("/")[-1])
            if case not in known:
                raise DatasetError(f"{path}: {line.strip()} is not among the images; remove the line or add the image")
            if split.setdefault(case, which) != which:
                raise DatasetError(f"{path}: {stem(line.strip())} stands in {split[case]}.txt too; keep it in one list")
    return [replace(item, split=split.get(item.case, "")) for item in found]
