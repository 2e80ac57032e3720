"""The sliding window: a network that sees patches, applied to a whole scan (method.md, section 12).

From a normalised volume on the working grid (Z, Y, X) to a Posterior. Windows overlap and their *probabilities* are
averaged with weights that fall towards a window's border. Memory does not grow with the scan's length but for the
sparse result: sums of K classes are held for one patch height of slices only (4 bytes x (K + 1) x patch z x Y x X); as
soon as no later window touches a slice, it is turned into the sparse form (inference/accumulate.py). The network is
called in eval() with the image alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import product
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import torch
from torch import Tensor

from siil.inference.accumulate import Answer, Gather, Slab
from siil.inference.posterior import Posterior

if TYPE_CHECKING:
    from siil.model.network import Network

AIR = -1.0
"""Value of air in a normalised image: the lower end of the HU window."""
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
) -> Posterior:
    """Apply `network` to every window of `image` and blend.

    Args:
        network: in any mode; it is put into eval() for the call. It must be on `device`.
        image: [Z, Y, X] float32, normalised to [-1, 1]. Smaller than a patch: padded with air, cropped back.
        patch_vox: Z, Y, X size of a window.
        inference: overlap, blending and windows per forward pass.
        device: where the windows are computed.
        precision: Fabric's name: 32-true, bf16-mixed or 16-mixed.
        activation: softmax, or sigmoid (per class, then normalised over K) for O_S.
        flip: average over front-back and up-down flips.

    Raises:
        WeightsError: the network's output is not finite.
    """
    patch = tuple(int(n) for n in patch_vox)
    padded, before = _pad(image, patch)
    starts = [window_starts(n, p, inference.overlap) for n, p in zip(padded.shape, patch, strict=True)]
    weights = [window_weights(p, inference.blending) for p in patch]
    totals = [_total(n, s, w) for n, s, w in zip(padded.shape, starts, weights, strict=True)]
    gather = Gather(shape=image.shape, before=before, totals=totals)
    slab = Slab(patch, padded.shape, weights, torch.device(device))
    windows = list(product(starts[1], starts[2]))
    with _evaluating(network, torch.device(device), precision), torch.inference_mode():
        source = torch.from_numpy(np.ascontiguousarray(padded, np.float32))
        for start, following in zip(starts[0], [*starts[0][1:], padded.shape[0]], strict=True):
            for batch in _batches(windows, inference.batch_size):
                cubes = [source[start : start + patch[0], y : y + patch[1], x : x + patch[2]] for y, x in batch]
                inputs = torch.stack(cubes)[:, None].to(device)
                for axes in _FLIPS if flip else _FLIPS[:1]:
                    slab.add(_answer(network, inputs, axes, activation, gather), batch, len(_FLIPS) if flip else 1)
            gather.row(start, weights[0], slab.localisation)
            done = min(following - start, patch[0])
            gather.finish(start, *slab.finished(done))
            slab.advance(done)
    return gather.posterior()


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


def _total(size: int, starts: Sequence[int], weights: np.ndarray) -> np.ndarray:
    total = np.zeros(size)
    for start in starts:
        total[start : start + len(weights)] += weights
    return total


def _pad(image: np.ndarray, patch: tuple[int, ...]) -> tuple[np.ndarray, tuple[int, ...]]:
    """The image in the middle of at least one patch of air, and the voxels added in front of each axis."""
    missing = [max(0, p - n) for n, p in zip(image.shape, patch, strict=True)]
    before = tuple(m // 2 for m in missing)
    if not any(missing):
        return image, before
    return np.pad(image, [(b, m - b) for b, m in zip(before, missing, strict=True)], constant_values=AIR), before


def _batches(items: Sequence[tuple[int, int]], size: int) -> Iterator[Sequence[tuple[int, int]]]:
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
    if axes:
        spine, classes = spine.flip(axes), classes.flip(axes)
    return Answer(spine, classes, localisation)
