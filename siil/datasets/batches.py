"""Which cases are prepared together: the batches of the steps preprocess and pap.

A case's batch follows from its id and the number of batches. One more case changes the batch that it falls into and no
other, except when it makes the number of batches double.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from siil.datasets.cases import Case
from siil.errors import InputError

CASES = 64
"""About half as many to as many are in one batch: enough that the start of its process hardly counts."""


def count(cases: int) -> int:
    """Number of batches for so many cases: 1 up to 64, 2 up to 128, 4 up to 256, and so on."""
    return 1 << ((max(1, cases) - 1) // CASES).bit_length()


def place(case: str, batches: int) -> int:
    """The batch of a case, 1 to `batches`."""
    return int(hashlib.sha256(case.encode()).hexdigest()[:8], 16) % batches + 1


def members(cases: Sequence[Case], batch: int, batches: int) -> list[Case]:
    """The cases of a batch, in their order. Raises InputError where there can be no such batch."""
    if not 1 <= batch <= batches:
        raise InputError(f"expected --batch from 1 to --batches, got {batch} of {batches}")
    return [case for case in cases if place(case.case, batches) == batch]
