"""L_L: does slice i contain class j? Supervises L^, the logits of MILL (docs/method.md)."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional

from siil.losses.segmentation import NEVER, mean_where

PRESENT_WEIGHT = 3.0
KL_WEIGHT = 10.0


def localisation(
    logits: Float[Tensor, "B K z"],
    target: Bool[Tensor, "B K z"],
    unlabelled: Bool[Tensor, "B z"],
    *,
    entropy_weight: float = 1.0,
) -> Float[Tensor, " B"]:
    """Cross-entropy (times `entropy_weight`) + IoU + 10 KL, per sample. Row 0 is left out.

    target: T, the slices that each class occupies (siil.model.mill.occupied_slices). unlabelled: slices with voxels
    that nobody annotated: what T does not find in them is unknown, and the KL leaves them out.
    """
    known = target | ~unlabelled[:, None]
    logits, target, known = logits.masked_fill(~known, NEVER)[:, 1:], target[:, 1:], known[:, 1:]
    present = target.any(2)
    probability, truth = logits.sigmoid(), target.to(logits.dtype)
    return (
        entropy_weight * _entropy(logits, truth, present, known)
        + mean_where(_iou(probability, truth), present)
        + KL_WEIGHT * _divergence(probability, truth, present, target.any(1) & ~unlabelled)
    )


def _entropy(logits: Tensor, truth: Tensor, present: Tensor, known: Tensor) -> Tensor:
    """Binary cross-entropy, mean over the known slices of each row, then over the rows that have any; rows of present
    classes weigh three times as much."""
    entropy = functional.binary_cross_entropy_with_logits(logits, truth, reduction="none")
    count = known.sum(2)
    weight = torch.where(present, PRESENT_WEIGHT, 1.0).to(logits.dtype) * (count > 0)
    return (weight * entropy.sum(2) / count.clamp_min(1)).sum(1) / weight.sum(1).clamp_min(1)


def _iou(probability: Tensor, truth: Tensor) -> Tensor:
    overlap = (probability * truth).sum(2)
    return 1 - (overlap + 1) / (probability.sum(2) + truth.sum(2) - overlap + 1)


def _divergence(probability: Tensor, truth: Tensor, present: Tensor, slices: Tensor) -> Tensor:
    """KL(softmax b || softmax a) over `slices`, those with any vertebra: how many of the present ones share each."""
    predicted = _log_softmax_where((probability * present[..., None]).sum(1), slices)
    expected = _log_softmax_where(truth.sum(1), slices)
    return torch.where(slices, expected.exp() * (expected - predicted), 0).sum(1)


def _log_softmax_where(values: Float[Tensor, "B z"], mask: Bool[Tensor, "B z"]) -> Float[Tensor, "B z"]:
    """Log-softmax over the slices in `mask`; finite and meaningless elsewhere, also where the mask is empty."""
    return values.masked_fill(~mask, -1e4).log_softmax(1)
