"""Small networks and patches for the tests of the network and its losses."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from siil.anatomy import CLASSES
from siil.config.schema.model import Loss, Model
from siil.losses.total import total_loss
from siil.model.build import build_network
from siil.model.mill import occupied_slices, widen
from siil.model.output import Output
from siil.model.siil import Siil

PATCH = (32, 16, 16)
SPACING_MM = {"pyramid": 3.0, "resnet10": 1.5}
"""Either way a low-resolution slice is 6 mm high."""


def make_model(encoder: str = "pyramid", **changes: Any) -> Model:
    """A small network with the demo's encoder and decoder, or with encoder="resnet10" the paper's."""
    values: dict[str, Any] = {
        "name": "siil",
        "encoder": encoder,
        "widths": [4, 8, 16] if encoder == "pyramid" else [4, 4, 8, 16],
        "embed_dim": 16,
        "slices": "flat",
        "token_channels": 4 if encoder == "pyramid" else 16,
        "masks": "map",
        "slice_prior": False,
        "heads": 2,
        "decoder": "shared" if encoder == "pyramid" else "two",
        "vertebrae_activation": "softmax",
        "interaction": True,
        "mill": True,
        "ocpl": True,
        "gru": True,
        "prototypes": 4,
        "memory_slots": 6,
        "memory_momentum": 0.5,
        "min_run_mm": 15,
        "max_run_mm": 95,
    }
    return Model.model_validate(values | changes)


def make_network(encoder: str = "pyramid", *, seed: int = 0, **changes: Any) -> Siil:
    """A small SIIL in train mode, float64."""
    torch.manual_seed(seed)
    made = build_network(model=make_model(encoder, **changes), patch_vox=PATCH, spacing_mm=SPACING_MM[encoder])
    assert isinstance(made, Siil)
    return made.double().train()


def make_loss(**changes: float) -> Loss:
    """The weights of the paper."""
    values = {
        "spine": 1,
        "vertebrae": 1,
        "instance": 1,
        "semantic": 1,
        "localisation": 1,
        "localisation_entropy": 1,
        "presence": 20,
        "contrast": 0.05,
        "landmarks": 1,
        "temperature": 0.07,
    }
    return Loss.model_validate(values | changes)


def spine_labels(classes: list[int], *, first: int = 1, height: int = 5, patch: tuple[int, int, int] = PATCH) -> Tensor:
    """[1, Z, Y, X] uint8: blocks of `height` slices, one per class, stacked without gaps from slice `first` upwards."""
    labels = torch.zeros(1, *patch, dtype=torch.uint8)
    for number, index in enumerate(classes):
        start = first + number * height
        labels[0, start : start + height, 3:11, 4:12] = index
    return labels


def make_batch(*, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Two patches, with 5 and 3 vertebrae (T13 among them), of random voxels: [2, 1, Z, Y, X] float64, labels."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.cat([spine_labels([17, 18, 19, 20, 21]), spine_labels([7, 8, 9], first=6, height=8)])
    image = torch.rand(2, 1, *PATCH, generator=generator, dtype=torch.float64) * 2 - 1
    return image + 0.2 * (labels[:, None] > 0), labels


def fill_memory(network: Siil, *, seed: int = 1) -> None:
    """Every slot of every vertebra filled, and prototypes made of them."""
    assert network.ocpl is not None
    torch.manual_seed(seed)
    _, slots, embed = network.ocpl.memory.shape
    device = network.ocpl.memory.device
    present = torch.ones(slots, CLASSES, dtype=torch.bool, device=device)
    network.ocpl.remember(torch.randn(slots, CLASSES, embed, device=device), present)
    network.refresh_prototypes(seed)


def find_truth(network: Siil, labels: Tensor) -> None:
    """From now on MILL's prediction is right, as after training: L is predicted (no leak guard) and names `labels`."""
    rows = widen(occupied_slices(labels, stride=network.stride, classes=CLASSES))
    rows[:, 0] = True
    network.mill.localise = lambda *_, **__: rows  # type: ignore[method-assign]


def all_terms(output: Output, labels: Tensor, **changes: float) -> dict[str, Tensor]:
    """The terms of total_loss with the paper's weights, or those given."""
    return total_loss(output, labels, loss=make_loss(**changes), activation="softmax")
