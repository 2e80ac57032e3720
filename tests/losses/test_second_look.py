"""The loss of the second look, by hand."""

from __future__ import annotations

from math import log

import pytest
import torch

from siil.anatomy import UNLABELLED
from siil.losses.second_look import second_look_loss


def test_evenly_spread_chances_cost_what_they_do_by_hand():
    truth = torch.tensor([[[[0, 1, 1, 2]]]])
    # each chance 1/3: Dice of this = (2 * 2/3 + 1) / (4/3 + 2 + 1), of another = (2 * 1/3 + 1) / (4/3 + 1 + 1)
    dice = ((4 / 3 + 1) / (4 / 3 + 3) + (2 / 3 + 1) / (4 / 3 + 2)) / 2
    assert second_look_loss(torch.zeros(1, 3, 1, 1, 4), truth)["total"].item() == pytest.approx(log(3) + 1 - dice)


def test_the_right_answer_costs_nothing():
    truth = torch.tensor([[[[0, 1, 1, 2]]]])
    logits = 40.0 * torch.nn.functional.one_hot(truth, 3).movedim(-1, 1).float()
    assert second_look_loss(logits, truth)["total"].item() == pytest.approx(0, abs=1e-6)


def test_what_nobody_annotated_counts_nowhere():
    truth = torch.tensor([[[[0, 1, UNLABELLED, 2]]]], dtype=torch.uint8)
    logits = torch.randn(1, 3, 1, 1, 4, generator=torch.Generator().manual_seed(0)).requires_grad_()
    second_look_loss(logits, truth)["total"].backward()
    assert (logits.grad[..., 2] == 0).all()
    assert (logits.grad[..., 1] != 0).any()


def test_a_patch_without_any_annotation_costs_a_number():
    loss = second_look_loss(torch.zeros(1, 3, 1, 1, 2), torch.full((1, 1, 1, 2), UNLABELLED))["total"]
    assert torch.isfinite(loss)
