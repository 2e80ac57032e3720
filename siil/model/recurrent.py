"""The bidirectional GRU of OCPL over the *present* instances in anatomical order (docs/method.md).

Absent instances are skipped, not steps of zeros. Packed sequences would need the counts on the host, a synchronisation
in every step on a GPU; instead the present tokens are moved to the front, and the backward direction runs forwards over
the same tokens in reverse order. What lies behind a sequence's end cannot reach it.
"""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float, Integer
from torch import Tensor, nn


class OrdinalGru(nn.Module):
    """Four layers, two directions; equal to torch's packed bidirectional GRU of the present tokens."""

    def __init__(self, *, embed: int, layers: int = 4) -> None:
        super().__init__()
        sizes = [embed] + [2 * embed] * (layers - 1)
        self.upwards = nn.ModuleList([nn.GRU(size, embed, batch_first=True) for size in sizes])
        self.downwards = nn.ModuleList([nn.GRU(size, embed, batch_first=True) for size in sizes])

    def forward(self, tokens: Float[Tensor, "B J E"], present: Bool[Tensor, "B J"]) -> Float[Tensor, "B J 2*E"]:
        """Outputs at the places of their tokens; those of absent tokens mean nothing."""
        order, places, mirror = sequence_order(present)
        steps = order.shape[1]
        if is_host(tokens.device):  # nothing waits here: run no longer than the longest sequence
            steps = max(1, int(present.sum(dim=1).max()))
        running = _take(tokens, order[:, :steps])
        for up, down in zip(self.upwards, self.downwards, strict=True):
            forwards = up(running)[0]
            backwards = _take(down(_take(running, mirror[:, :steps]))[0], mirror[:, :steps])
            running = torch.cat([forwards, backwards], dim=2)
        return _take(running, places.clamp_max(steps - 1))


def is_host(device: torch.device) -> bool:
    """May a value be read back without waiting for a device?"""
    return device.type == "cpu"


def sequence_order(
    present: Bool[Tensor, "B J"],
) -> tuple[Integer[Tensor, "B J"], Integer[Tensor, "B J"], Integer[Tensor, "B J"]]:
    """Indices that move the present tokens to the front (in order), back to their places, and that mirror a sequence.

    The mirror of a sequence of n maps step i to n - 1 - i, and a step behind the end to step 0, whatever it holds.
    """
    order = (~present).to(torch.int8).argsort(dim=1, stable=True)
    places = order.argsort(dim=1)
    steps = torch.arange(present.shape[1], device=present.device)
    mirror = (present.sum(dim=1, keepdim=True) - 1 - steps).clamp_min(0)
    return order, places, mirror


def _take(tokens: Float[Tensor, "B J E"], index: Integer[Tensor, "B n"]) -> Float[Tensor, "B n E"]:
    return tokens.gather(1, index[..., None].expand(-1, -1, tokens.shape[2]))
