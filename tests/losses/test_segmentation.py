"""Dice and cross-entropy, against numbers computed by hand and against the plain one-hot formula."""

from __future__ import annotations

from math import log

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from siil.anatomy import UNLABELLED, UNNAMED
from siil.losses import segmentation
from siil.losses.segmentation import classes_sigmoid, classes_softmax, mean_where

LN2 = log(2)


def near(found: Tensor, *expected: float) -> None:
    torch.testing.assert_close(found, torch.tensor(expected, dtype=found.dtype), rtol=1e-6, atol=1e-7)


def binary(logits: Tensor, target: Tensor) -> Tensor:
    """Where everything is annotated."""
    return segmentation.binary(logits, target, torch.ones_like(target))


def instances(logits: Tensor, target: Tensor) -> Tensor:
    """Where everything is annotated."""
    return segmentation.instances(logits, target, torch.zeros_like(target[:, 0]))


def random_case(classes: int = 6) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(2, classes, 3, 4, 5, generator=generator, dtype=torch.float64)
    labels = torch.randint(0, classes - 1, (2, 3, 4, 5), generator=generator)  # the last class is absent
    labels[0, labels[0] == 2] = 0  # class 2 is present in the second sample alone
    return logits, labels


def plain_dice(probability: Tensor, one_hot: Tensor) -> Tensor:
    """Mean over present classes, a class at a time."""
    values = [
        1 - (2 * (p * t).sum() + 1) / (p.sum() + t.sum() + 1)
        for p, t in zip(probability, one_hot, strict=True)
        if t.any()
    ]
    return torch.stack(values).mean()


def test_binary_of_two_undecided_voxels() -> None:
    near(binary(torch.zeros(1, 2), torch.tensor([[True, False]])), 1 / 3 + LN2)  # dice 1 - (2 * 0.5 + 1) / 3


def test_binary_without_spine_still_counts_what_is_found() -> None:
    near(binary(torch.zeros(1, 2), torch.zeros(1, 2, dtype=torch.bool)), 1 / 2 + LN2)  # dice 1 - 1 / 2


def test_softmax_of_two_undecided_voxels() -> None:
    near(classes_softmax(torch.zeros(1, 2, 2), torch.tensor([[0, 1]])), 1 / 3 + LN2)


def test_softmax_takes_dice_over_the_present_classes_and_entropy_over_all() -> None:
    near(classes_softmax(torch.zeros(1, 4, 2), torch.tensor([[0, 0]])), 1 - (2 * 0.5 + 1) / (0.5 + 2 + 1) + log(4))


def test_sigmoid_of_two_undecided_voxels() -> None:
    near(classes_sigmoid(torch.zeros(1, 2, 2), torch.tensor([[0, 1]])), 1 / 3 + LN2)


def test_gathering_equals_the_one_hot_formula() -> None:
    logits, labels = random_case()
    one_hot = functional.one_hot(labels, 6).movedim(4, 1).double()
    for sample in range(2):
        entropy = functional.cross_entropy(logits[sample : sample + 1], labels[sample : sample + 1])
        expected = entropy + plain_dice(logits[sample].softmax(0), one_hot[sample])
        torch.testing.assert_close(classes_softmax(logits, labels)[sample], expected)
        entropy = functional.binary_cross_entropy_with_logits(logits[sample], one_hot[sample])
        expected = entropy + plain_dice(logits[sample].sigmoid(), one_hot[sample])
        torch.testing.assert_close(classes_sigmoid(logits, labels)[sample], expected)


def test_the_gradient_of_the_softmax_is_that_of_small_differences() -> None:
    logits, labels = random_case()
    labels[0, 0], labels[1, 1, 2, 3] = UNLABELLED, UNNAMED
    logits.requires_grad_()
    assert torch.autograd.gradcheck(lambda x: torch.tensor([1.0, -3.0]) * classes_softmax(x, labels), (logits,))
    classes_softmax(logits, labels).sum().backward()
    assert logits.grad is not None
    assert not logits.grad[0, :, 0].any()
    assert not logits.grad[1, :, 1, 2, 3].any()


def test_logits_in_bfloat16_are_judged_and_taught_in_float32() -> None:
    logits, labels = random_case()
    short = logits.bfloat16().requires_grad_()
    precise = short.detach().float().requires_grad_()
    value, expected = classes_softmax(short, labels), classes_softmax(precise, labels)
    value.sum().backward()
    expected.sum().backward()
    assert torch.equal(value, expected)
    assert short.grad is not None
    assert precise.grad is not None
    assert torch.equal(short.grad, precise.grad.bfloat16())


@pytest.mark.parametrize("term", [classes_softmax, classes_sigmoid])
def test_an_absent_class_is_penalised(term: object) -> None:
    logits, labels = random_case()
    louder = logits.clone()
    louder[:, 5] += 1
    assert (term(louder, labels) > term(logits, labels)).all()  # type: ignore[operator]


def test_instances_of_one_vertebra() -> None:
    target = torch.zeros(1, 3, 2, dtype=torch.bool)
    target[0, 1, 0] = True
    near(instances(torch.zeros(1, 3, 2), target), 1 / 3 + 2 * LN2)


def test_instances_leave_out_background_and_absent_vertebrae() -> None:
    target = torch.zeros(1, 3, 2, dtype=torch.bool)
    target[0, 0] = True
    target[0, 1, 0] = True
    logits = torch.zeros(1, 3, 2)
    logits[0, 0], logits[0, 2] = 5, -3
    near(instances(logits, target), 1 / 3 + 2 * LN2)


def test_instances_are_averaged_over_present_vertebrae_of_each_sample() -> None:
    target = torch.zeros(2, 3, 2, dtype=torch.bool)
    target[0, 1, 0] = True
    target[0, 2] = True
    near(instances(torch.zeros(2, 3, 2), target), (1 / 3 + 1 / 4) / 2 + 2 * LN2, 0)  # second: 1 - 3 / 4


def test_no_vertebra_gives_zero_that_stays_on_the_graph() -> None:
    logits = torch.randn(1, 3, 2, requires_grad=True)
    value = instances(logits, torch.zeros(1, 3, 2, dtype=torch.bool))
    value.sum().backward()
    assert value == 0
    assert logits.grad is not None
    assert not logits.grad.any()


def test_a_mean_over_nothing_is_zero() -> None:
    values = torch.tensor([[1.0, 3.0], [5.0, 7.0]])
    near(mean_where(values, torch.tensor([[True, True], [False, False]])), 2, 0)


@pytest.mark.parametrize(
    ("term", "logits", "target"),
    [
        (binary, torch.zeros(2, 12), torch.zeros(2, 3, 4, dtype=torch.bool)),
        (binary, torch.zeros(2, 12), torch.zeros(2, 12)),
        (classes_softmax, torch.zeros(2, 3, 4, 5), torch.zeros(2, 20, dtype=torch.long)),
        (classes_sigmoid, torch.zeros(2, 3, 4, 5), torch.zeros(2, 5, 4, dtype=torch.long)),
        (instances, torch.zeros(2, 3, 4, 5), torch.zeros(2, 3, 5, 4, dtype=torch.bool)),
    ],
)
def test_a_wrong_shape_or_type_is_refused(term, logits: Tensor, target: Tensor) -> None:
    with pytest.raises(TypeError, match=r"(?i)type-check"):
        term(logits, target)
