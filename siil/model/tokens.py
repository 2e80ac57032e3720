"""From image space to tokens and back (method.md, sections 3, 5 and 8): F -> R1 and S1, R3 -> R~, S3 -> S~.

The two maps into tokens hold most of the parameters: a linear map of a whole slice, and one of a whole instance.
"""

from __future__ import annotations

import math

import torch
from einops import rearrange
from jaxtyping import Bool, Float
from torch import Tensor, nn

from siil.model.mill import pooling_weights, writing_weights

PARTS = 8
"""Slices that an instance is pooled to."""
OUTSIDE_LOGIT = -6.0
"""S~ outside an instance's slices. Not zero: sigmoid(0) is 0.5 everywhere, a floor under the Dice term."""


class SliceTokens(nn.Module):
    """F -> R1: one token per axial slice, a linear map of the whole slice."""

    def __init__(self, *, channels: int, side_vox: tuple[int, int], embed: int) -> None:
        super().__init__()
        self.project = nn.Linear(channels * math.prod(side_vox), embed)

    def forward(self, features: Float[Tensor, "B c z y x"]) -> Float[Tensor, "B z E"]:
        return self.project(rearrange(features, "b c z y x -> b z (c y x)"))


class InstanceTokens(nn.Module):
    """F, L -> S1: the slices of each instance, average-pooled to 8, and one linear map of that whole block.

    Pooling and the map are both linear, so the map comes first: every slice is projected by the eight parts of the map
    (`project`), then the parts of an instance are averaged and added. The same function, at a cost that depends neither
    on K nor on the number of vertebrae present, and without a tensor of K x 8 x y x x features.
    """

    def __init__(self, *, channels: int, side_vox: tuple[int, int], embed: int) -> None:
        super().__init__()
        inputs = channels * math.prod(side_vox)
        self.project = nn.Linear(inputs, PARTS * embed, bias=False)
        self.bias = nn.Parameter(torch.empty(embed))
        bound = 1 / math.sqrt(PARTS * inputs)  # of one map with all the inputs of an instance
        nn.init.uniform_(self.project.weight, -bound, bound)
        nn.init.uniform_(self.bias, -bound, bound)

    def forward(self, features: Float[Tensor, "B c z y x"], L: Bool[Tensor, "B K z"]) -> Float[Tensor, "B K E"]:
        """S1; rows of absent instances are zero."""
        slices = self.project(rearrange(features, "b c z y x -> b z (c y x)"))
        weights = pooling_weights(L, parts=PARTS, dtype=features.dtype)
        pooled = rearrange(weights, "b k o z -> b k (z o)") @ rearrange(slices, "b z (o e) -> b (z o) e", o=PARTS)
        return (pooled + self.bias) * L.any(dim=2, keepdim=True)


class SemanticMap(nn.Module):
    """R3 -> R~: logits of spine at low resolution."""

    def __init__(self, *, side_vox: tuple[int, int], embed: int) -> None:
        super().__init__()
        self.side_vox = side_vox
        self.norm = nn.LayerNorm(embed)
        self.project = nn.Linear(embed, math.prod(side_vox))
        self.norm_out = nn.LayerNorm(math.prod(side_vox))
        nn.init.constant_(self.norm_out.bias, -1.5)

    def forward(self, R3: Float[Tensor, "B z E"]) -> Float[Tensor, "B 1 z y x"]:
        maps = self.norm_out(self.project(self.norm(R3)))
        return rearrange(maps, "b z (y x) -> b 1 z y x", y=self.side_vox[0])


class InstanceMap(nn.Module):
    """S3, L -> S~: logits of each vertebra at low resolution: eight slices, resampled to those of its instance."""

    def __init__(self, *, side_vox: tuple[int, int], embed: int) -> None:
        super().__init__()
        self.side_vox = side_vox
        self.norm = nn.LayerNorm(embed)
        self.project = nn.Linear(embed, PARTS * math.prod(side_vox))
        self.norm_out = nn.LayerNorm(PARTS * math.prod(side_vox))
        nn.init.constant_(self.norm_out.bias, -2.5)

    def forward(self, S3: Float[Tensor, "B K E"], L: Bool[Tensor, "B K z"]) -> Float[Tensor, "B K z y x"]:
        blocks = rearrange(self.norm_out(self.project(self.norm(S3))), "b k (o p) -> b k o p", o=PARTS)
        maps = writing_weights(L, parts=PARTS, dtype=S3.dtype) @ blocks
        inside = L.clone()
        inside[:, 0] = False  # background is a token of the attention and nothing else
        maps = maps.masked_fill(~inside[..., None], OUTSIDE_LOGIT)
        return rearrange(maps, "b k z (y x) -> b k z y x", y=self.side_vox[0])
