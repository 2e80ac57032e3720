"""Errors of a first look: they happen, stay probabilities, and depend on the generator alone."""

from __future__ import annotations

import numpy as np
import pytest

from siil.training.perturb import SHIFT_MM, perturb


def maps() -> tuple[np.ndarray, np.ndarray]:
    own, others = np.zeros((2, 30, 30, 30), np.float32)
    own[10:20, 8:22, 8:22] = 1
    others[20:28, 8:22, 8:22] = 1
    return own, others


def test_nothing_happens_at_probability_0():
    own, others = maps()
    changed = perturb(own, others, np.random.default_rng(0), probability=0, spacing_mm=1)
    assert changed[0] is own
    assert changed[1] is others


@pytest.mark.parametrize("seed", range(6))
def test_maps_stay_probabilities_near_where_they_were(seed):
    own, others = maps()
    for changed, before in zip(
        perturb(own, others, np.random.default_rng(seed), probability=1, spacing_mm=1), (own, others), strict=True
    ):
        assert changed.dtype == np.float32
        assert changed.shape == before.shape
        assert 0 <= changed.min() <= changed.max() <= 1
        assert not np.array_equal(changed, before)
        far = np.ones(before.shape, bool)
        reach = int(1.5 * SHIFT_MM) + 5
        places = np.argwhere(before > 0)
        low, high = places.min(0) - reach, places.max(0) + reach + 1
        far[tuple(slice(max(0, a), b) for a, b in zip(low, high, strict=True))] = False
        assert not (changed[far] > 0.5).any()


def test_the_same_generator_gives_the_same_errors():
    one, two = (perturb(*maps(), np.random.default_rng(7), probability=1, spacing_mm=1) for _ in range(2))
    assert (one[0] == two[0]).all()
    assert (one[1] == two[1]).all()


def test_an_empty_map_loses_no_piece():
    own, others = np.zeros((2, 8, 8, 8), np.float32)
    changed, _ = perturb(own, others, np.random.default_rng(0), probability=1, spacing_mm=1)
    assert (changed <= 1).all()
