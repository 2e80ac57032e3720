"""The network that a training starts from: drawn from the seed, or given weights (fine-tuning)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from siil.config.schema.model import Model
from siil.errors import WeightsError
from siil.model.build import build_network
from siil.model.weights import load_mean
from siil.training.seed import Stream, integer

if TYPE_CHECKING:
    from siil.model.network import Network


def start_network(
    *, model: Model, patch_vox: tuple[int, int, int], spacing_mm: float, seed: int, weights: Sequence[Path] = ()
) -> Network:
    """A network of the configured sizes. `weights`: safetensors files whose parameters and memory, or the mean of
    these, it takes over.

    Raises:
        WeightsError: a file is missing, no weights file, or its network has other sizes.
    """
    torch.manual_seed(integer(seed, Stream.WEIGHTS))
    network = build_network(model=model, patch_vox=patch_vox, spacing_mm=spacing_mm)
    if not weights:
        return network
    for path in weights:
        if not path.is_file():
            raise WeightsError(f"train.init_weights {path}: no such file; give a weights.safetensors, or null")
    found = load_mean(weights)[0].state_dict()
    expected = {name: tuple(value.shape) for name, value in network.state_dict().items()}
    for name in sorted(expected.keys() | found.keys()):
        shape = tuple(found[name].shape) if name in found else None
        if shape != expected.get(name):
            raise WeightsError(
                f"train.init_weights {weights[-1]}: {name} is {shape} there and {expected.get(name)} here; fine-tuning "
                "needs the model and patch sections that the weights were trained with"
            )
    network.load_state_dict(found)
    return network
