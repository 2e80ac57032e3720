"""Lessons of the second look: crops of labelled scans with the first look's maps and the truth, made once and kept.

A lesson belongs to an instance of the first look, whatever it was named: "this" is the vertebra of the truth that the
instance overlaps most, every other vertebra of the truth is "another". An instance that lies on no vertebra teaches
nothing, nor does the lesser of two on one vertebra. One compressed file holds the lessons of a case.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from siil.anatomy import BY_CODE, UNLABELLED
from siil.inference.crops import Crop, image_on
from siil.model.second_look import ANOTHER, NONE, THIS
from siil.run import files
from siil.scan.grid import Volume, part_around

LEAST_SHARE: Final = 0.2
"""Of the instance's volume that must lie on its vertebra."""
_WHOLE: Final = 1000
"""What a voxel of a label is resampled as, so that shares of it are whole numbers."""


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
        made[code] = Lesson(crop.image, crop.own, crop.others, truth_of(code, there, crop.image.shape))
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


def write_lessons(path: Path, lessons: Iterable[Lesson], *, digest: str) -> None:
    """Write the lessons of a case, atomically. digest: of all that they were made from."""
    arrays: dict[str, np.ndarray] = {}
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
