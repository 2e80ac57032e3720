"""Every term of the total loss, of one patch (docs/method.md).

What nobody annotated (label 255) is left out of the lists that each term is a sum or a mean of.
"""

from __future__ import annotations

import math

import torch
from jaxtyping import Bool, Float, Integer
from torch import Tensor
from torch.nn import functional

from tests.oracle.blocks import Vector
from tests.oracle.network import CLASSES, Answer

WEIGHTS = {
    "spine": 1.0,
    "vertebrae": 1.0,
    "instance": 1.0,
    "semantic": 1.0,
    "localisation": 1.0,
    "presence": 20.0,
    "contrast": 0.05,
}
TEMPERATURE = 0.07
T13 = 20
UNLABELLED = 255


def terms_of(
    answer: Answer,
    labels: Integer[Tensor, "Z Y X"],
    *,
    stride: int,
    activation: str,
    M: Tensor,
    filled: Tensor,
    entropy_weight: float = 1.0,
) -> dict[str, Tensor]:
    """The terms of one patch, unweighted. M [K, q, E] and filled [K, q]: the memory as it was in the forward pass.

    entropy_weight: of the cross-entropy within L_L.
    """
    kind = answer.spine.dtype
    target = pooled(labels, stride, kind)
    unlabelled = functional.max_pool3d((labels == UNLABELLED).to(kind)[None], stride)[0] > 0
    any_vertebra = torch.stack(target[1:]).amax(0)
    told = told_classes(labels)
    known = labels != UNLABELLED
    terms = {
        "spine": dice_bce(answer.spine[0][known], (labels[known] > 0).to(kind)),
        "vertebrae": vertebrae(answer.vertebrae[:, known], labels[known], activation),
        "instance": instance(answer.instance, target, unlabelled),
        "semantic": dice_bce(*annotated(answer.semantic[0], any_vertebra, unlabelled)),
        "presence": presence(answer.C, {j: bool(target[j].any()) for j in told if j > 0}),
        "contrast": contrast({j: e for j, e in answer.e.items() if j in told}, M, filled),
    }
    if answer.L_hat is not None:
        T = [mask.amax((1, 2)) for mask in target]
        terms["localisation"] = localisation(answer.L_hat, T, unlabelled.flatten(1).any(1), entropy_weight)
    return terms


def told_classes(labels: Integer[Tensor, "Z Y X"]) -> list[int]:
    """Of which classes the labels tell whether they are in the patch."""
    named = [j for j in range(CLASSES) if (labels == j).any()]
    return named if (labels == UNLABELLED).any() else list(range(CLASSES))


def annotated(logits: Tensor, target: Tensor, unlabelled: Tensor) -> tuple[Tensor, Tensor]:
    """Logits and truth where the truth is known: it is 1, or every voxel below is annotated."""
    known = (target > 0) | ~unlabelled
    return logits[known], target[known]


def pooled(labels: Integer[Tensor, "Z Y X"], stride: int, kind: torch.dtype) -> list[Tensor]:
    """The one-hot labels of each class, max-pooled: zeros and ones [z, y, x]."""
    return [functional.max_pool3d((labels == j).to(kind)[None], stride)[0] for j in range(CLASSES)]


def bce(logits: Tensor, target: Tensor) -> Tensor:
    """Per element."""
    return -(target * functional.logsigmoid(logits) + (1 - target) * functional.logsigmoid(-logits))


def dice(probability: Tensor, target: Tensor) -> Float[Tensor, ""]:
    """Soft Dice loss with smoothing 1."""
    return 1 - (2 * (probability * target).sum() + 1) / (probability.sum() + target.sum() + 1)


def dice_bce(logits: Tensor, target: Tensor) -> Float[Tensor, ""]:
    return dice(logits.sigmoid(), target) + mean(bce(logits, target))


def mean(values: Tensor) -> Float[Tensor, ""]:
    """0 of nothing."""
    return values.mean() if values.numel() else values.sum()


def vertebrae(logits: Float[Tensor, "K n"], labels: Integer[Tensor, "n"], activation: str) -> Tensor:
    """Cross-entropy over all K and the mean Dice over the classes in the ground truth, of the annotated voxels."""
    likely = logits.softmax(0) if activation == "softmax" else logits.sigmoid()
    entropy = logits.new_zeros(())
    dices = []
    for j, (logit, probability) in enumerate(zip(logits, likely, strict=True)):
        target = (labels == j).to(logits.dtype)
        if activation == "softmax":
            entropy = entropy - mean(probability.log() * target)
        else:
            entropy = entropy + mean(bce(logit, target)) / CLASSES
        if target.any():
            dices.append(dice(probability, target))
    return entropy + torch.stack(dices).mean() if dices else entropy


def instance(logits: Float[Tensor, "K z y x"], target: list[Tensor], unlabelled: Tensor) -> Tensor:
    """Dice + 2 BCE, mean over the vertebrae in the ground truth."""
    losses = []
    for j in range(1, CLASSES):
        if target[j].any():
            logit, truth = annotated(logits[j], target[j], unlabelled)
            losses.append(dice(logit.sigmoid(), truth) + 2 * bce(logit, truth).mean())
    return torch.stack(losses).mean() if losses else logits.new_zeros(())


def localisation(L_hat: Float[Tensor, "K z"], T: list[Tensor], unlabelled: Tensor, entropy_weight: float) -> Tensor:
    """L_L: weighted cross-entropy + 1 - IoU of present rows + 10 KL of how many vertebrae a slice has.

    unlabelled [z]: slices with voxels that nobody annotated.
    """
    present = [j for j in range(1, CLASSES) if T[j].any()]
    entropy, weights = L_hat.new_zeros(()), 0.0
    for j in range(1, CLASSES):
        logits, truth = annotated(L_hat[j], T[j], unlabelled)
        if len(truth):
            weight = 3.0 if j in present else 1.0
            entropy = entropy + weight * bce(logits, truth).mean()
            weights += weight
    loss = entropy_weight * entropy / max(weights, 1.0)
    if not present:
        return loss
    misses = []
    for j in present:
        logits, truth = annotated(L_hat[j], T[j], unlabelled)
        likely = logits.sigmoid()
        both = (likely * truth).sum()
        misses.append(1 - (both + 1) / (likely.sum() + truth.sum() - both + 1))
    inside = [i for i in range(L_hat.shape[1]) if any(T[j][i] > 0 for j in present) and not unlabelled[i]]
    if not inside:
        return loss + torch.stack(misses).mean()
    a = torch.stack([sum((L_hat[j, i].sigmoid() for j in present), start=L_hat.new_zeros(())) for i in inside])
    b = torch.stack([sum((T[j][i] for j in present), start=L_hat.new_zeros(())) for i in inside])
    divergence = sum(q * (q / r).log() for q, r in zip(b.softmax(0), a.softmax(0), strict=True))
    return loss + torch.stack(misses).mean() + 10 * divergence


def presence(C: Vector, found: dict[int, bool]) -> Tensor:
    """L_C: focal, alpha 0.25 for present classes, 1 - alpha for absent ones, gamma 2."""
    losses = []
    for j, there in found.items():
        right = C[j - 1] if there else -C[j - 1]
        losses.append(-(0.25 if there else 0.75) * (-right).sigmoid() ** 2 * functional.logsigmoid(right))
    return torch.stack(losses).mean() if losses else C.new_zeros(())


def distance(j: int, c: int) -> int:
    """In anatomical order: T13 is 1 from T12 and from L1, which are 1 apart."""
    low, high = min(j, c), max(j, c)
    return high - low - 1 if low < T13 < high else high - low


def contrast(e: dict[int, Tensor], M: Float[Tensor, "K q E"], filled: Bool[Tensor, "K q"]) -> Tensor:
    """L_M, over the present vertebrae that the memory knows."""
    memory: dict[int, Tensor] = {}
    for c in range(1, CLASSES):
        slots = [M[c, n] / M[c, n].norm() for n in range(M.shape[1]) if filled[c, n]]
        if slots:
            memory[c] = torch.stack(slots)
    losses = []
    for j, embedding in e.items():
        if j not in memory:
            continue
        z = embedding / embedding.norm()
        N = z.new_zeros(())
        for c, slots_of_c in memory.items():
            if c != j:
                N = N + math.exp(1 / distance(j, c)) * (slots_of_c @ z / TEMPERATURE).exp().sum()
        own = (memory[j] @ z / TEMPERATURE).exp()
        inter = -(own / (own + N)).log().mean()
        intra = (z - memory[j]).square().mean()
        losses.append(inter + 50 * intra / TEMPERATURE)
    return torch.stack(losses).mean() if losses else M.new_zeros(())
