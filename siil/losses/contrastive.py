"""L_M: embeddings near the memory of their class and far from that of others (docs/method.md).

The embedding carries the gradient, only the memory is detached: nothing else trains the GRU. Neighbours in anatomical
order are the harder negatives: exp(1 / d).
"""

from __future__ import annotations

from functools import cache

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional

from siil.anatomy import ORDER_DISTANCE
from siil.losses.segmentation import mean_where

INTRA_WEIGHT = 50.0


def contrast(
    embeddings: Float[Tensor, "B K E"],
    present: Bool[Tensor, "B K"],
    memory: Float[Tensor, "K q E"],
    filled: Bool[Tensor, "K q"],
    told: Bool[Tensor, "B K"],
    *,
    temperature: float,
) -> Float[Tensor, " B"]:
    """inter + 50 intra / temperature, mean over the present vertebrae whose memory is filled, per sample; none: zero.

    Background (class 0) takes no part, neither as instance nor as a negative. told: whether the labels say if a
    class is in the patch (siil.model.mill.told_classes); where they do not, its vertebra is not counted.
    """
    unit = functional.normalize(embeddings[:, 1:], dim=2)
    slots = functional.normalize(memory[1:].detach().to(unit.dtype), dim=2)
    filled = filled[1:]
    similarity = torch.einsum("bje,cqe->bjcq", unit, slots) / temperature
    own = similarity.diagonal(dim1=1, dim2=2).movedim(2, 1)  # [B, J, q], slots of the instance's own class
    negatives = _log_negatives(similarity, filled)
    inter = _mean_slots(-functional.logsigmoid(own - negatives[..., None]), filled)
    squared = (unit[:, :, None] - slots).square().mean(3)
    intra = _mean_slots(squared, filled)
    counted = (present & told)[:, 1:] & filled.any(1)
    return mean_where(inter + INTRA_WEIGHT * intra / temperature, counted)


def _log_negatives(similarity: Float[Tensor, "B J J q"], filled: Bool[Tensor, "J q"]) -> Float[Tensor, "B J"]:
    """log N_j: over the filled slots of every other class, each weighted with exp(1 / distance)."""
    distance = _distance(similarity.device, similarity.dtype)
    others = distance > 0
    weighted = similarity + (1 / distance.clamp_min(1))[:, :, None]
    counted = others[:, :, None] & filled
    # Unlike -inf, a finite log of nothing leaves no NaN in the gradient where no slot counts.
    nothing = torch.finfo(weighted.dtype).min / 4
    return weighted.masked_fill(~counted, nothing).flatten(2).logsumexp(2)


@cache
def _distance(device: torch.device, dtype: torch.dtype) -> Float[Tensor, "J J"]:
    """Distance in anatomical order; kept on the device, since a copy to a GPU would wait for it in every step."""
    with torch.inference_mode(False):
        return torch.as_tensor(ORDER_DISTANCE[1:, 1:], dtype=dtype, device=device)


def _mean_slots(values: Float[Tensor, "B J q"], filled: Bool[Tensor, "J q"]) -> Float[Tensor, "B J"]:
    return torch.where(filled, values, 0).sum(2) / filled.sum(1).clamp_min(1)
