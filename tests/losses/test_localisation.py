"""L_L, computed by hand."""

from __future__ import annotations

from math import e, log

import torch

from siil.losses import localisation as module

LN2 = log(2)


def rows(*values: list[int]) -> torch.Tensor:
    """[1, K, z] with a background row of ones in front, which must not count."""
    return torch.tensor([[[1] * len(values[0]), *values]], dtype=torch.bool)


def zeros(target: torch.Tensor) -> torch.Tensor:
    logits = torch.zeros(target.shape, dtype=torch.float64)
    logits[:, 0] = 6
    return logits


def localisation(logits: torch.Tensor, target: torch.Tensor, **weights: float) -> torch.Tensor:
    """Where everything is annotated."""
    return module.localisation(logits, target, torch.zeros_like(target[:, 0]), **weights)


def test_one_vertebra_in_one_of_two_slices() -> None:
    target = rows([1, 0])
    iou = 1 - (0.5 + 1) / (1 + 1 - 0.5 + 1)
    torch.testing.assert_close(localisation(zeros(target), target).item(), LN2 + iou)  # KL over one slice is 0


def test_the_cross_entropy_alone_has_a_weight_of_its_own() -> None:
    target = rows([1, 0])
    more = localisation(zeros(target), target, entropy_weight=10.0) - localisation(zeros(target), target)
    torch.testing.assert_close(more.item(), 9 * LN2)


def test_two_vertebrae_that_share_a_slice() -> None:
    target = rows([1, 1], [0, 1])
    iou = ((1 - 2 / 3) + (1 - 1.5 / 2.5)) / 2
    wanted = [1 / (1 + e), e / (1 + e)]  # softmax of b = (1, 2); a = (1, 1) gives one half each
    divergence = sum(p * log(p / 0.5) for p in wanted)
    torch.testing.assert_close(localisation(zeros(target), target).item(), LN2 + iou + 10 * divergence)


def test_rows_of_present_vertebrae_weigh_three_times_as_much() -> None:
    target = rows([1], [0])
    logits = zeros(target)
    logits[0, 2] = log(3)  # cross-entropy log(1 + 3)
    entropy = (3 * LN2 + log(4)) / 4
    iou = 1 - 1.5 / 2
    torch.testing.assert_close(localisation(logits, target).item(), entropy + iou)


def test_without_vertebrae_only_the_cross_entropy_is_left() -> None:
    target = rows([0, 0], [0, 0])
    logits = zeros(target).requires_grad_()
    value = localisation(logits, target)
    torch.testing.assert_close(value.item(), LN2)
    value.sum().backward()
    assert torch.isfinite(logits.grad).all()
    assert not logits.grad[:, 0].any(), "background takes no part"


def test_the_divergence_counts_present_rows_and_occupied_slices_alone() -> None:
    target = rows([0, 1, 1], [0, 0, 1], [0, 0, 0])
    logits = zeros(target)
    loud = logits.clone()
    loud[0, 3] = 4  # of an absent vertebra
    entropy = log(1 + e**4) - LN2
    difference = localisation(loud, target) - localisation(logits, target)
    torch.testing.assert_close(difference.item(), entropy / 7)  # weights 3, 3, 1
