"""Lessons of the second look: crops of labelled scans with the first look's maps and the truth, made once and kept.

A lesson belongs to an instance of the first look, whatever it was named: "this" is the vertebra of the truth that the
instance overlaps most, every other vertebra of the truth is "another". An instance that lies on no vertebra teaches
nothing, nor does the lesser of two on one vertebra. Between thick slices nobody drew a border: where two slices differ,
only the voxels at their centres teach. One compressed file holds the lessons of a case.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from siil.anatomy import BY_CODE, UNLABELLED
from siil.inference.crops import Crop, image_on
from siil.model.second_look import ANOTHER, NONE, THIS
from siil.run import files
from siil.scan.geometry import lps_axes, lps_grid
from siil.scan.grid import Grid, Volume, part_around

LEAST_SHARE: Final = 0.2
"""Share of the instance's volume that must lie on its vertebra."""
THICK: Final = 1.5
"""Slices longer than this many voxels of the crop are thick."""
_WHOLE: Final = 1000
"""Value of a label's voxels when they are resampled as int16, which has no fractions for the shares."""


@dataclass(frozen=True, slots=True)
class Lesson:
    """A crop with its truth, all [Z, Y, X].

    image: int16 HU. own, others: uint8 soft maps, 255 is certain. truth: uint8 NONE, THIS, ANOTHER or UNLABELLED.
    """

    image: np.ndarray
    own: np.ndarray
    others: np.ndarray
    truth: np.ndarray


def make_lessons(crops: Iterable[Crop], mask: Volume) -> Iterator[Lesson]:
    """The lessons of a scan.

    Args:
        crops: of the scan (siil.inference.crops).
        mask: uint8 VerSe codes on the scan's own grid; UNLABELLED where nobody annotated.
    """
    best: dict[int, float] = {}
    made: dict[int, Lesson] = {}
    for crop in crops:
        there = shares_on(crop, mask)
        own = crop.own.astype(np.float32) / 255
        overlap = {code: float((own * share).sum()) for code, share in there.items() if code in BY_CODE}
        if not overlap:
            continue
        code = max(overlap, key=lambda one: overlap[one])
        if overlap[code] < LEAST_SHARE * own.sum() or overlap[code] <= best.get(code, 0.0):
            continue
        best[code] = overlap[code]
        truth = truth_of(code, there, crop.image.shape)
        for axis in thick_axes(mask.grid, crop.grid):
            truth = between_slices(truth, slice_places(mask.grid, crop.grid, axis), axis)
        made[code] = Lesson(crop.image, crop.own, crop.others, truth)
    yield from made.values()


def shares_on(crop: Crop, mask: Volume) -> dict[int, np.ndarray]:
    """Label -> its share of each voxel of a crop, [Z, Y, X] float32, of the labels of vertebrae and UNLABELLED."""
    part = part_around(mask, crop.grid)
    labels = [int(label) for label in np.unique(part.array) if label in BY_CODE or label == UNLABELLED]
    found = {}
    for label in labels:
        layer = Volume((part.array == label).astype(np.int16) * np.int16(_WHOLE), part.grid)
        found[label] = np.clip(image_on(layer, crop.grid), 0, None).astype(np.float32) / _WHOLE
    return found


def truth_of(code: int, there: dict[int, np.ndarray], shape: tuple[int, ...]) -> np.ndarray:
    """[Z, Y, X] uint8: what has the largest share of a voxel: this, another, none; UNLABELLED where that has half."""
    this = there[code]
    another = sum((share for label, share in there.items() if label in BY_CODE and label != code), np.zeros(shape))
    none = 1 - this - another
    made = np.full(shape, NONE, np.uint8)
    made[(this >= another) & (this >= none)] = THIS
    made[(another > this) & (another >= none)] = ANOTHER
    if UNLABELLED in there:
        made[there[UNLABELLED] >= 0.5] = UNLABELLED
    return made


def thick_axes(source: Grid, target: Grid) -> list[int]:
    """The axes (of Z, Y, X) along which a scan's voxels are much longer than a crop's; none of an oblique scan."""
    axes = lps_axes(source)
    if axes is None:
        return []
    return [n for n, old in enumerate(lps_grid(source, axes).spacing_mm) if old > THICK * target.spacing_mm[n]]


def slice_places(source: Grid, target: Grid, axis: int) -> np.ndarray:
    """Where each voxel of a crop along `axis` lies in slices of an upright scan: [n] float, whole at their centres."""
    axes = lps_axes(source)
    assert axes is not None
    turned = lps_grid(source, axes)
    first = (target.origin_mm[2 - axis] - turned.origin_mm[2 - axis]) / turned.spacing_mm[axis]
    places = first + np.arange(target.shape[axis]) * target.spacing_mm[axis] / turned.spacing_mm[axis]
    return np.clip(places, 0, turned.shape[axis] - 1)


def between_slices(truth: np.ndarray, places: np.ndarray, axis: int) -> np.ndarray:
    """`truth` [Z, Y, X] with UNLABELLED between slices that differ, but for the voxel nearest to each slice's centre.

    places: of the voxels along `axis`, in slices. A voxel takes the truth at its slice; that of a slice whose centre
    lies outside is the nearest voxel's that is there.
    """
    step = places[1] - places[0] if len(places) > 1 else 1.0
    low = np.floor(places)
    at = [np.abs(places - wanted[:, None]).argmin(axis=1) for wanted in (low, low + 1)]
    before, after = (truth.take(index, axis) for index in at)
    shape = [-1 if n == axis else 1 for n in range(3)]
    from_centre = np.abs(places - np.rint(places)).reshape(shape)
    known = (before == after) | (from_centre <= step / 2)
    nearest = np.where((places - low < 0.5).reshape(shape), before, after)
    return np.where(known, nearest, UNLABELLED).astype(np.uint8)


def write_lessons(path: Path, lessons: Iterable[Lesson], *, digest: str) -> None:
    """Write the lessons of a case, atomically. digest: of all that they were made from."""
    arrays: dict[str, Any] = {}
    count = 0
    for lesson in lessons:
        for name in Lesson.__slots__:
            arrays[f"{name}_{count}"] = getattr(lesson, name)
        count += 1
    about = json.dumps({"digest": digest, "count": count})
    with files.atomic(path) as temporary, temporary.open("wb") as stream:
        np.savez_compressed(stream, about=np.array(about), **arrays)


def count_lessons(path: Path, *, digest: str) -> int | None:
    """How many lessons the file of a case holds; None where it is missing, damaged, or made from anything else."""
    try:
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as found:
            about = json.loads(str(found["about"]))
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None
    return int(about["count"]) if about["digest"] == digest else None


def read_lesson(path: Path, number: int) -> Lesson:
    """One lesson of the file of a case."""
    with np.load(path, allow_pickle=False) as found:
        return Lesson(*(found[f"{name}_{number}"] for name in Lesson.__slots__))
