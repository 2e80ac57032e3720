"""Small stand-ins for tests of the training: cases of a few voxels and a network with SIIL's interface."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from siil.anatomy import LANDMARKS
from siil.config.schema.training import Augment, Train
from siil.training.case_store import CaseArrays, make_case
from siil.training.patches import Batches

PATCH = (16, 8, 8)
CLASSES = 27


def make_settings(**changes: Any) -> Train:
    values: dict[str, Any] = {
        "seed": 3,
        "epochs": 3,
        "rounds": [],
        "shares": {},
        "average": 0,
        "steps_per_epoch": 4,
        "batch_size": 2,
        "encoder_epochs": 0.5,
        "teacher_epochs": 1.5,
        "learning_rate": 0.01,
        "weight_decay": 0.01,
        "schedule": "cosine",
        "decay": 0.95,
        "decay_every_epochs": 20,
        "clip_norm": 5,
        "precision": "32-true",
        "validate_every_epochs": 1,
        "validate_cases": None,
        "patience": None,
        "checkpoint_every_steps": 3,
        "init_weights": None,
        "half": False,
        "augment": {
            "probability": 0.5,
            "scale": 0.1,
            "rotation_deg": 10,
            "elastic_mm": 2,
            "noise_hu": 30,
            "appearance": 0,
            "shorten": 0,
        },
    }
    return Train.model_validate(values | changes)


def no_augment() -> Augment:
    return Augment(probability=0, scale=0, rotation_deg=0, elastic_mm=0, noise_hu=0, appearance=0, shorten=0)


def spine_case(name: str, *, first: int = 3, count: int = 3, shape: tuple[int, int, int] = (24, 12, 12)) -> CaseArrays:
    """Vertebrae `first`, `first + 1`, ... as bright blocks of 4 slices stacked from the lowest slice upwards."""
    labels = np.zeros(shape, np.uint8)
    for number in range(count):
        labels[4 * number : 4 * number + 3, 4:8, 4:8] = first + number
    image = np.where(labels > 0, 200 + 20 * labels.astype(np.int16), -100).astype(np.int16)
    pap = (labels > 0).astype(np.float32)
    return make_case(name, image=image, labels=labels, pap=pap / pap.sum())


def make_batches(**changes: Any) -> Batches:
    cases = {name: spine_case(name, first=first) for name, first in (("a", 3), ("b", 5), ("c", 9))}
    return Batches(
        cases=cases,
        names=tuple(cases),
        landmarks=dict.fromkeys(cases, LANDMARKS),
        settings=make_settings(**changes),
        patch_vox=PATCH,
        spacing_mm=3.0,
        window_hu=(-500.0, 1300.0),
    )


@dataclass(frozen=True)
class TinyOutput:
    """Frozen like the network's own output."""

    vertebrae: Tensor
    presence: Tensor
    teacher: bool


class TinyNetwork(nn.Module):
    """encoder, presence, decoder and a memory; dropout, so that a resumed run must restore the generators."""

    def __init__(self, *, seed: int = 0) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.encoder = nn.Conv3d(1, 6, 3, padding=1)
        self.presence = nn.Linear(6, CLASSES - 1)
        self.decoder = nn.Conv3d(6, CLASSES, 1)
        self.dropout = nn.Dropout(0.1)
        self.register_buffer("memory", torch.zeros(6))
        self.register_buffer("prototypes", torch.zeros(6))
        self.refreshes: list[int] = []
        self.teachers: list[bool] = []

    def forward(self, image: Tensor, labels: Tensor | None = None) -> TinyOutput:
        self.teachers.append(labels is not None)
        features = self.dropout(functional.relu(self.encoder(image)))
        pooled = features.mean(dim=(2, 3, 4)) + self.prototypes
        return TinyOutput(self.decoder(features), self.presence(pooled), labels is not None)

    def remember(self, output: TinyOutput, labels: Tensor) -> None:
        self.memory += output.presence.detach().float().mean()

    def refresh_prototypes(self, seed: int) -> None:
        self.refreshes.append(seed)
        self.prototypes.copy_(0.01 * self.memory)


def tiny_loss(output: TinyOutput, labels: Tensor) -> dict[str, Tensor]:
    vertebrae = functional.cross_entropy(output.vertebrae.float(), labels.long())
    present = functional.one_hot(labels.long().flatten(1), CLASSES).amax(dim=1)[:, 1:].float()
    presence = functional.binary_cross_entropy_with_logits(output.presence.float(), present)
    return {"vertebrae": vertebrae, "presence": presence, "total": vertebrae + presence}
