"""The forward pass of one patch: both streams and both exchanges (docs/method.md)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float, Integer
from torch import Tensor
from torch.nn import functional

from tests.oracle.blocks import (
    Params,
    Stream,
    Vector,
    cross_attention,
    gelu,
    gru,
    layer_norm,
    linear,
    mlp,
    self_attention,
)
from tests.oracle.mill import Heights, Rows, from_prediction, from_truth, occupied
from tests.oracle.volumes import (
    Volume,
    convolve,
    presence,
    pyramid,
    resnet10,
    shared_decoder,
    two_decoders,
)

CLASSES = 27
PARTS = 8
"""An instance is a block of 8 slices."""


@dataclass(frozen=True)
class Setting:
    """What the parameters do not tell."""

    encoder: str
    stride: int
    heads: int
    heights: Heights
    interaction: bool = True
    mill: bool = True
    ocpl: bool = True
    gru: bool = True
    slices: str = "flat"
    prior: bool = False


@dataclass(frozen=True)
class Answer:
    """Of one patch. L_hat: None without MILL. e: of the present vertebrae, by class."""

    spine: Float[Tensor, "1 Z Y X"]
    vertebrae: Float[Tensor, "K Z Y X"]
    semantic: Float[Tensor, "1 z y x"]
    instance: Float[Tensor, "K z y x"]
    L_hat: Float[Tensor, "K z"] | None
    L: Rows
    C: Vector
    e: dict[int, Tensor]


def forward(
    p: Params, P: Float[Tensor, "K k E"] | None, image: Volume, labels: Integer[Tensor, "Z Y X"] | None, s: Setting
) -> Answer:
    """p: the network's parameters by name. P: the prototypes. labels: where L is to come from the ground truth."""
    F, skips = resnet10(p, image) if s.encoder == "resnet10" else pyramid(p, image)
    C = presence(p, F)
    slices = slice_rows(p, F, s)

    R2 = self_attention(p, "slice_attention", [linear(p, "slice_tokens.project", row) for row in slices], s.heads)
    L_hat = localisation_logits(p, R2) if s.mill else None
    L = localise(L_hat, C, labels, len(slices), s)
    present = [j for j in range(CLASSES) if any(L[j])]

    S1 = [instance_token(p, [row for row, inside in zip(slices, L[j], strict=True) if inside]) for j in present]
    S2 = instance_stack(p, "instance_stack", S1, gathered(L, present, R2), s)
    e = embeddings(p, present, S2, s)
    R3 = second_exchange(p, R2, None if P is None else placed(L, P, from_labels=labels is not None), s)
    S3 = instance_stack(p, "second_stack", S2, gathered(L, present, R3), s)

    semantic = semantic_map(p, R3, F)
    instance = instance_map(p, dict(zip(present, S3, strict=True)), L, F)
    S_tilde = instance.sigmoid() if labels is None else torch.zeros_like(instance)
    low = torch.cat([semantic.sigmoid(), S_tilde, F])
    spine, vertebrae = (shared_decoder if "decoder.reduce.weight" in p else two_decoders)(p, low, skips)
    if s.prior and L_hat is not None:
        vertebrae = vertebrae + slice_prior(L_hat, vertebrae.shape[1])
    return Answer(spine, vertebrae, semantic, instance, L_hat, L, C, e)


def slice_rows(p: Params, F: Volume, s: Setting) -> list[Vector]:
    """What the tokens see of each axial slice: all its voxels, or mean and maximum of each channel."""
    if s.slices == "pooled":
        slices = F.unbind(1)
        return [torch.cat([part.flatten(1).mean(1), part.flatten(1).max(1).values]) for part in slices]
    tokens = convolve(p, "slices.reduce", F) if "slices.reduce.weight" in p else F
    return [tokens[:, i].flatten() for i in range(tokens.shape[1])]


def slice_prior(L_hat: Float[Tensor, "K z"], size: int) -> Float[Tensor, "K Z 1 1"]:
    """log sigmoid(L^) of every class but background, drawn out linearly to the slices of the patch."""
    z = L_hat.shape[1]
    rows = [torch.zeros(size, dtype=L_hat.dtype)]
    for row in L_hat[1:]:
        values = -torch.log(1 + torch.exp(-row))
        places = [min(max((i + 0.5) * z / size - 0.5, 0.0), z - 1.0) for i in range(size)]
        pairs = [(math.floor(place), place - math.floor(place)) for place in places]
        rows.append(torch.stack([values[i] * (1 - share) + values[min(i + 1, z - 1)] * share for i, share in pairs]))
    return torch.stack(rows)[:, :, None, None]


def localisation_logits(p: Params, R2: Stream) -> Float[Tensor, "K z"]:
    """L^. Background has no head: its row is +6."""
    columns = [linear(p, "mill.head", layer_norm(p, "mill.norm", token)) for token in R2]
    return torch.stack([torch.cat([column.new_full((1,), 6.0), column]) for column in columns], dim=1)


def localise(
    L_hat: Float[Tensor, "K z"] | None,
    C: Vector,
    labels: Integer[Tensor, "Z Y X"] | None,
    slices: int,
    s: Setting,
) -> Rows:
    truth = None if labels is None else occupied(labels, stride=s.stride, classes=CLASSES)
    if L_hat is None:
        found = [c.sigmoid().item() >= 0.5 for c in C] if truth is None else [any(row) for row in truth[1:]]
        return [[j == 0 or found[j - 1]] * slices for j in range(CLASSES)]
    return from_prediction(L_hat.detach(), C.detach(), s.heights) if truth is None else from_truth(truth)


def instance_token(p: Params, slices: list[Tensor]) -> Vector:
    """S1 of one instance: its slices, averaged to 8 parts, and a linear map of that block."""
    n = len(slices)
    token = p["instance_tokens.bias"]
    for part, weight in enumerate(p["instance_tokens.project.weight"].chunk(PARTS)):
        chosen = slices[math.floor(part * n / PARTS) : math.ceil((part + 1) * n / PARTS)]
        mean = sum(chosen[1:], start=chosen[0]) / len(chosen)
        token = token + weight @ mean.flatten()
    return token


def gathered(L: Rows, present: list[int], R: Stream) -> Stream:
    """Q = L @ R: the sum of the slice tokens inside each present instance."""
    return [sum((R[i] for i in range(len(R)) if L[j][i]), start=torch.zeros_like(R[0])) for j in present]


def instance_stack(p: Params, name: str, S: Stream, Q: Stream, s: Setting) -> Stream:
    """Two cross-attentions with queries Q, four self-attentions, an MLP after each."""
    for block in range(2):
        S = cross_attention(p, f"{name}.cross.{block}", S, Q if s.interaction else S, s.heads)
        S = [mlp(p, f"{name}.mlps.{block}", token) for token in S]
    for block in range(4):
        S = self_attention(p, f"{name}.own.{block}", S, s.heads)
        S = [mlp(p, f"{name}.mlps.{2 + block}", token) for token in S]
    return S


def embeddings(p: Params, present: list[int], S2: Stream, s: Setting) -> dict[int, Tensor]:
    """e of the present vertebrae, background apart."""
    classes, stream = present[1:], S2[1:]
    if s.ocpl and s.gru:
        normed = [layer_norm(p, "ocpl.norm", token) for token in gru(p, "ocpl.gru", stream, 4)]
        stream = [gelu(linear(p, "ocpl.project", token)) for token in normed]
    elif s.ocpl:
        stream = [linear(p, "ocpl.project", token) for token in stream]
    return dict(zip(classes, stream, strict=True))


def placed(L: Rows, P: Float[Tensor, "K k E"], *, from_labels: bool) -> list[Stream]:
    """R_P [k][z]: the prototypes at the slices of their vertebrae. Zeros where L would leak the labels."""
    written = [[torch.zeros_like(P[0, 0]) for _ in L[0]] for _ in P[0]]
    for k in range(P.shape[1]):
        for i in range(len(L[0])):
            for j in range(1, CLASSES):
                if L[j][i] and not from_labels:
                    written[k][i] = written[k][i] + P[j, k]
    return written


def second_exchange(p: Params, R2: Stream, R_P: list[Stream] | None, s: Setting) -> Stream:
    """R3: a cross-attention per prototype, then an MLP; the MLP alone without OCPL."""
    if not s.ocpl or R_P is None:
        return [mlp(p, "second_exchange", token) for token in R2]
    R = R2
    for k, queries in enumerate(R_P):
        R = cross_attention(p, f"second_exchange.cross.{k}", R, queries if s.interaction else R, s.heads)
    return [mlp(p, "second_exchange.mlp", token) for token in R]


def semantic_map(p: Params, R3: Stream, F: Volume) -> Float[Tensor, "1 z y x"]:
    """R~: LN, linear, LN per slice token; where there is a query, and its product with each voxel of the slice."""
    maps = [mapped(p, "semantic_map", token).reshape(F.shape[2:]) for token in R3]
    if "semantic_map.query.weight" in p:
        maps = [made + product(p, "semantic_map", R3[i], F[:, i]) for i, made in enumerate(maps)]
    return torch.stack(maps)[None]


def product(p: Params, name: str, token: Vector, slice_of_F: Float[Tensor, "E y x"]) -> Float[Tensor, "y x"]:
    """The query of a token with the features of each voxel of a slice, over the root of their number."""
    query = linear(p, f"{name}.query", layer_norm(p, f"{name}.norm", token))
    size, rows, columns = slice_of_F.shape
    products = [query @ slice_of_F[:, y, x] for y in range(rows) for x in range(columns)]
    return torch.stack(products).reshape(rows, columns) / size**0.5


def instance_map(p: Params, S3: dict[int, Tensor], L: Rows, F: Volume) -> Float[Tensor, "K z y x"]:
    """S~: LN, linear, LN per instance: 8 slices, stretched to its run. -6 elsewhere and for background.

    Where the network has a query, the product of the token with each voxel of F is added, over the root of its width.
    """
    rows, grid = [], F.shape[1:]
    for j in range(CLASSES):
        slices = [torch.full(tuple(grid[1:]), -6.0, dtype=S3[0].dtype) for _ in range(grid[0])]
        if j > 0 and any(L[j]):
            block = mapped(p, "instance_map", S3[j]).reshape(PARTS, -1)
            stretched = functional.interpolate(block.T[None], size=sum(L[j]), mode="linear", align_corners=False)
            inside = [i for i in range(grid[0]) if L[j][i]]
            for n, i in enumerate(inside):
                slices[i] = stretched[0, :, n].reshape(tuple(grid[1:]))
                if "instance_map.query.weight" in p:
                    slices[i] = slices[i] + product(p, "instance_map", S3[j], F[:, i])
        rows.append(torch.stack(slices))
    return torch.stack(rows)


def mapped(p: Params, name: str, token: Vector) -> Vector:
    return layer_norm(p, f"{name}.norm_out", linear(p, f"{name}.project", layer_norm(p, f"{name}.norm", token)))
