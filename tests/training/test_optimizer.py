"""AdamW as configured, by hand."""

from __future__ import annotations

from math import sqrt

import pytest
import torch
from torch import nn

from siil.training.optimizer import make_optimizer
from tests.training.doubles import make_settings


@pytest.mark.parametrize("beta2", [0.5, 0.99])
def test_how_soon_a_large_gradient_is_forgotten_is_beta2(beta2: float) -> None:
    """Gradients 1 and 0: their mean is 0.09 / 0.19 after the second step, that of their squares beta2 / (1 + beta2)."""
    network = nn.Linear(1, 1, bias=False)
    optimizer = make_optimizer(network, make_settings(beta2=beta2, learning_rate=1, weight_decay=0))
    places = [network.weight.item()]
    for gradient in (1.0, 0.0):
        network.weight.grad = torch.tensor([[gradient]])
        optimizer.step()
        places.append(network.weight.item())
    assert places[0] - places[1] == pytest.approx(1, rel=1e-4)
    assert places[1] - places[2] == pytest.approx(0.09 / 0.19 / sqrt(beta2 / (1 + beta2)), rel=1e-4)
