"""Batches of cases: all cases once, the same ones again, and one more changes one of them."""

from __future__ import annotations

import pytest

from siil.datasets.batches import CASES, count, members, place
from siil.errors import InputError
from tests.datasets.test_cases import case


@pytest.mark.parametrize(
    ("cases", "batches"), [(0, 1), (1, 1), (64, 1), (65, 2), (128, 2), (129, 4), (374, 8), (1005, 16), (2010, 32)]
)
def test_the_number_of_batches_doubles_with_the_dataset(cases, batches):
    assert count(cases) == batches


def test_every_case_is_in_one_batch_of_a_handy_size():
    cases = [case(f"sub-{number:04d}") for number in range(1005)]
    dealt = [members(cases, number, 16) for number in range(1, 17)]
    assert sorted(row.case for batch in dealt for row in batch) == [row.case for row in cases]
    assert max(len(batch) for batch in dealt) < 1.5 * CASES


def test_one_more_case_changes_one_batch():
    cases = [case(f"sub-{number}") for number in range(200)]
    more = [*cases, case("new")]
    changed = [number for number in range(1, 5) if members(cases, number, 4) != members(more, number, 4)]
    assert changed == [place("new", 4)]


def test_a_batch_that_cannot_be_is_refused():
    with pytest.raises(InputError, match="got 3 of 2"):
        members([], 3, 2)
