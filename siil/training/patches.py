"""Patches: centres drawn from the pap map, batches that depend on the step alone, made ahead of time.

A centre is drawn with the probability that pap gives its voxel. Image, mask and pap count as padded by half a patch
all around (image with air, mask with background, pap with zero), so a vertebra at the border of the scan can be a
centre and a scan smaller than the patch works. Nothing is padded in memory: a crop outside the scan is filled.
Arrays are (Z, Y, X) on the working grid; images in HU until `normalise`, labels uint8 internal indices.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import torch

from siil.anatomy import LANDMARKS, UNSOUGHT
from siil.config.schema.training import Train
from siil.errors import ConfigError
from siil.scan.preprocess import normalise
from siil.training import augment
from siil.training.appearance import randomise
from siil.training.case_store import CaseArrays, CaseStore
from siil.training.seed import Stream, generator


@dataclass(frozen=True, slots=True)
class Batch:
    """image [B, 1, Z, Y, X] float32 in [-1, 1]; labels [B, Z, Y, X] uint8 indices; the cases they come from."""

    image: torch.Tensor
    labels: torch.Tensor
    cases: tuple[str, ...]


@dataclass(frozen=True)
class Batches:
    """Step n's batch, a pure function of (seed, n). With several processes each makes its share of the samples.

    cases: store or mapping from id to arrays. names: the training cases. sources: case -> its source. shares: of
    a step, what share of its patches each source has; none where every case counts equally. landmarks: case -> which of
    siil.anatomy.LANDMARKS its labels hold; background of a case that lacks some is UNSOUGHT. rank, world: this process
    and their number. pin: batches in page-locked memory, from which a GPU copies while it computes.
    """

    cases: CaseStore | dict[str, CaseArrays]
    names: tuple[str, ...]
    settings: Train
    patch_vox: tuple[int, int, int]
    spacing_mm: float
    window_hu: tuple[float, float]
    sources: Mapping[str, str] = field(default_factory=dict)
    shares: Callable[[int], Mapping[str, float]] = lambda step: {}
    landmarks: Mapping[str, Collection[str]] = field(default_factory=dict)
    rank: int = 0
    world: int = 1
    pin: bool = False

    def __post_init__(self) -> None:
        if self.settings.batch_size % self.world:
            raise ConfigError(
                f"train.batch_size {self.settings.batch_size} cannot be shared by {self.world} processes; expected a "
                "multiple of them: change it, or the number of processes"
            )

    def draw(self, step: int) -> Batch:
        """The batch of a step. Where every case counts equally, it comes once in `len(names)` samples, in an order
        drawn for each such pass; with shares a source is drawn for each sample, and one of its cases."""
        size = self.settings.batch_size
        samples = [self._sample(step, number) for number in range(self.rank, size, self.world)]
        image = torch.from_numpy(np.stack([image for image, _, _ in samples])[:, None])
        labels = torch.from_numpy(np.stack([labels for _, labels, _ in samples]))
        if self.pin:
            image, labels = image.pin_memory(), labels.pin_memory()
        return Batch(image, labels, tuple(case for _, _, case in samples))

    def stream(self, start: int, stop: int, *, ahead: int = 2) -> Iterator[tuple[int, Batch]]:
        """(step, batch) of the steps from `start` to `stop`, made by a thread up to `ahead` steps early (0: none)."""
        return stream(self.draw, start, stop, ahead=ahead)

    def _sample(self, step: int, number: int) -> tuple[np.ndarray, np.ndarray, str]:
        seed, name = self.settings.seed, self._name(step, number)
        case = self.cases[name]
        centre = case.draw_centre(generator(seed, Stream.CENTRE, step, number))
        change = augment.draw_augmentation(
            generator(seed, Stream.AUGMENT, step, number),
            settings=self.settings.augment,
            patch_vox=self.patch_vox,
            spacing_mm=self.spacing_mm,
        )
        image, labels = cut(case, centre=centre, change=change, patch_vox=self.patch_vox, air_hu=self.window_hu[0])
        image = randomise(
            image,
            generator(seed, Stream.APPEARANCE, step, number),
            probability=self.settings.augment.appearance,
            spacing_mm=self.spacing_mm,
        )
        image, labels = augment.shorten(
            normalise(image, self.window_hu),
            labels,
            generator(seed, Stream.SHORTEN, step, number),
            probability=self.settings.augment.shorten,
        )
        unsought = tuple(landmark for landmark in LANDMARKS if landmark not in self.landmarks.get(name, ()))
        if unsought:
            labels = np.where(labels == 0, np.uint8(UNSOUGHT[unsought]), labels)
        return image, labels, name

    def _name(self, step: int, number: int) -> str:
        seed, count = self.settings.seed, len(self.names)
        if shares := self.shares(step):
            random = generator(seed, Stream.SOURCE, step, number)
            weights = np.array(list(shares.values()), float)
            source = list(shares)[random.choice(len(weights), p=weights / weights.sum())]
            return str(random.choice([name for name in self.names if self.sources[name] == source]))
        turn, place = divmod(step * self.settings.batch_size + number, count)
        return self.names[generator(seed, Stream.ORDER, turn).permutation(count)[place]]


def stream(draw: Callable[[int], Batch], start: int, stop: int, *, ahead: int) -> Iterator[tuple[int, Batch]]:
    """(step, draw(step)) of the steps from `start` to `stop`, made by a thread up to `ahead` steps early (0: none)."""
    if ahead == 0:
        yield from ((step, draw(step)) for step in range(start, stop))
        return
    pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="patches")
    waiting: deque[tuple[int, Future[Batch]]] = deque()
    try:
        for step in range(start, stop):
            while len(waiting) <= ahead and step + len(waiting) < stop:
                coming = step + len(waiting)
                waiting.append((coming, pool.submit(draw, coming)))
            due, future = waiting.popleft()
            yield due, future.result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def cut(
    case: CaseArrays,
    *,
    centre: tuple[int, int, int],
    change: augment.Augmentation,
    patch_vox: tuple[int, int, int],
    air_hu: float,
) -> tuple[np.ndarray, np.ndarray]:
    """The patch around `centre` (which becomes voxel size // 2): image in HU and labels uint8, both [Z, Y, X]."""
    if change.positions_vox is not None:
        read = partial(augment.resample, centre=centre, positions_vox=change.positions_vox)
        image = read(case.image, fill=air_hu, nearest=False)
        labels = read(case.labels, fill=0, nearest=True).astype(np.uint8)
        return image, labels
    start = tuple(middle - size // 2 for middle, size in zip(centre, patch_vox, strict=True))
    image = augment.crop(case.image, start=start, size=patch_vox, fill=air_hu).astype(np.float32)
    labels = augment.crop(case.labels, start=start, size=patch_vox, fill=0)
    return (image if change.noise_hu is None else image + change.noise_hu), labels
