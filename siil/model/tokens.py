"""From image space to tokens and back (docs/method.md): F -> R1 and S1, R3 -> R~, S3 -> S~.

A slice of F enters both streams as one row of numbers: all its voxels (`FlatSlices`, the paper's; the two linear maps
that follow then hold most of the parameters), or mean and maximum of its channels (`PooledSlices`).
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


class FlatSlices(nn.Module):
    """F -> a row per axial slice: every voxel of it, after a 1^3 reduction to `token_channels` (all: none)."""

    def __init__(self, *, channels: int, token_channels: int, side_vox: tuple[int, int]) -> None:
        super().__init__()
        less = token_channels < channels
        self.reduce = nn.Conv3d(channels, token_channels, 1, bias=False) if less else nn.Identity()
        self.size = token_channels * math.prod(side_vox)

    def forward(self, F: Float[Tensor, "B E z y x"]) -> Float[Tensor, "B z n"]:
        return rearrange(self.reduce(F), "b c z y x -> b z (c y x)")


class PooledSlices(nn.Module):
    """F -> a row per axial slice: mean and maximum of each channel over it, wherever in the patch the spine lies."""

    def __init__(self, *, channels: int) -> None:
        super().__init__()
        self.size = 2 * channels

    def forward(self, F: Float[Tensor, "B E z y x"]) -> Float[Tensor, "B z n"]:
        return rearrange(torch.cat([F.mean(dim=(3, 4)), F.amax(dim=(3, 4))], dim=1), "b n z -> b z n")


class SliceTokens(nn.Module):
    """Slices of F -> R1: one token per axial slice, a linear map of the whole slice."""

    def __init__(self, *, inputs: int, embed: int) -> None:
        super().__init__()
        self.project = nn.Linear(inputs, embed)

    def forward(self, slices: Float[Tensor, "B z n"]) -> Float[Tensor, "B z E"]:
        return self.project(slices)


class InstanceTokens(nn.Module):
    """Slices of F, L -> S1: those of each instance, average-pooled to 8, and one linear map of that whole block.

    Pooling and the map are both linear, so the map comes first: every slice is projected by the eight parts of the map
    (`project`), then the parts of an instance are averaged and added. The same function, at a cost that depends neither
    on K nor on the number of vertebrae present, and without a tensor of K x 8 x y x x features.
    """

    def __init__(self, *, inputs: int, embed: int) -> None:
        super().__init__()
        self.project = nn.Linear(inputs, PARTS * embed, bias=False)
        self.bias = nn.Parameter(torch.empty(embed))
        bound = 1 / math.sqrt(PARTS * inputs)  # of one map with all the inputs of an instance
        nn.init.uniform_(self.project.weight, -bound, bound)
        nn.init.uniform_(self.bias, -bound, bound)

    def forward(self, slices: Float[Tensor, "B z n"], L: Bool[Tensor, "B K z"]) -> Float[Tensor, "B K E"]:
        """S1; rows of absent instances are zero."""
        parts = self.project(slices)
        weights = pooling_weights(L, parts=PARTS, dtype=slices.dtype)
        pooled = rearrange(weights, "b k o z -> b k (z o)") @ rearrange(parts, "b z (o e) -> b (z o) e", o=PARTS)
        return (pooled + self.bias) * L.any(dim=2, keepdim=True)


class SemanticMap(nn.Module):
    """R3 -> R~: logits of spine at low resolution. With `dot`, the product of each slice's token and F is added."""

    def __init__(self, *, side_vox: tuple[int, int], embed: int, dot: bool) -> None:
        super().__init__()
        self.side_vox = side_vox
        self.norm = nn.LayerNorm(embed)
        self.project = nn.Linear(embed, math.prod(side_vox))
        self.norm_out = nn.LayerNorm(math.prod(side_vox))
        nn.init.constant_(self.norm_out.bias, -1.5)
        self.query = nn.Linear(embed, embed) if dot else None

    def forward(self, R3: Float[Tensor, "B z E"], F: Float[Tensor, "B E z y x"]) -> Float[Tensor, "B 1 z y x"]:
        normed = self.norm(R3)
        maps = rearrange(self.norm_out(self.project(normed)), "b z (y x) -> b 1 z y x", y=self.side_vox[0])
        if self.query is None:
            return maps
        return maps + torch.einsum("bze,bezyx->bzyx", self.query(normed), F)[:, None] / math.sqrt(F.shape[1])


class InstanceMap(nn.Module):
    """S3, L -> S~: logits of each vertebra at low resolution: eight slices, resampled to those of its instance.

    With `dot` an instance also looks at F: the product of its token with the features of each voxel is added, so that
    the token need not know where in the slice its vertebra lies.
    """

    def __init__(self, *, side_vox: tuple[int, int], embed: int, dot: bool) -> None:
        super().__init__()
        self.side_vox = side_vox
        self.norm = nn.LayerNorm(embed)
        self.project = nn.Linear(embed, PARTS * math.prod(side_vox))
        self.norm_out = nn.LayerNorm(PARTS * math.prod(side_vox))
        nn.init.constant_(self.norm_out.bias, -2.5)
        self.query = nn.Linear(embed, embed) if dot else None

    def forward(
        self, S3: Float[Tensor, "B K E"], L: Bool[Tensor, "B K z"], F: Float[Tensor, "B E z y x"]
    ) -> Float[Tensor, "B K z y x"]:
        normed = self.norm(S3)
        blocks = rearrange(self.norm_out(self.project(normed)), "b k (o p) -> b k o p", o=PARTS)
        maps = writing_weights(L, parts=PARTS, dtype=S3.dtype) @ blocks
        maps = rearrange(maps, "b k z (y x) -> b k z y x", y=self.side_vox[0])
        if self.query is not None:
            seen = self.query(normed) @ F.flatten(2) / math.sqrt(F.shape[1])
            maps = maps + seen.unflatten(2, F.shape[2:])
        inside = L.clone()
        inside[:, 0] = False  # background is a token of the attention and nothing else
        return maps.masked_fill(~inside[..., None, None], OUTSIDE_LOGIT)
