"""The sliding window: a network that sees patches, applied to a whole scan.

From a normalised volume on the working grid (Z, Y, X) to a Posterior. Windows overlap and their *probabilities* are
averaged with weights that fall towards a window's border. Memory does not grow with the scan's length but for the
sparse result: sums of K classes are held for one patch height of slices only (4 bytes x (K + 2) x patch z x Y x X); as
soon as no later window touches a slice, it is turned into the sparse form (inference/accumulate.py). The network is
called in eval() with the image alone.

Most of a scan is not spine. With `localise` a first look over windows side by side finds where O_R sees any, and of the
overlapping windows only those are computed that hold some of it. A voxel that the first look found has the answer that
it would have without one, because every window that covers it is computed; where no window was, the probability is 0.
A field of view hardly wider than the spine is not looked at first.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import product
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import torch
from torch import Tensor

from siil.inference.accumulate import Answer, Gather, Slab, finite
from siil.inference.posterior import Posterior
from siil.run.progress import Told, untold
from siil.scan.preprocess import AIR

if TYPE_CHECKING:
    from siil.model.network import Network

SEEN = 0.3
"""O_R above this in the first look: the windows around are computed. Lower than any threshold of use."""
NARROW = 9
"""With so few windows side by side (a plane of up to two patches each way) nearly all hold spine: no first look."""
_FLIPS: tuple[tuple[int, ...], ...] = ((), (-2,), (-3,), (-3, -2))
"""Axes of test-time flips: front-back (Y) and up-down (Z). Left-right is never mirrored: organs tell the sides."""


class Windows(Protocol):
    """The settings that the window needs; `inference` of the configuration has them."""

    @property
    def overlap(self) -> float: ...
    @property
    def blending(self) -> Any: ...
    @property
    def batch_size(self) -> int: ...
    @property
    def localise(self) -> bool: ...


def slide(
    network: Network,
    image: np.ndarray,
    *,
    patch_vox: Sequence[int],
    inference: Windows,
    device: torch.device | str = "cpu",
    precision: str = "32-true",
    activation: str = "softmax",
    flip: bool = False,
    told: Told = untold,
) -> Posterior:
    """Apply `network` to every window of `image` and blend.

    Args:
        network: in any mode; it is put into eval() for the call. It must be on `device`.
        image: [Z, Y, X] float32, normalised to [-1, 1]. Smaller than a patch: padded with air, cropped back.
        patch_vox: Z, Y, X size of a window.
        inference: overlap, blending, windows per forward pass, and whether a first look leaves windows out.
        device: where the windows are computed.
        precision: Fabric's name: 32-true, bf16-mixed or 16-mixed.
        activation: softmax, or sigmoid (per class, then normalised over K) for O_S.
        flip: average over front-back and up-down flips.
        told: how many windows are done; the first look counts its own.

    Raises:
        WeightsError: the network's output is not finite.
    """
    patch = tuple(int(n) for n in patch_vox)
    padded, before = _pad(image, patch)
    rows, *columns = (window_starts(n, p, inference.overlap) for n, p in zip(padded.shape, patch, strict=True))
    weights = [window_weights(p, inference.blending) for p in patch]
    gather = Gather(shape=image.shape, before=before, slices=padded.shape[0])
    slab = Slab(patch, padded.shape, weights, torch.device(device))
    versions = _FLIPS if flip else _FLIPS[:1]
    with _evaluating(network, torch.device(device), precision), torch.inference_mode():
        source = torch.from_numpy(np.ascontiguousarray(padded, np.float32))
        wide = len(columns[0]) * len(columns[1]) > NARROW
        spine = None
        if wide and inference.localise:
            spine = _first_look(network, source, patch, inference.batch_size, device, told)
        chosen = [
            [c for c in product([start], *columns) if spine is None or spine[_box(c, patch)].any()] for start in rows
        ]
        done, total = 0, sum(map(len, chosen))
        told(done, total)
        for start, following, corners in zip(rows, [*rows[1:], padded.shape[0]], chosen, strict=True):
            for batch in _batches(corners, inference.batch_size):
                inputs = torch.stack([source[_box(corner, patch)] for corner in batch])[:, None].to(device)
                for axes in versions:
                    slab.add(_answer(network, inputs, axes, activation, gather), batch, len(versions))
                done += len(batch)
                told(done, total)
            gather.row(start, weights[0], slab.localisation)
            ended = min(following - start, patch[0])
            gather.finish(start, *slab.finished(ended))
            slab.advance(ended)
    return gather.posterior()


def _first_look(
    network: Network,
    source: Tensor,
    patch: tuple[int, ...],
    batch_size: int,
    device: torch.device | str,
    told: Told,
) -> Tensor:
    """[Z, Y, X] bool: where O_R sees spine in windows side by side; those of nothing but air are left out."""
    spine = torch.zeros(source.shape, dtype=torch.bool)
    corners = product(*(window_starts(n, p, 0) for n, p in zip(source.shape, patch, strict=True)))
    chosen = [c for c in corners if (source[_box(c, patch)] > AIR).any()]
    done = 0
    told(done, len(chosen))
    for batch in _batches(chosen, batch_size):
        inputs = torch.stack([source[_box(corner, patch)] for corner in batch])[:, None].to(device)
        seen = (finite(network(inputs).spine[:, 0].float().sigmoid()) > SEEN).cpu()
        for corner, item in zip(batch, seen, strict=True):
            spine[_box(corner, patch)] |= item
        done += len(batch)
        told(done, len(chosen))
    return spine


def _box(corner: Sequence[int], patch: Sequence[int]) -> tuple[slice, ...]:
    return tuple(slice(first, first + size) for first, size in zip(corner, patch, strict=True))


def window_starts(size: int, patch: int, overlap: float) -> list[int]:
    """First voxels of the windows of one axis: evenly spread, the last ends at `size`, sharing at least `overlap`."""
    if size <= patch:
        return [0]
    step = max(1, int(patch * (1 - overlap)))
    count = -(-(size - patch) // step) + 1
    return [round(i * (size - patch) / (count - 1)) for i in range(count)]


def window_weights(patch: int, blending: str) -> np.ndarray:
    """[patch] float64 weights along one axis, largest in the middle, nowhere 0."""
    centred = (np.arange(patch) + 0.5) / patch
    if blending == "hann":
        weights = np.sin(np.pi * centred) ** 2
    elif blending == "gaussian":
        weights = np.exp(-0.5 * ((centred - 0.5) * 8) ** 2)  # sigma of an eighth of the patch, as nnU-Net
    else:
        raise ValueError(f"blending {blending}: expected gaussian or hann")
    return np.maximum(weights, 1e-3)


def _pad(image: np.ndarray, patch: tuple[int, ...]) -> tuple[np.ndarray, tuple[int, ...]]:
    """The image in the middle of at least one patch of air, and the voxels added in front of each axis."""
    missing = [max(0, p - n) for n, p in zip(image.shape, patch, strict=True)]
    before = tuple(m // 2 for m in missing)
    if not any(missing):
        return image, before
    return np.pad(image, [(b, m - b) for b, m in zip(before, missing, strict=True)], constant_values=AIR), before


def _batches(items: Sequence[tuple[int, ...]], size: int) -> Iterator[Sequence[tuple[int, ...]]]:
    for first in range(0, len(items), size):
        yield items[first : first + size]


@contextmanager
def _evaluating(network: Network, device: torch.device, precision: str) -> Iterator[None]:
    """eval() and autocast as Fabric's precision does it; the mode of before afterwards."""
    was_training = network.training
    kind = torch.float16 if precision == "16-mixed" and device.type == "cuda" else torch.bfloat16
    network.eval()
    try:
        with torch.autocast(device.type, dtype=kind, enabled=precision != "32-true"):
            yield
    finally:
        network.train(was_training)


def _answer(network: Network, inputs: Tensor, axes: tuple[int, ...], activation: str, gather: Gather) -> Answer:
    output = network(inputs.flip(axes) if axes else inputs)
    spine, vertebrae = output.spine.float().sigmoid(), output.vertebrae.float()
    if activation == "sigmoid":
        classes = vertebrae.sigmoid()
        classes = classes / classes.sum(dim=1, keepdim=True).clamp_min(1e-6)
    else:
        classes = vertebrae.softmax(dim=1)
    localisation = None
    if output.core is not None:
        localisation = output.core.localisation_logits.float().sigmoid().amax(dim=0)  # any window of the row
        localisation = localisation.flip(-1) if -3 in axes else localisation
        stretched = torch.nn.functional.interpolate(localisation[None], size=inputs.shape[2], mode="nearest")
        localisation = stretched[0].cpu()
        if not axes and output.core.embeddings is not None:
            gather.embed(output.core.embeddings, output.core.present)
    landmarks = None if output.landmarks is None else output.landmarks.float().sigmoid()
    if axes:
        spine, classes = spine.flip(axes), classes.flip(axes)
        landmarks = None if landmarks is None else landmarks.flip(axes)
    return Answer(spine, classes, localisation, landmarks)
