"""OCPL's memory and what its prototypes must be (docs/method.md)."""

from __future__ import annotations

from itertools import permutations

import torch
from torch import Tensor


class Memory:
    """A ring of q slots per class; an empty slot is None."""

    def __init__(self, slots: int, momentum: float) -> None:
        self.slots = slots
        self.momentum = momentum
        self.rings: dict[int, list[Tensor | None]] = {}
        self.next: dict[int, int] = {}

    def write(self, e: dict[int, Tensor]) -> None:
        """The embeddings of one sample, by class."""
        for j, embedding in e.items():
            ring = self.rings.setdefault(j, [None] * self.slots)
            here = self.next.get(j, 0)
            old = ring[here]
            new = embedding.detach()
            ring[here] = new if old is None else self.momentum * old + (1 - self.momentum) * new
            self.next[j] = (here + 1) % self.slots

    def filled(self, j: int) -> list[Tensor]:
        return [slot for slot in self.rings.get(j, []) if slot is not None]


def distinct(slots: list[Tensor]) -> list[Tensor]:
    """In slot order."""
    kept: list[Tensor] = []
    for slot in slots:
        if not any(torch.equal(slot, other) for other in kept):
            kept.append(slot)
    return kept


def cycled(slots: list[Tensor], k: int) -> list[Tensor]:
    """k prototypes of at most k distinct slots."""
    return [slots[n % len(slots)] for n in range(k)]


def means_of_nearest(slots: list[Tensor], centres: Tensor) -> list[Tensor]:
    """For each centre the mean of the slots that are nearer to it than to any other: k-means has converged if equal."""
    groups: list[list[Tensor]] = [[] for _ in centres]
    for slot in slots:
        groups[min(range(len(centres)), key=lambda k: float((slot - centres[k]).norm()))].append(slot)
    return [torch.stack(group).mean(0) for group in groups]


def movement(before: Tensor, after: Tensor) -> float:
    """How far prototypes move, in all: squared distances, as k-means counts them."""
    return sum(float((a - b).square().sum()) for a, b in zip(after, before, strict=True))


def least_movement(before: Tensor, after: Tensor) -> float:
    """As `movement`, for the best numbering of `after`."""
    return min(movement(before, after[list(order)]) for order in permutations(range(len(after))))
