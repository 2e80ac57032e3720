"""Dice and cross-entropy of O_R, O_S, R~ and S~ (method.md, section 10). Soft Dice has smoothing 1.

Every function returns one value per sample, [B]; the mean over samples is taken once, in losses/total.py. Targets of K
channels at full resolution are never made: values are gathered at the label of each voxel.
"""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float, Integer
from torch import Tensor
from torch.nn import functional

SMOOTH = 1.0


def binary(logits: Float[Tensor, "B *space"], target: Bool[Tensor, "B *space"]) -> Float[Tensor, " B"]:
    """Soft Dice + mean binary cross-entropy of a single channel: O_R, and R~ at low resolution."""
    logits, truth = logits.flatten(1), target.flatten(1).to(logits.dtype)
    dice = _dice((logits.sigmoid() * truth).sum(1), logits.sigmoid().sum(1) + truth.sum(1))
    return dice + functional.binary_cross_entropy_with_logits(logits, truth, reduction="none").mean(1)


def classes_softmax(logits: Float[Tensor, "B K *space"], labels: Integer[Tensor, "B *space"]) -> Float[Tensor, " B"]:
    """O_S as a softmax: cross-entropy over all K, mean over voxels (this is what penalises absent classes), plus the
    mean soft Dice of the classes present in the ground truth, background among them."""
    log_probability = logits.flatten(2).log_softmax(dim=1)
    labels = labels.flatten(1)
    at_label = log_probability.gather(1, labels[:, None])[:, 0]
    dice = _present_dice(log_probability.exp(), at_label.exp(), labels)
    return dice - at_label.mean(1)


def classes_sigmoid(logits: Float[Tensor, "B K *space"], labels: Integer[Tensor, "B *space"]) -> Float[Tensor, " B"]:
    """O_S as a sigmoid per class: binary cross-entropy, mean over all K and all voxels, plus Dice as for softmax."""
    logits, labels = logits.flatten(2), labels.flatten(1)
    at_label = logits.gather(1, labels[:, None])[:, 0]
    dice = _present_dice(logits.sigmoid(), at_label.sigmoid(), labels)
    # BCE is softplus(x) - x t; the second part is not zero at the label alone
    entropy = functional.softplus(logits).mean((1, 2)) - at_label.mean(1) / logits.shape[1]
    return dice + entropy


def instances(logits: Float[Tensor, "B K *space"], target: Bool[Tensor, "B K *space"]) -> Float[Tensor, " B"]:
    """S~: Dice + 2 BCE of each vertebra present in the ground truth, mean over those; none: zero.

    target: one-hot labels max-pooled to low resolution (several classes may share a voxel). Row 0 is left out.
    """
    logits, truth = logits[:, 1:].flatten(2), target[:, 1:].flatten(2)
    present = truth.any(2)
    truth = truth.to(logits.dtype)
    probability = logits.sigmoid()
    dice = _dice((probability * truth).sum(2), probability.sum(2) + truth.sum(2))
    entropy = functional.binary_cross_entropy_with_logits(logits, truth, reduction="none").mean(2)
    return mean_where(dice + 2 * entropy, present)


def mean_where(values: Float[Tensor, "B n"], mask: Bool[Tensor, "B n"]) -> Float[Tensor, " B"]:
    """Mean over the entries in `mask`; where there are none zero, still connected to the graph."""
    return torch.where(mask, values, 0 * values).sum(1) / mask.sum(1).clamp_min(1)


def _dice(overlap: Tensor, total: Tensor) -> Tensor:
    return 1 - (2 * overlap + SMOOTH) / (total + SMOOTH)


def _present_dice(
    probability: Float[Tensor, "B K n"], at_label: Float[Tensor, "B n"], labels: Integer[Tensor, "B n"]
) -> Float[Tensor, " B"]:
    """Mean soft Dice over classes that have a voxel: their overlap is the sum of `at_label` over their own voxels."""
    empty = probability.new_zeros(probability.shape[:2])
    overlap = empty.scatter_add(1, labels, at_label)
    count = empty.scatter_add(1, labels, torch.ones_like(at_label))
    return mean_where(_dice(overlap, probability.sum(2) + count), count > 0)
