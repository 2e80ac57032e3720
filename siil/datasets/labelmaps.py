"""Label maps made by other tools: their codes, and which file is which case.

Used by `siil score` (`siil evaluate --pred DIR --gt DIR --codes NAME`), so that rivals are compared by one code. What
another tool labels beside vertebrae becomes background; a label that its table does not hold is refused, because then
the map is of another tool. Sources of the codes:

    verse             VerSe's README (anjany/verse)
    totalsegmentator  class map `total` of version 2 (totalsegmentator/map_to_binary.py); a file or one per structure
    spineps           vertebrae as in VerSe; ribs + 32, discs + 100 and endplates + 200 (SPINEPS README, TPTBox). An
                      endplate is part of its vertebra, as in VerSe's masks
    nnunet            nnU-Net wants consecutive labels: VerSe's, T13 after L6; or a `dataset.json` with names
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from siil.anatomy import BY_CODE, BY_NAME, IGNORED_CODES, SACRUM_CODE
from siil.datasets.layout import is_volume, stem
from siil.errors import ConfigError, DatasetError
from siil.scan import defects
from siil.scan.grid import Volume
from siil.scan.volume import read_volume

CODES = ("verse", "totalsegmentator", "spineps", "nnunet")
_STRUCTURE = re.compile(r"vertebrae_([CTL]\d+)")
_ENDS = re.compile(r"(_seg-vert_msk|_mod-[a-z0-9]+|_seg|_msk|_mask|_label|_ct|_0000)$")
_OTHER = re.compile(r"(_work|_raw)$|_seg-spine|subreg")
_HIGHEST = 999
_IMAGES = {"rawdata", "img", "volumes", "imagesTr", "imagesTs"}


def table(codes: str) -> dict[int, int]:
    """Label of a tool -> VerSe code, 0 for what is no vertebra.

    Raises:
        ConfigError: neither a name of `CODES` nor a `dataset.json` whose labels have the names of vertebrae.
    """
    verse = {0: 0, **{code: code for code in (*BY_CODE, *IGNORED_CODES)}}
    if codes == "verse":
        return verse
    if codes == "totalsegmentator":
        names = [f"L{n}" for n in range(5, 0, -1)] + [f"T{n}" for n in range(12, 0, -1)]
        names += [f"C{n}" for n in range(7, 0, -1)]
        others = dict.fromkeys(range(118), 0) | {25: SACRUM_CODE, 26: SACRUM_CODE}
        return others | {27 + place: BY_NAME[name].code for place, name in enumerate(names)}
    if codes == "spineps":
        ribs_and_discs = dict.fromkeys([*range(33, 61), *range(100, 135)], 0)
        return verse | ribs_and_discs | {200 + code: code for code in verse}
    if codes == "nnunet":
        return {**{code: code for code in range(26)}, 26: BY_NAME["T13"].code}
    return _named(Path(codes))


def _named(path: Path) -> dict[int, int]:
    """From nnU-Net's dataset.json: {"labels": {"C1": 1, ...}}, or the other way round as in its first version."""
    try:
        labels = json.loads(path.read_text(encoding="utf-8"))["labels"]
        pairs = [(key, value) if str(value).isdigit() else (value, key) for key, value in labels.items()]
        made = {int(value): BY_NAME[name].code if name in BY_NAME else 0 for name, value in pairs}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise ConfigError(
            f"--codes {path}: expected one of {', '.join(CODES)} or nnU-Net's dataset.json, got something else"
        ) from None
    if not any(made.values()):
        raise ConfigError(f"--codes {path}: expected labels with names C1 to L6, got {', '.join(labels)[:80]}")
    return made


def find(folder: Path) -> dict[str, tuple[Path, ...]]:
    """Case -> its label map in a folder of any depth, or its files of one structure each (TotalSegmentator).

    A case is the file's name without the ends that tools add (`_seg`, `_seg-vert_msk`, `_ct`, …). Folders of images,
    sub-region maps and this package's `_work` and `_raw` are passed over, and `a_ct` where there is `a_seg`.

    Raises:
        DatasetError: no such folder, no label map, or two for one case.
    """
    if not folder.is_dir():
        raise DatasetError(f"{folder}: expected a folder of label maps, got nothing; check the path")
    found: dict[str, tuple[Path, ...]] = {}
    structures: dict[str, list[Path]] = {}
    single = {path.parent for path in folder.rglob("vertebrae_*.nii*")}
    for path in sorted(folder.rglob("*")):
        inside = path.relative_to(folder)
        if not is_volume(path) or _IMAGES & set(inside.parts) or any(part.startswith(".") for part in inside.parts):
            continue
        if path.parent in single:
            if _STRUCTURE.fullmatch(stem(path.name)):
                structures.setdefault(_of_structures(path.parent), []).append(path)
            continue
        if _OTHER.search(stem(path.name)):
            continue
        case = case_of(path.name)
        if case in found and found[case][0].parent == path.parent and _is_ct(found[case][0]):
            del found[case]  # the scan itself, which came first
        if case in found:
            raise DatasetError(f"{path}: expected one label map of {case}, got {found[case][0]} too; remove one")
        found[case] = (path,)
    for case, paths in structures.items():
        if found.setdefault(case, tuple(paths)) != tuple(paths):
            raise DatasetError(f"{paths[0].parent}: expected one label map of {case}, got {found[case][0]} too")
    if not found:
        raise DatasetError(f"{folder}: expected label maps (*.nii.gz), got none; check the path")
    return found


def _is_ct(path: Path) -> bool:
    return stem(path.name).endswith("_ct")


def _of_structures(folder: Path) -> str:
    return case_of(folder.parent.name if folder.name.lower() in ("segmentations", "segmentation") else folder.name)


def case_of(name: str) -> str:
    """`sub-a_mod-ct_seg-vert_msk.nii.gz`, `sub-a_0000.nii.gz` -> `sub-a`; dots as in case ids."""
    case = stem(name)
    while (shorter := _ENDS.sub("", case)) != case:
        case = shorter
    return case.replace(".", "_")


def read(paths: Sequence[Path], codes: Mapping[int, int]) -> Volume:
    """A label map in VerSe codes (uint8), from one file or from one file per structure.

    Raises:
        InputError: what `siil.scan.volume.read_volume` refuses, fractions, or a label that the table does not hold.
    """
    if _STRUCTURE.fullmatch(stem(paths[0].name)):
        return _joined(paths)
    volume = read_volume(paths[0], foreign=True)
    low, high = float(volume.array.min()), float(volume.array.max())
    if not (low >= 0 and high <= _HIGHEST):
        raise defects.refusal("codes", paths[0], f"{low:g} to {high:g}")
    labels = (np.rint(volume.array) if volume.array.dtype.kind == "f" else volume.array).astype(np.uint16)
    if volume.array.dtype.kind == "f" and np.abs(labels - volume.array).max() > 1e-3:
        raise defects.refusal("fractions", paths[0], "fractions")
    counts = sum(np.bincount(plane.ravel(), minlength=_HIGHEST + 1) for plane in labels)
    present = np.flatnonzero(counts).tolist()
    strange = [label for label in present if label not in codes]
    if strange:
        raise defects.refusal("codes", paths[0], f"{strange[:8]}")
    turned = np.zeros(_HIGHEST + 1, np.uint8)
    turned[present] = [codes[label] for label in present]
    return replace(volume, array=turned[labels])


def _joined(paths: Sequence[Path]) -> Volume:
    first = read_volume(paths[0])
    array = np.zeros(first.grid.shape, np.uint8)
    for path in paths:
        one, name = read_volume(path, foreign=True), _STRUCTURE.fullmatch(stem(path.name))
        if one.grid.shape != first.grid.shape:
            raise defects.refusal("mask_grid", path, f"{one.grid.shape} beside {first.grid.shape} voxels")
        if name and name[1] in BY_NAME:
            array[one.array > 0] = BY_NAME[name[1]].code
    return replace(first, array=array)
