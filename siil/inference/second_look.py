"""The second look: with the names decided, each vertebra again in a crop of its own, and the label map of all of them.

After inference/soft_maps.py, in place of its way back to the scan's own grid. One small network
(siil.model.second_look) answers for the crops (inference/crops.py); each answer goes to the scan's own grid, where the
largest "this" wins over the background, so that touching facets neither overlap nor leave a gap. Names never change.
A vertebra that the second look does not find keeps the map of the first, and so does a whole scan that is too coarse.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import torch
from torch.nn import functional

from siil.errors import WeightsError
from siil.inference.crops import Crop, cut_crops, fine_grid, sees
from siil.inference.pieces import connected, one_piece_each
from siil.model.second_look import STRIDE, THIS
from siil.run.progress import Told, untold
from siil.scan.geometry import Geometry
from siil.scan.grid import Volume
from siil.scan.preprocess import normalise
from siil.scan.undo import SoftMap, undo_soft

if TYPE_CHECKING:
    from torch import Tensor

    from siil.model.second_look import SecondLook, SecondLookWeights

FOUND: Final = 0.3
"""Volume of what is found over that of the first look, at least."""
BATCH_VOX: Final = {"cpu": 1_500_000, "cuda": 24_000_000}
"""Voxels that go through the network at once: crops of like size together."""


@dataclass(frozen=True, slots=True)
class Looked:
    """seg: uint8 VerSe codes on the scan's own grid. first_look: codes of those that the second look did not find."""

    seg: Volume
    first_look: frozenset[int]


@dataclass(frozen=True, slots=True)
class Again:
    """All that a second look at one scan needs but the first: see `look_again`."""

    network: SecondLook
    about: SecondLookWeights
    source: Volume
    device: torch.device | str
    precision: str

    @property
    def spacing_mm(self) -> float:
        """At which it looks: as it was trained, never finer than the scan."""
        return fine_grid(self.source.grid, self.about.spacing_mm).spacing_mm[0]

    def look(
        self, maps: Iterable[SoftMap], geometry: Geometry, *, in_pieces: Collection[int], told: Told = untold
    ) -> Looked:
        """`look_again` at the scan."""
        return look_again(
            self.network,
            self.source,
            maps,
            geometry,
            about=self.about,
            device=self.device,
            precision=self.precision,
            in_pieces=in_pieces,
            told=told,
        )


def look_again(
    network: SecondLook,
    source: Volume,
    maps: Iterable[SoftMap],
    geometry: Geometry,
    *,
    about: SecondLookWeights,
    device: torch.device | str = "cpu",
    precision: str = "32-true",
    in_pieces: Collection[int] = (),
    told: Told = untold,
) -> Looked:
    """Segment each vertebra of the first look anew.

    Args:
        network: on `device`, in eval mode.
        source: int16 HU on the scan's own grid.
        maps: soft maps of the first look, on the working grid.
        geometry: the way from the scan's grid to the working grid.
        about: spacing, margin and HU window that the network was trained with.
        device: where the crops are computed.
        precision: Fabric's name, as the device can (inference/device.py).
        in_pieces: VerSe codes of vertebrae that the scan's border cuts: their pieces count that the first look saw
            and that reach the border (inference/pieces.py).
        told: how many crops are done.

    Raises:
        WeightsError: the network's output is not finite.
    """
    maps = list(maps)
    codes = frozenset(soft.code for soft in maps)
    if not maps or not sees(source.grid):
        return Looked(undo_soft(maps, geometry), codes)
    fine = fine_grid(source.grid, about.spacing_mm)
    crops = list(cut_crops(source, maps, geometry, spacing_mm=about.spacing_mm, margin_mm=about.margin_mm))
    answers, kept = [], set(codes - {crop.code for crop in crops})
    done = 0
    told(done, len(crops))
    for batch in batches(crops, BATCH_VOX[torch.device(device).type]):
        chances = classes(network, batch, window_hu=about.window_hu, device=device, precision=precision)
        for crop, chance in zip(batch, chances, strict=True):
            own = connected(chance[THIS], crop, whole=crop.code not in in_pieces)
            if not _found(own, crop):
                kept.add(crop.code)
                own = crop.own.astype(np.float16) / np.float16(255)
            answers.append(trimmed(crop, own))
        done += len(batch)
        told(done, len(crops))
    order = {soft.code: number for number, soft in enumerate(maps)}
    answers.sort(key=lambda soft: order[soft.code])
    seg = undo_soft(answers, Geometry(source.grid, fine, (0, 0, 0), fine.shape), sampled=True)
    lost = codes - one_piece_each(seg.array, in_pieces=in_pieces)
    if lost:  # their neighbours were surer everywhere; no name goes
        kept |= lost
        first = undo_soft([soft for soft in maps if soft.code in lost], geometry).array
        np.copyto(seg.array, first, where=first > 0)
    return Looked(seg, frozenset(kept))


def batches(crops: list[Crop], most_vox: int) -> Iterator[list[Crop]]:
    """Crops of like size together, at most `most_vox` voxels with what they are padded to; every crop once."""
    waiting = sorted(crops, key=lambda crop: _room([crop]))
    while waiting:
        batch = [waiting.pop()]
        while waiting and (room := _room([*batch, waiting[-1]])) <= most_vox:
            if room > 1.25 * sum(crop.image.size for crop in [*batch, waiting[-1]]):
                break
            batch.append(waiting.pop())
        yield batch


def classes(
    network: torch.nn.Module,
    crops: list[Crop],
    *,
    window_hu: tuple[float, float],
    device: torch.device | str,
    precision: str,
) -> list[np.ndarray]:
    """The probabilities of none, this and another in each crop, [3, Z, Y, X] float16, from one forward pass.

    Raises WeightsError where they are no numbers.
    """
    inputs = stack(crops, window_hu).to(device)
    kind = torch.float16 if precision == "16-mixed" and inputs.is_cuda else torch.bfloat16
    with torch.inference_mode(), torch.autocast(inputs.device.type, dtype=kind, enabled=precision != "32-true"):
        logits = network(inputs)
    chances = logits.float().softmax(dim=1)
    if not torch.isfinite(chances).all():
        raise WeightsError("the second look answers NaN or infinity; its weights are damaged or its training diverged")
    found = chances.half().cpu().numpy()
    return [one[(slice(None), *(slice(n) for n in crop.image.shape))] for crop, one in zip(crops, found, strict=True)]


def stack(crops: list[Crop], window_hu: tuple[float, float]) -> Tensor:
    """[B, 3, Z, Y, X] float32: what the network sees of crops, each padded at its far ends by its border voxels."""
    shape = _shape(crops)
    made = torch.empty((len(crops), 3, *shape))
    for crop, place in zip(crops, made, strict=True):
        channels = np.stack(
            [
                normalise(crop.image, window_hu),
                crop.own.astype(np.float32) / np.float32(255),
                crop.others.astype(np.float32) / np.float32(255),
            ]
        )
        missing = [n - have for n, have in zip(shape, crop.image.shape, strict=True)]
        pad = [end for axis in (2, 1, 0) for end in (0, missing[axis])]
        place.copy_(functional.pad(torch.from_numpy(channels)[None], pad, mode="replicate")[0])
    return made


def trimmed(crop: Crop, chance: np.ndarray) -> SoftMap:
    """`chance` as a soft map of the fine grid, in the box where it counts."""
    seen = chance > np.float16(1 / 255)
    spans = []
    for axis in range(3):
        used = np.flatnonzero(seen.any(tuple(other for other in range(3) if other != axis)))
        spans.append(slice(int(used[0]), int(used[-1]) + 1) if used.size else slice(0, 1))
    z, y, x = (corner + taken.start for corner, taken in zip(crop.corner_zyx, spans, strict=True))
    return SoftMap(crop.code, (z, y, x), np.ascontiguousarray(chance[tuple(spans)]))


def _found(chance: np.ndarray, crop: Crop) -> bool:
    before = int((crop.own > 127).sum())
    return int((chance > 0.5).sum()) >= max(1.0, FOUND * before)


def _shape(crops: list[Crop]) -> tuple[int, ...]:
    """The smallest size that holds every crop and that the network takes."""
    longest = np.max([crop.image.shape for crop in crops], axis=0)
    return tuple((-(-longest // STRIDE) * STRIDE).tolist())


def _room(crops: list[Crop]) -> int:
    return len(crops) * int(np.prod(_shape(crops)))
