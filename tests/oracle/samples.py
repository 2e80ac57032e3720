"""Random small networks and patches for the comparison with the oracle."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from siil.anatomy import BY_NAME, UNLABELLED
from siil.model.build import build_network
from siil.model.siil import Siil
from tests.model.samples import SPACING_MM, make_model
from tests.oracle.network import CLASSES

PATCH = (32, 8, 16)
T12, T13, L1, L4, L6 = (BY_NAME[name].index for name in ("T12", "T13", "L1", "L4", "L6"))


def random_network(*, seed: int, presence: float = 0.0, memory: str = "part", **values: Any) -> Siil:
    """Random values in every parameter (norms and biases too) and sigmoid(L^) around one half, so that L has runs.

    presence: bias of C. memory: empty, part (of the classes and slots) or full, with its prototypes.
    """
    torch.manual_seed(seed)
    model = make_model(**values)
    network = build_network(model=model, patch_vox=PATCH, spacing_mm=SPACING_MM[model.encoder])
    assert isinstance(network, Siil)
    network.double()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
        network.presence.linear.bias.add_(presence)
        if values.get("mill", True):
            network.mill.head.weight.mul_(4)
            network.mill.head.bias.normal_()
    if network.ocpl is not None and memory != "empty":
        slots = network.ocpl.memory.shape[1]
        for _ in range(slots + 2 if memory == "full" else 3):
            present = torch.rand(2, CLASSES) < (2.0 if memory == "full" else 0.4)
            network.ocpl.remember(torch.randn(2, CLASSES, network.ocpl.memory.shape[2], dtype=torch.float64), present)
        network.refresh_prototypes(seed)
    return network


def random_labels(generator: torch.Generator, classes: Sequence[int], first: float, height: float) -> Tensor:
    """[Z, Y, X]: boxes stacked from slice `first` (below 0: cut) upwards, with lost slices and noise between them."""
    labels = torch.zeros(PATCH, dtype=torch.uint8)
    for number, index in enumerate(classes):
        start, end = (round(first + step * height) for step in (number, number + 1))
        y, x = torch.randint(0, 5, (2,), generator=generator).tolist()
        labels[max(start, 0) : max(end, 0), y : y + 4, x : x + 8] = index
    lost = torch.rand(PATCH[0], generator=generator) < 0.15
    if len(classes) < 10:
        labels[lost] = 0
        labels[torch.rand(PATCH, generator=generator) < 0.05] = 0
    return labels


def random_batch(seed: int) -> tuple[Tensor, Tensor]:
    """Four patches: all vertebrae; none; one, cut above; some, cut at both ends (T13, L6, one of two far voxels)."""
    generator = torch.Generator().manual_seed(seed)
    one, tiny = torch.randint(1, T12, (2,), generator=generator).tolist()
    some = random_labels(generator, [T12, T13, L1, L4, L6], -3, 8)
    some[2, 7, 0] = some[21, 0, 15] = tiny
    labels = torch.stack(
        [
            random_labels(generator, range(1, CLASSES), 0, PATCH[0] / (CLASSES - 1)),
            random_labels(generator, [], 0, 1),
            random_labels(generator, [one], 27, 9),
            some,
        ]
    )
    noise = torch.rand(labels.shape, generator=generator, dtype=torch.float64)
    return (noise * 2 - 1 + 0.02 * labels)[:, None], labels


def partly_annotated(labels: Tensor, seed: int) -> Tensor:
    """The patches of random_batch, of which nobody annotated: the upper end and scattered voxels; nothing is missing;
    anything; background at the lower end and scattered."""
    generator = torch.Generator().manual_seed(seed)
    lost = torch.rand(labels.shape, generator=generator) < 0.02
    lost[0, 28:], lost[1], lost[2], lost[3, :3] = True, False, True, True
    lost[3] &= labels[3] == 0
    return torch.where(lost, UNLABELLED, labels)
