"""Dice and cross-entropy of O_R, O_S, R~ and S~ (docs/method.md). Soft Dice has smoothing 1.

Every function returns one value per sample, [B]; the mean over samples is taken once, in losses/total.py. Targets of K
channels at full resolution are never made: values are gathered at the label of each voxel. What nobody annotated
(labels UNLABELLED, or not `known`) takes no part: its logits are set to NEVER, which adds 0 to every sum and gradient.
"""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Bool, Float, Integer
from torch import Tensor
from torch.nn import functional

from siil.anatomy import UNNAMED

SMOOTH = 1.0
NEVER = -1e4
"""A logit so low that its probability, its cross-entropy with background and their gradients are exactly 0."""


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
    value: Tensor = _Softmax.apply(logits, labels)
    return value


class _Softmax(torch.autograd.Function):
    """`classes_softmax` with its gradient in closed form: nothing of K channels is kept for it but the logits, and it
    takes half the time of torch's own rules, which would run the forward pass anew to keep as little."""

    @staticmethod
    def forward(ctx: Any, logits: Tensor, labels: Tensor) -> Tensor:
        known, at = _known(labels)
        probability = precise(logits).flatten(2).log_softmax(dim=1)
        log_at_label = probability.gather(1, at[:, None])[:, 0]
        probability = probability.exp_().mul_(known[:, None])
        overlap, total, present = _sums(probability, log_at_label.exp() * known, at, known)
        share = 1 / (total + SMOOTH) / present.sum(1, keepdim=True).clamp_min(1) * present
        every = share * (2 * overlap + SMOOTH) / (total + SMOOTH)
        ctx.save_for_backward(logits, at, known, every, -2 * share)
        return mean_where(_dice(overlap, total), present) - torch.where(known, log_at_label, 0).sum(1) / _count(known)

    @staticmethod
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor, None]:  # type: ignore[override]
        """`every`, `own`: derivative of Dice by the probability of a class in any voxel, and more in its own ones."""
        logits, at, known, every, own = ctx.saved_tensors
        probability = precise(logits).flatten(2).softmax(dim=1)
        by_label = own.gather(1, at) * probability.gather(1, at[:, None])[:, 0]
        entropy = probability.new_ones(()) / _count(known)[:, None]
        centre = entropy - (every[:, None] @ probability)[:, 0] - by_label
        scale = upstream[:, None] * known
        gradient = probability.mul_(every[..., None] + centre[:, None]).mul_(scale[:, None])
        gradient.scatter_add_(1, at[:, None], ((by_label - entropy) * scale)[:, None])
        return gradient.to(logits.dtype).view_as(logits), None


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
    """Which voxels have a name, and labels that can be gathered at: voxels without a name are background there."""
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
    """Mean soft Dice over classes that have a voxel. Where a voxel is not known, `probability` and `at_label` are 0."""
    overlap, total, present = _sums(probability, at_label, labels, known)
    return mean_where(_dice(overlap, total), present)


def _sums(
    probability: Float[Tensor, "B K n"],
    at_label: Float[Tensor, "B n"],
    labels: Integer[Tensor, "B n"],
    known: Bool[Tensor, "B n"],
) -> tuple[Float[Tensor, "B K"], Float[Tensor, "B K"], Bool[Tensor, "B K"]]:
    """Of each class for soft Dice: the overlap (the sum of `at_label` over its own voxels), the sum of both sizes, and
    whether it has a voxel."""
    empty = probability.new_zeros(probability.shape[:2])
    overlap = empty.scatter_add(1, labels, at_label)
    count = empty.scatter_add(1, labels, known.to(at_label.dtype))
    return overlap, probability.sum(2) + count, count > 0


def precise(logits: Float[Tensor, "*rest"]) -> Float[Tensor, "*rest"]:
    """float32 at least."""
    return logits.float() if logits.dtype in (torch.bfloat16, torch.float16) else logits
