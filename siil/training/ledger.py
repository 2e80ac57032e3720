"""The loss terms and gradient norms of steps, read some steps later, so that no step waits for a GPU.

`write` only queues work on the device. `read` fetches everything at once, every LOOK_EVERY steps, at the end of each
epoch and before each checkpoint. A value that is not finite then stops the training; the error names its own step, and
no checkpoint was written after that step.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Final, NamedTuple

import torch
from torch import Tensor

from siil.errors import TrainingError
from siil.training.history import NORM

LOOK_EVERY: Final = 20


class Entry(NamedTuple):
    """Of one step: its cases, and the values on the device, in the order of `names`."""

    step: int
    cases: tuple[str, ...]
    names: tuple[str, ...]
    values: Tensor


class Ledger:
    """What the steps since the last look have written."""

    def __init__(self) -> None:
        self._entries: list[Entry] = []

    def write(self, step: int, *, cases: tuple[str, ...], terms: dict[str, Tensor], norm: Tensor | None) -> None:
        """Note the named terms of a step ("total" among them) and its gradient's norm, None where there is none."""
        named = terms if norm is None else {**terms, NORM: norm}
        values = torch.stack([value.detach().float() for value in named.values()])
        self._entries.append(Entry(step, cases, tuple(named), values))

    def read(self) -> Iterator[dict[str, float]]:
        """The values of each step since the last call, under their names.

        Raises:
            TrainingError: naming the first step with a term or gradient that is not finite, and its cases.
        """
        entries, self._entries = self._entries, []
        if not entries:
            return
        numbers = iter(torch.cat([entry.values for entry in entries]).tolist())
        for entry in entries:
            found = dict(zip(entry.names, numbers, strict=False))
            _check(entry, found)
            yield found


def _check(entry: Entry, values: dict[str, float]) -> None:
    wrong = [name for name, value in values.items() if not math.isfinite(value)]
    terms = [name for name in wrong if name != NORM]
    place, cases = f"step {entry.step}", ", ".join(entry.cases)
    if terms:
        named = [name for name in terms if name != "total"] or terms
        raise TrainingError(
            f"{place}: loss {', '.join(named)} is not finite (cases {cases}); look at these cases with `siil check`, "
            "or lower train.learning_rate"
        )
    if wrong:
        raise TrainingError(
            f"{place}: the gradient is not finite (cases {cases}); lower train.learning_rate, or try "
            "train.precision=32-true"
        )
