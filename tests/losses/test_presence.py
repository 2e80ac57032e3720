"""L_C, computed by hand."""

from __future__ import annotations

from math import log

import torch

from siil.losses.presence import presence

EVERY = torch.ones(1, 3, dtype=torch.bool)


def test_undecided_classes_are_weighed_by_alpha() -> None:
    value = presence(torch.zeros(1, 2, dtype=torch.float64), torch.tensor([[True, False]]), EVERY[:, :2])
    expected = (0.25 * 0.25 + 0.75 * 0.25) / 2 * log(2)
    torch.testing.assert_close(value.item(), expected)


def test_easy_classes_hardly_count() -> None:
    logit = log(9)  # probability 0.9
    value = presence(torch.tensor([[logit]], dtype=torch.float64), torch.tensor([[True]]), EVERY[:, :1])
    torch.testing.assert_close(value.item(), 0.25 * 0.1**2 * -log(0.9))
