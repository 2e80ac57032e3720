"""What steps write and the training reads later."""

from __future__ import annotations

import math

import pytest
import torch

from siil.errors import TrainingError
from siil.training.ledger import Ledger


def written(*rows: dict[str, float], norms: tuple[float | None, ...] = ()) -> Ledger:
    ledger = Ledger()
    for step, row in enumerate(rows):
        norm = norms[step] if norms else None
        terms = {name: torch.tensor(value) for name, value in row.items()}
        ledger.write(step, cases=(f"c{step}",), terms=terms, norm=None if norm is None else torch.tensor(norm))
    return ledger


def test_every_step_is_read_once_in_its_order_and_under_its_names() -> None:
    ledger = written({"spine": 1.0, "total": 2.0}, {"total": 3.0}, norms=(None, 4.0))
    assert list(ledger.read()) == [{"spine": 1.0, "total": 2.0}, {"total": 3.0, "gradient_norm": 4.0}]
    assert list(ledger.read()) == []


def test_a_value_is_that_of_its_step_whatever_happens_to_the_tensor_later() -> None:
    ledger, loss = Ledger(), torch.tensor(1.0)
    ledger.write(0, cases=("a",), terms={"total": loss}, norm=None)
    loss.add_(1)
    assert list(ledger.read()) == [{"total": 1.0}]


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_the_first_step_that_is_not_finite_is_named_with_term_and_cases(bad: float) -> None:
    ledger = written({"spine": 1.0, "total": 1.0}, {"spine": bad, "total": bad}, {"spine": bad, "total": bad})
    rows = ledger.read()
    assert next(rows) == {"spine": 1.0, "total": 1.0}
    with pytest.raises(TrainingError, match=r"^step 1: loss spine is not finite \(cases c1\)"):
        next(rows)


def test_a_total_alone_and_a_gradient_alone_are_named() -> None:
    with pytest.raises(TrainingError, match="step 0: loss total is not finite"):
        list(written({"spine": 1.0, "total": math.nan}, norms=(math.nan,)).read())
    with pytest.raises(TrainingError, match=r"step 0: the gradient is not finite \(cases c0\)"):
        list(written({"total": 1.0}, norms=(math.nan,)).read())
