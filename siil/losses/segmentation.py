"""Dice and cross-entropy of O_R, O_S, R~ and S~ (method.md, section 10). Soft Dice has smoothing 1.

Every function returns one value per sample, [B]; the mean over samples is taken once, in losses/total.py. Targets of K
channels at full resolution are never made: values are gathered at the label of each voxel. What nobody annotated
(labels UNLABELLED, or not `known`) takes no part: its logits are put where every sum of a term, and its gradient, is 0.
"""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float, Integer
from torch import Tensor
from torch.nn import functional

from siil.anatomy import UNNAMED

SMOOTH = 1.0
NEVER = -1e4
"""A logit, or log probability, whose probability, cross-entropy with background and gradients are exactly 0."""


def binary(
    logits: Float[Tensor, "B *space"], target: Bool[Tensor, "B *space"], known: Bool[Tensor, "B *space"]
) -> Float[Tensor, " B"]:
    """Soft Dice + mean binary cross-entropy of a single channel where it is known: O_R, and R~ at low resolution."""
    known = known.flatten(1)
    logits = logits.flatten(1).masked_fill(~known, NEVER)
    truth = (target.flatten(1) & known).to(logits.dtype)
    dice = _dice((logits.sigmoid() * truth).sum(1), logits.sigmoid().sum(1) + truth.sum(1))
    entropy = functional.binary_cross_entropy_with_logits(logits, truth, reduction="none")
    return dice + entropy.sum(1) / _count(known)


def classes_softmax(logits: Float[Tensor, "B K *space"], labels: Integer[Tensor, "B *space"]) -> Float[Tensor, " B"]:
    """O_S as a softmax: cross-entropy over all K, mean over voxels (this is what penalises absent classes), plus the
    mean soft Dice of the classes present in the ground truth, background among them."""
    known, labels = _known(labels)
    log_probability = logits.flatten(2).log_softmax(dim=1).masked_fill(~known[:, None], NEVER)
    at_label = log_probability.gather(1, labels[:, None])[:, 0]
    dice = _present_dice(log_probability.exp(), at_label.exp(), labels, known)
    return dice - torch.where(known, at_label, 0).sum(1) / _count(known)


def classes_sigmoid(logits: Float[Tensor, "B K *space"], labels: Integer[Tensor, "B *space"]) -> Float[Tensor, " B"]:
    """O_S as a sigmoid per class: binary cross-entropy, mean over all K and all voxels, plus Dice as for softmax."""
    known, labels = _known(labels)
    classes = logits.shape[1]
    logits = logits.flatten(2).masked_fill(~known[:, None], NEVER)
    at_label = logits.gather(1, labels[:, None])[:, 0]
    dice = _present_dice(logits.sigmoid(), at_label.sigmoid(), labels, known)
    # BCE is softplus(x) - x t; the second part is not zero at the label alone
    count = _count(known)
    entropy = functional.softplus(logits).sum((1, 2)) / (classes * count)
    return dice + (entropy - torch.where(known, at_label, 0).sum(1) / count / classes)


def instances(
    logits: Float[Tensor, "B K *space"], target: Bool[Tensor, "B K *space"], unlabelled: Bool[Tensor, "B *space"]
) -> Float[Tensor, " B"]:
    """S~: Dice + 2 BCE of each vertebra present in the ground truth, mean over those; none: zero.

    target: one-hot labels max-pooled to low resolution (several classes may share a voxel). Row 0 is left out.
    unlabelled: cells that hold a voxel that nobody annotated; what the labels do not find in them is unknown.
    """
    found = target[:, 1:].flatten(2)
    known = found | ~unlabelled.flatten(1)[:, None]
    logits, truth = logits[:, 1:].flatten(2).masked_fill(~known, NEVER), found.to(logits.dtype)
    probability = logits.sigmoid()
    dice = _dice((probability * truth).sum(2), probability.sum(2) + truth.sum(2))
    entropy = functional.binary_cross_entropy_with_logits(logits, truth, reduction="none").sum(2) / _count(known)
    return mean_where(dice + 2 * entropy, found.any(2))


def mean_where(values: Float[Tensor, "B n"], mask: Bool[Tensor, "B n"]) -> Float[Tensor, " B"]:
    """Mean over the entries in `mask`; where there are none zero, still connected to the graph."""
    return torch.where(mask, values, 0 * values).sum(1) / mask.sum(1).clamp_min(1)


def _known(labels: Integer[Tensor, "B *space"]) -> tuple[Bool[Tensor, "B n"], Integer[Tensor, "B n"]]:
    """Which voxels have a name, and labels that can be gathered at: those that have none count as background."""
    labels = labels.flatten(1)
    known = labels < UNNAMED
    return known, torch.where(known, labels, 0)


def _count(known: Bool[Tensor, "*rest n"]) -> Integer[Tensor, "*rest"]:
    return known.sum(-1).clamp_min(1)


def _dice(overlap: Tensor, total: Tensor) -> Tensor:
    return 1 - (2 * overlap + SMOOTH) / (total + SMOOTH)


def _present_dice(
    probability: Float[Tensor, "B K n"],
    at_label: Float[Tensor, "B n"],
    labels: Integer[Tensor, "B n"],
    known: Bool[Tensor, "B n"],
) -> Float[Tensor, " B"]:
    """Mean soft Dice over classes that have a voxel: their overlap is the sum of `at_label` over their own voxels.

    Where a voxel is not known, `probability` and `at_label` are 0.
    """
    empty = probability.new_zeros(probability.shape[:2])
    overlap = empty.scatter_add(1, labels, at_label)
    count = empty.scatter_add(1, labels, known.to(at_label.dtype))
    return mean_where(_dice(overlap, probability.sum(2) + count), count > 0)
