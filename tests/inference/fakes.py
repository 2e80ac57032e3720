"""A small network with the interface of siil.model.network.Network, for tests of what comes after the network."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from siil.anatomy import CLASSES


@dataclass(frozen=True)
class FakeCore:
    localisation_logits: Tensor
    embeddings: Tensor
    present: Tensor


@dataclass(frozen=True)
class FakeOutput:
    spine: Tensor
    vertebrae: Tensor
    core: FakeCore | None
    landmarks: Tensor | None = None


class FakeNetwork(nn.Module):
    """Convolutions of the image, so that a voxel's answer depends on its window's border: blending matters. landmarks:
    the sacrum is where O_R is, ribs everywhere else."""

    def __init__(self, *, core: bool = False, stride: int = 2, landmarks: bool = False) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.spine = nn.Conv3d(1, 1, 5, padding=2)
        self.vertebrae = nn.Conv3d(1, CLASSES, 3, padding=1)
        self.spine.weight.data *= 8
        self.vertebrae.weight.data *= 8
        self.core = core
        self.landmarks = landmarks
        self.stride = stride
        self.calls: list[tuple[int, ...]] = []
        self.modes: list[bool] = []

    def forward(self, image: Tensor, labels: Tensor | None = None) -> FakeOutput:
        assert labels is None
        self.calls.append(tuple(image.shape))
        self.modes.append(self.training)
        core = None
        if self.core:
            level = image.mean(dim=(1, 3, 4))[:, :: self.stride]  # [B, z]
            logits = level[:, None].expand(-1, CLASSES, -1) * torch.arange(CLASSES)[None, :, None]
            present = torch.zeros(len(image), CLASSES, dtype=torch.bool)
            present[:, [0, 3, 4]] = True
            core = FakeCore(logits, torch.arange(CLASSES)[None, :, None].expand(len(image), -1, 6).float(), present)
        spine = self.spine(image)
        landmarks = torch.cat([spine, -spine], dim=1) if self.landmarks else None
        return FakeOutput(spine, self.vertebrae(image), core, landmarks)
