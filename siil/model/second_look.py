"""The second look's network: which voxels of a crop are this vertebra, which another's, which none.

It is told where the first look saw this vertebra and its neighbours, so it need not know names and can be small. It
never computes at full resolution: 2 x 2 x 2 voxels of the CT become the channels of one (space to depth), a U-Net works
at 2, 4 and 8 voxels, and its head, which sees those channels again, answers for the eight voxels at once. There is no
normalisation layer: HU keep their meaning, and a patch in training is answered as the same voxels in a whole crop are.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

STRIDE: Final = 8
"""Sizes of a crop are multiples of this."""
NONE, THIS, ANOTHER = range(3)
INPUTS: Final = 3
"""CT, soft map of this vertebra, soft map of all others."""
_CELL: Final = 8
"""Voxels that share one place of the network."""


@dataclass(frozen=True)
class SecondLookWeights:
    """What a weights file of a second look says about itself.

    widths: channels at 2, 4 and 8 voxels. spacing_mm, margin_mm: of the crops. window_hu: what is mapped to [-1, 1].
    experiment, code, notes: where it comes from; free text.
    """

    widths: tuple[int, int, int]
    spacing_mm: float
    margin_mm: float
    window_hu: tuple[float, float]
    experiment: str = ""
    code: str = ""
    notes: str = ""


class SecondLook(nn.Module):
    """Logits of none, this and another for every voxel of a batch of crops."""

    def __init__(self, widths: tuple[int, int, int]) -> None:
        super().__init__()
        fine, middle, coarse = widths
        self.stem = nn.Conv3d(_CELL + 2, fine, 3, padding=1)
        self.fine = Block(fine)
        self.down = nn.Conv3d(fine, middle, 2, stride=2)
        self.middle = Block(middle)
        self.deeper = nn.Conv3d(middle, coarse, 2, stride=2)
        self.coarse = nn.Sequential(Block(coarse), Block(coarse))
        self.rise = nn.Conv3d(coarse, middle, 1)
        self.middle_back = Block(middle)
        self.rise_more = nn.Conv3d(middle, fine, 1)
        self.fine_back = Block(fine)
        self.head = nn.Conv3d(fine + _CELL + 2, 32, 3, padding=1)
        self.answer = nn.Conv3d(32, 3 * _CELL, 1)

    def forward(self, inputs: Float[Tensor, "B 3 Z Y X"]) -> Float[Tensor, "B 3 Z Y X"]:
        """Logits; sizes must be multiples of STRIDE.

        inputs: HU normalised to [-1, 1], and the two soft maps in [0, 1].
        """
        image = gather_cells(inputs[:, :1])
        cells = torch.cat([image, functional.avg_pool3d(inputs[:, 1:], 2)], dim=1)
        fine = self.fine(functional.relu(self.stem(cells)))
        middle = self.middle(functional.relu(self.down(fine)))
        coarse = self.coarse(functional.relu(self.deeper(middle)))
        middle = self.middle_back(middle + _twice(self.rise(coarse)))
        fine = self.fine_back(fine + _twice(self.rise_more(middle)))
        head = functional.relu(self.head(torch.cat([fine, cells], dim=1)))
        return spread_cells(self.answer(head))


class Block(nn.Module):
    """Two convolutions added to their input. The second begins at zero, so that a deep stack begins as the identity."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = nn.Conv3d(channels, channels, 3, padding=1)
        self.second = nn.Conv3d(channels, channels, 3, padding=1)
        nn.init.zeros_(self.second.weight)
        nn.init.zeros_(self.second.bias)  # type: ignore[arg-type]

    def forward(self, x: Float[Tensor, "B c Z Y X"]) -> Float[Tensor, "B c Z Y X"]:
        return functional.relu(x + self.second(functional.relu(self.first(x))))


def gather_cells(x: Float[Tensor, "B c Z Y X"]) -> Float[Tensor, "B d z y x"]:
    """Each 2 x 2 x 2 voxels as channels of one."""
    b, c, z, y, x_ = x.shape
    cells = x.reshape(b, c, z // 2, 2, y // 2, 2, x_ // 2, 2).permute(0, 1, 3, 5, 7, 2, 4, 6)
    return cells.reshape(b, c * _CELL, z // 2, y // 2, x_ // 2)


def spread_cells(x: Float[Tensor, "B d z y x"]) -> Float[Tensor, "B c Z Y X"]:
    """The inverse of `gather_cells`."""
    b, d, z, y, x_ = x.shape
    voxels = x.reshape(b, d // _CELL, 2, 2, 2, z, y, x_).permute(0, 1, 5, 2, 6, 3, 7, 4)
    return voxels.reshape(b, d // _CELL, 2 * z, 2 * y, 2 * x_)


def _twice(x: Tensor) -> Tensor:
    return functional.interpolate(x, scale_factor=2, mode="nearest")
