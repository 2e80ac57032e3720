"""Batches of the second look: patches of lessons, changed as patients, scanners and first looks differ.

As siil/training/patches.py, step n's batch is a function of (seed, n) alone. Names play no part here, so a patch may be
mirrored left to right.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np
import torch

from siil.config.schema.refine import Refine
from siil.scan.preprocess import normalise
from siil.training import augment
from siil.training.appearance import randomise
from siil.training.lessons import Lesson, read_lesson
from siil.training.patches import Batch, stream
from siil.training.perturb import perturb
from siil.training.seed import Stream, generator

AIR_HU: Final = -1024


@dataclass(frozen=True, slots=True)
class Place:
    """Where a lesson lies: its case and source, the file, its number there."""

    case: str
    source: str
    path: Path
    number: int

    def read(self) -> Lesson:
        """The lesson."""
        return read_lesson(self.path, self.number)


@dataclass(frozen=True)
class CropBatches:
    """Step n's batch. places: the lessons. shares: source -> share of the patches; none where every lesson counts
    equally. rank, world: this process and their number.
    """

    places: tuple[Place, ...]
    settings: Refine
    seed: int
    shares: Mapping[str, float] = field(default_factory=dict)
    rank: int = 0
    world: int = 1

    def draw(self, step: int) -> Batch:
        """image [B, 3, Z, Y, X] float32 (CT, own, others), labels [B, Z, Y, X] uint8 (truth)."""
        size = self.settings.batch_size
        samples = [self._sample(step, number) for number in range(self.rank, size, self.world)]
        image = torch.from_numpy(np.stack([image for image, _, _ in samples]))
        labels = torch.from_numpy(np.stack([labels for _, labels, _ in samples]))
        return Batch(image, labels, tuple(case for _, _, case in samples))

    def stream(self, start: int, stop: int, *, ahead: int = 2) -> Iterator[tuple[int, Batch]]:
        """(step, batch) of the steps from `start` to `stop`, made by a thread up to `ahead` steps early."""
        return stream(self.draw, start, stop, ahead=ahead)

    def _sample(self, step: int, number: int) -> tuple[np.ndarray, np.ndarray, str]:
        seed, settings = self.seed, self.settings
        place = self._place(step, number)
        change = augment.draw_augmentation(
            generator(seed, Stream.AUGMENT, step, number),
            settings=settings.augment,
            patch_vox=settings.patch_vox,
            spacing_mm=settings.spacing_mm,
        )
        image, own, others, truth = cut(
            place.read(), generator(seed, Stream.CENTRE, step, number), change=change, patch_vox=settings.patch_vox
        )
        own, others = perturb(
            own,
            others,
            generator(seed, Stream.PERTURB, step, number),
            probability=settings.perturb,
            spacing_mm=settings.spacing_mm,
        )
        image = randomise(
            image,
            generator(seed, Stream.APPEARANCE, step, number),
            probability=settings.augment.appearance,
            spacing_mm=settings.spacing_mm,
        )
        return np.stack([normalise(image, settings.window_hu), own, others]), truth, place.case

    def _place(self, step: int, number: int) -> Place:
        if self.shares:
            random = generator(self.seed, Stream.SOURCE, step, number)
            weights = np.array(list(self.shares.values()), float)
            source = list(self.shares)[random.choice(len(weights), p=weights / weights.sum())]
            there = [place for place in self.places if place.source == source]
            return there[int(random.integers(len(there)))]
        turn, place = divmod(step * self.settings.batch_size + number, len(self.places))
        return self.places[generator(self.seed, Stream.ORDER, turn).permutation(len(self.places))[place]]


def cut(
    lesson: Lesson, random: np.random.Generator, *, change: augment.Augmentation, patch_vox: tuple[int, int, int]
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """A patch anywhere in a lesson, mirrored or not: image (HU), own, others float32, truth uint8, all [Z, Y, X].

    A lesson smaller than the patch lies anywhere in it, in air.
    """
    start = [
        int(random.integers(min(0, room), max(0, room) + 1)) for room in np.subtract(lesson.image.shape, patch_vox)
    ]
    mirrored = random.random() < 0.5
    arrays = []
    for array, fill in ((lesson.image, AIR_HU), (lesson.own, 0), (lesson.others, 0), (lesson.truth, 0)):
        nearest = array is lesson.truth
        if change.positions_vox is None:
            part = augment.crop(array, start=tuple(start), size=patch_vox, fill=fill)
        else:
            centre = (start[0] + patch_vox[0] // 2, start[1] + patch_vox[1] // 2, start[2] + patch_vox[2] // 2)
            part = augment.resample(
                array, centre=centre, positions_vox=change.positions_vox, fill=fill, nearest=nearest
            )
        arrays.append(part[..., ::-1] if mirrored else part)
    image, own, others, truth = arrays
    image = image.astype(np.float32)
    if change.noise_hu is not None:
        image = image + change.noise_hu
    return (
        image,
        own.astype(np.float32) / np.float32(255),
        others.astype(np.float32) / np.float32(255),
        np.ascontiguousarray(truth).astype(np.uint8),
    )
