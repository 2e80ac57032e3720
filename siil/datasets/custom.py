"""The user's own files: images and masks that belong together by their names, optional training.txt and so on.

    img/NAME.nii.gz, msk/NAME.nii.gz                the method's own layout
    imagesTr/NAME_0000.nii.gz, labelsTr/NAME.nii.gz  nnU-Net's
    NAME_ct.nii.gz, NAME_seg.nii.gz                  side by side, or in folders as they come
    rawdata/, derivatives/                           BIDS, as VerSe has it

Equal names come first; else what people put behind a name is taken off on both sides (`layout.case_of`). A folder is
never written to.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from siil.datasets import verse
from siil.datasets.layout import Found, case_id, case_of, is_mask_name, is_volume, stem
from siil.errors import DatasetError

log = logging.getLogger(__name__)
_LIST_FILES: Final = ("training.txt", "validation.txt", "testing.txt")
_IMAGES: Final = {"img", "image", "images", "imagestr", "imagests"}
_MASKS: Final = {"msk", "mask", "masks", "label", "labels", "labelstr", "labelsts"}
_NAMED: Final = 5


def find(paths: Sequence[Path]) -> list[Found]:
    """Scans of a user's folder, given by its files; every scan is its own patient unless its name starts with sub-.

    Raises:
        DatasetError: no scan of this layout, no image with its mask, two files for one case, or a list that names a
            scan that is not there.
    """
    if any("rawdata" in path.parts for path in paths):
        found = verse.find(paths, edition="")
        roots = {verse.root(path, "rawdata") for path in paths if "rawdata" in path.parts}
    else:
        images, masks = _sides(paths)
        found = _paired(images, masks)
        roots = {path.parent.parent if path.parent.name.lower() in _IMAGES else path.parent for path in images}
    if not found:
        raise DatasetError(
            f"{_place(paths)}: expected img/*.nii.gz and msk/*.nii.gz with equal names (or imagesTr/ and labelsTr/, "
            f"NAME_ct and NAME_seg, rawdata/ and derivatives/), got {_told(paths)}; name folders or files so"
        )
    lists = {path.stem: path for path in paths if path.parent in roots and path.name in _LIST_FILES}
    return _with_lists(found, lists) if lists else found


def _sides(paths: Sequence[Path]) -> tuple[list[Path], list[Path]]:
    """Images and masks: by the folder of at least one side, else by the end of the name."""
    volumes = [path for path in paths if is_volume(path)]
    images = [path for path in volumes if path.parent.name.lower() in _IMAGES]
    masks = [path for path in volumes if path.parent.name.lower() in _MASKS]
    if images or masks:
        rest = [path for path in volumes if path not in {*images, *masks}]
        return images or rest, masks or rest
    masks = [path for path in volumes if is_mask_name(path.name)]
    return ([path for path in volumes if path not in masks] if masks else []), masks


def _paired(images: list[Path], masks: list[Path]) -> list[Found]:
    by_name = {path.name: path for path in masks}
    left = [path for path in masks if path.name not in {image.name for image in images}]
    by_case = _once(left, "masks")
    _once([image for image in images if image.name not in by_name], "images")
    found = [_found(path, by_name.get(path.name) or by_case.get(case_of(path.name))) for path in images]
    alone = sorted(set(masks) - {item.mask for item in found if item.mask})
    bare = [item.image for item in found if item.mask is None]
    if images and masks and len(bare) == len(images):
        raise DatasetError(
            f"{_place(images + masks)}: no image has its mask: images {_names(bare)}; masks {_names(alone)}; "
            "give both the same name (or NAME_0000 and NAME, NAME_ct and NAME_seg)"
        )
    if alone:
        others = f"; images without a mask: {_names(bare)}" if bare else ""
        log.warning("masks without an image, left out: %s%s", _names(alone), others)
    return found


def _once(paths: Sequence[Path], side: str) -> dict[str, Path]:
    """Case -> its file. Raises DatasetError when two files are of one case."""
    found: dict[str, Path] = {}
    for path in paths:
        first = found.setdefault(case_of(path.name), path)
        if first != path:
            case = case_of(path.name)
            raise DatasetError(f"{path}: expected one of the {side} for {case}, got {first} too; remove one")
    return found


def _names(paths: Sequence[Path]) -> str:
    more = f" and {len(paths) - _NAMED} more" if len(paths) > _NAMED else ""
    return ", ".join(path.name for path in paths[:_NAMED]) + more


def _place(paths: Sequence[Path]) -> str:
    """The folder that holds all of them."""
    return os.path.commonpath([path.parent for path in paths]) if paths else "no file"


def _told(paths: Sequence[Path]) -> str:
    """The first volumes with their folders, or how many files there are instead."""
    volumes = ["/".join(path.parts[-2:]) for path in paths if is_volume(path)]
    return ", ".join(volumes[:_NAMED]) or f"{len(paths)} other files"


def _found(image: Path, mask: Path | None) -> Found:
    case = _case(image.name)
    patient = case.split("_")[0] if case.startswith("sub-") else case
    return Found(case, patient, "", "", image, mask, None)


def _case(name: str) -> str:
    return case_id(stem(name).removesuffix("_0000"))


def _with_lists(found: list[Found], lists: dict[str, Path]) -> list[Found]:
    known = {item.case for item in found}
    split: dict[str, str] = {}
    for which, path in sorted(lists.items()):
        for line in path.read_text(encoding="utf-8-sig").splitlines():
            if not line.strip():
                continue
            case = _case(line.strip().replace("\\", "/").split("/")[-1])
            if case not in known:
                raise DatasetError(f"{path}: {line.strip()} is not among the images; remove the line or add the image")
            if split.setdefault(case, which) != which:
                raise DatasetError(f"{path}: {stem(line.strip())} stands in {split[case]}.txt too; keep it in one list")
    return [replace(item, split=split.get(item.case, "")) for item in found]
