"""L_C: which vertebrae are in the patch? A focal loss (docs/method.md)."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional

from siil.losses.segmentation import mean_where

ALPHA = 0.25
GAMMA = 2


def presence(
    logits: Float[Tensor, "B J"], target: Bool[Tensor, "B J"], told: Bool[Tensor, "B J"]
) -> Float[Tensor, " B"]:
    """Focal loss, mean over the classes that are `told` (siil.model.mill.told_classes), per sample: alpha for present
    classes, 1 - alpha for absent ones."""
    truth = target.to(logits.dtype)
    entropy = functional.binary_cross_entropy_with_logits(logits, truth, reduction="none")
    wrong = torch.where(target, 1 - logits.sigmoid(), logits.sigmoid())
    alpha = torch.where(target, ALPHA, 1 - ALPHA)
    return mean_where(alpha * wrong**GAMMA * entropy, told)
