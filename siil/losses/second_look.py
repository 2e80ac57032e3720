"""The loss of the second look: cross-entropy over none, this and another, and Dice of this and of another."""

from __future__ import annotations

from typing import Final

import torch
from jaxtyping import Float, Integer
from torch import Tensor
from torch.nn import functional

from siil.anatomy import UNLABELLED
from siil.model.second_look import ANOTHER, THIS

_SMOOTH: Final = 1.0


def second_look_loss(logits: Float[Tensor, "B 3 Z Y X"], truth: Integer[Tensor, "B Z Y X"]) -> dict[str, Tensor]:
    """`total` = CE + 1 - Dice, the mean of the Dice of this and of the Dice of another over all voxels of the batch.

    truth: NONE, THIS, ANOTHER; voxels of UNLABELLED count nowhere.
    """
    logits, truth = logits.float(), truth.long()
    known = truth != UNLABELLED
    entropy = functional.cross_entropy(logits, truth, ignore_index=UNLABELLED, reduction="sum") / known.sum().clamp_min(
        1
    )
    chance = logits.softmax(dim=1) * known[:, None]
    dice = []
    for label in (THIS, ANOTHER):
        there = truth == label
        common = (chance[:, label] * there).sum()
        dice.append((2 * common + _SMOOTH) / (chance[:, label].sum() + there.sum() + _SMOOTH))
    return {"total": entropy + 1 - torch.stack(dice).mean()}
