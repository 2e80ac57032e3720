"""The network that a training starts from: drawn from the seed, or given weights (fine-tuning)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

import torch

from siil.config.schema.model import Model
from siil.errors import WeightsError
from siil.model.build import build_network
from siil.model.weights import load_network
from siil.training.seed import Stream, integer

_LANDMARKS: Final = "decoder.landmarks."
"""How the head of landmarks is called in SIIL and its trunk."""

if TYPE_CHECKING:
    from siil.model.network import Network


def start_network(
    *, model: Model, patch_vox: tuple[int, int, int], spacing_mm: float, seed: int, weights: Path | None = None
) -> Network:
    """A network of the configured sizes. `weights`: a safetensors file whose parameters and memory it takes over; a
    head of landmarks that it lacks starts afresh.

    Raises:
        WeightsError: the file is missing, no weights file, or its network has other sizes.
    """
    torch.manual_seed(integer(seed, Stream.WEIGHTS))
    network = build_network(model=model, patch_vox=patch_vox, spacing_mm=spacing_mm)
    if weights is None:
        return network
    if not weights.is_file():
        raise WeightsError(f"train.init_weights {weights}: no such file; give a weights.safetensors, or null")
    found = load_network(weights)[0].state_dict()
    fresh = {name: value for name, value in network.state_dict().items() if name.startswith(_LANDMARKS)}
    found = fresh | found
    expected = {name: tuple(value.shape) for name, value in network.state_dict().items()}
    for name in sorted(expected.keys() | found.keys()):
        shape = tuple(found[name].shape) if name in found else None
        if shape != expected.get(name):
            raise WeightsError(
                f"train.init_weights {weights}: {name} is {shape} there and {expected.get(name)} here; fine-tuning "
                "needs the model and patch sections that the weights were trained with"
            )
    network.load_state_dict(found)
    return network
