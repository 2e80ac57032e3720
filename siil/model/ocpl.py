"""OCPL: ordinal contrastive prototype learning (docs/method.md): embeddings e, memory M, prototypes P.

`embed` is part of the forward pass. `remember` and `refresh` are called by the training loop, outside it, so that a
forward pass changes no buffer. M and P are buffers: saved, restored, and equal on every rank.
"""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Bool, Float
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist
from torch import Tensor, nn
from torch.nn import functional

from siil.model.recurrent import OrdinalGru


class Ocpl(nn.Module):
    """Embeddings in anatomical order, and what is kept of them for each class."""

    memory: Tensor
    filled: Tensor
    cursor: Tensor
    prototypes: Tensor

    def __init__(self, *, embed: int, classes: int, slots: int, prototypes: int, momentum: float, gru: bool) -> None:
        """slots: q, prototypes: k, momentum: share of a slot's old value kept at a write, gru: False for no_gru."""
        super().__init__()
        self.momentum = momentum
        self.gru = OrdinalGru(embed=embed) if gru else None
        self.norm = nn.LayerNorm(2 * embed) if gru else None
        self.project = nn.Linear(2 * embed if gru else embed, embed)
        self.register_buffer("memory", torch.zeros(classes, slots, embed))
        self.register_buffer("filled", torch.zeros(classes, slots, dtype=torch.bool))
        self.register_buffer("cursor", torch.zeros(classes, dtype=torch.long))
        self.register_buffer("prototypes", torch.zeros(classes, prototypes, embed))

    def embed(self, S2: Float[Tensor, "B K E"], present: Bool[Tensor, "B K"]) -> Float[Tensor, "B K E"]:
        """e: the present instances in anatomical order through the GRU. Zeros where absent and for background."""
        vertebrae = present[:, 1:]
        if self.gru is None or self.norm is None:
            embeddings = self.project(S2[:, 1:])
        else:
            embeddings = functional.gelu(self.project(self.norm(self.gru(S2[:, 1:], vertebrae))))
        embeddings = torch.where(vertebrae[..., None], embeddings, 0)
        return functional.pad(embeddings, (0, 0, 1, 0))

    def placed(self, L: Bool[Tensor, "B K z"]) -> Float[Tensor, "B z k E"]:
        """R_P: the prototypes, written to the slices of their instances. Background has none."""
        return torch.einsum("bjz,jke->bzke", L[:, 1:].to(self.prototypes.dtype), self.prototypes[1:])

    @torch.no_grad()
    def remember(self, embeddings: Float[Tensor, "B K E"], present: Bool[Tensor, "B K"]) -> None:
        """Write each present embedding to the next slot of its class's ring, in the order of the whole batch.

        An empty slot becomes a copy, a filled one `momentum` of its old value plus the rest of the new.
        """
        embeddings, present = _of_all_ranks(embeddings.detach().to(self.memory.dtype), present)
        rows = torch.arange(len(self.cursor), device=self.cursor.device)
        vertebra = rows > 0
        for sample, mask in zip(embeddings, present & vertebra, strict=True):
            old, known = self.memory[rows, self.cursor], self.filled[rows, self.cursor]
            mixed = torch.where(known[:, None], self.momentum * old + (1 - self.momentum) * sample, sample)
            self.memory[rows, self.cursor] = torch.where(mask[:, None], mixed, old)
            self.filled[rows, self.cursor] = known | mask
            self.cursor.copy_((self.cursor + mask) % self.memory.shape[1])

    @torch.no_grad()
    def refresh(self, seed: int) -> None:
        """P: the k-means centres of each class's filled slots; fewer distinct slots than centres are cycled."""
        memory, filled = self.memory.float().cpu().numpy(), self.filled.cpu().numpy()
        before = self.prototypes.float().cpu().numpy()
        after = np.zeros_like(before)
        for number in np.flatnonzero(filled.any(axis=1)):
            after[number] = centres(memory[number, filled[number]], before=before[number], seed=seed)
        self.prototypes.copy_(torch.from_numpy(after))


def centres(slots: np.ndarray, *, before: np.ndarray, seed: int) -> np.ndarray:
    """k centres [k, E] of `slots` [n, E], in the order that moves least from the centres `before` [k, E].

    Each prototype has its own attention block, and k-means numbers its centres at random: without an order
    every refresh would hand the blocks each other's prototypes.
    """
    from sklearn.cluster import KMeans

    count = len(before)
    distinct = slots[np.sort(np.unique(slots, axis=0, return_index=True)[1])]
    if len(distinct) < count:
        return distinct[np.arange(count) % len(distinct)]
    found = KMeans(n_clusters=count, n_init=1, random_state=seed % 2**32).fit(slots).cluster_centers_
    return found[linear_sum_assignment(cdist(before, found, "sqeuclidean"))[1]]


def _of_all_ranks(
    embeddings: Float[Tensor, "B K E"], present: Bool[Tensor, "B K"]
) -> tuple[Float[Tensor, "N K E"], Bool[Tensor, "N K"]]:
    """The embeddings of every process, so that each of them writes the same memory, in the order that one process with
    the whole batch would have: sample n of it is number n // world of process n % world (siil.training.patches)."""
    distributed = torch.distributed
    if not (distributed.is_available() and distributed.is_initialized()):
        return embeddings, present
    world = distributed.get_world_size()
    rows = [torch.empty_like(embeddings) for _ in range(world)]
    masks = [torch.empty_like(present, dtype=torch.uint8) for _ in range(world)]
    distributed.all_gather(rows, embeddings.contiguous())
    distributed.all_gather(masks, present.to(torch.uint8))
    return torch.stack(rows, 1).flatten(0, 1), torch.stack(masks, 1).flatten(0, 1).bool()
