"""Label maps made by other tools: which file is which case, and the map in VerSe codes.

Used by `siil score` (`siil evaluate --pred DIR --gt DIR --codes NAME`), so that all methods are scored by the same
code; the tables are in `codes`. An endplate that a tool labels apart (SPINEPS) belongs to the vertebra that it touches.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from scipy import ndimage

from siil.anatomy import BY_CODE, BY_NAME
from siil.datasets.codes import HIGHEST, PLATE
from siil.datasets.layout import case_of, is_volume, stem
from siil.errors import DatasetError
from siil.scan import defects
from siil.scan.grid import Volume
from siil.scan.volume import read_volume

_STRUCTURE = re.compile(r"vertebrae_([CTL]\d+)")
_OTHER = re.compile(r"(_work|_raw|_first)$|_seg-spine|subreg")
_IMAGE = re.compile(r"_(ct|img|image|0000)$")
_PLATE_MM = 10.0
"""An endplate farther than this from every vertebra is background."""
_IMAGES = {"rawdata", "img", "volumes", "imagesTr", "imagesTs"}


def find(folder: Path) -> dict[str, tuple[Path, ...]]:
    """Case -> its label map in a folder of any depth, or its files of one structure each (TotalSegmentator).

    A case is the file's name without the ends that tools add (`_seg`, `_seg-vert_msk`, `_ct`, …). Folders of images,
    sub-region maps and this package's `_work`, `_raw` and `_first` are passed over, and `a_ct` where there is `a_seg`.

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
        if case in found and found[case][0].parent == path.parent:  # a scan beside its map
            if _IMAGE.search(stem(path.name)):
                continue
            if _IMAGE.search(stem(found[case][0].name)):
                del found[case]
        if case in found:
            raise DatasetError(f"{path}: expected one label map of {case}, got {found[case][0]} too; remove one")
        found[case] = (path,)
    for case, paths in structures.items():
        if found.setdefault(case, tuple(paths)) != tuple(paths):
            raise DatasetError(f"{paths[0].parent}: expected one label map of {case}, got {found[case][0]} too")
    if not found:
        raise DatasetError(f"{folder}: expected label maps (*.nii.gz), got none; check the path")
    return found


def _of_structures(folder: Path) -> str:
    return case_of(folder.parent.name if folder.name.lower() in ("segmentations", "segmentation") else folder.name)


def read(paths: Sequence[Path], codes: Mapping[int, int], *, expected: str = "codes") -> Volume:
    """A label map in VerSe codes (uint8), from one file or from one file per structure.

    expected: what siil.scan.defects calls a label that `codes` does not hold.

    Raises:
        InputError: what `siil.scan.volume.read_volume` refuses, fractions, or a label that the table does not hold.
    """
    if is_structure(paths[0]):
        return _joined(paths)
    volume = read_labels(paths[0])
    counts = sum(np.bincount(plane.ravel(), minlength=HIGHEST + 1) for plane in volume.array)
    present = np.flatnonzero(counts).tolist()
    strange = [label for label in present if label not in codes]
    if strange:
        raise defects.refusal(expected, paths[0], f"{strange[:8]}")
    turned = np.zeros(HIGHEST + 1, np.uint8)
    turned[present] = [codes[label] for label in present]
    array = turned[volume.array]
    if PLATE in turned:
        _settle_plates(array, volume.grid.spacing_mm)
    return replace(volume, array=array)


def is_structure(path: Path) -> bool:
    """Is this TotalSegmentator's file of one vertebra, whose name says which?"""
    return _STRUCTURE.fullmatch(stem(path.name)) is not None


def read_labels(path: Path) -> Volume:
    """A label map as stored (uint16), whatever its labels mean. Raises InputError for what are no labels."""
    volume = read_volume(path, foreign=True)
    low, high = float(volume.array.min()), float(volume.array.max())
    if not (low >= 0 and high <= HIGHEST):
        raise defects.refusal("codes", path, f"{low:g} to {high:g}")
    labels = (np.rint(volume.array) if volume.array.dtype.kind == "f" else volume.array).astype(np.uint16)
    if volume.array.dtype.kind == "f" and np.abs(labels - volume.array).max() > 1e-3:
        raise defects.refusal("fractions", path, "fractions")
    return replace(volume, array=labels)


def _settle_plates(array: np.ndarray, spacing_mm: tuple[float, float, float]) -> None:
    """Give each voxel of an endplate to the nearest vertebra, in place; far from any it becomes background."""
    box = ndimage.find_objects((array > 0).astype(np.uint8))[0]
    part = array[box]
    plates, bodies = part == PLATE, np.isin(part, list(BY_CODE))
    if not bodies.any():
        part[plates] = 0
        return
    far, nearest = ndimage.distance_transform_edt(~bodies, sampling=spacing_mm, return_indices=True)
    part[plates] = np.where(far[plates] <= _PLATE_MM, part[tuple(axis[plates] for axis in nearest)], 0)


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
