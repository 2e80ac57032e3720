"""Domain randomisation: what changes, what stays, and that it is drawn from the seed."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from siil.training import appearance
from siil.training.appearance import randomise

SPACING_MM = 3.0


def patch() -> np.ndarray:
    """Air, fat, a bright block in it."""
    image = np.full((32, 24, 20), -100.0, np.float32)
    image[:, :4] = -1000
    image[8:24, 10:18, 6:14] = 400
    return image


def changed(seed: int, probability: float = 1.0) -> np.ndarray:
    return randomise(patch(), np.random.default_rng(seed), probability=probability, spacing_mm=SPACING_MM)


def test_with_probability_zero_nothing_happens_and_nothing_is_drawn() -> None:
    image, random = patch(), np.random.default_rng(0)
    before = random.bit_generator.state
    assert randomise(image, random, probability=0.0, spacing_mm=SPACING_MM) is image
    assert random.bit_generator.state == before


def test_the_seed_decides_and_the_patch_that_came_in_is_left_alone() -> None:
    image = patch()
    first = randomise(image, np.random.default_rng(3), probability=1.0, spacing_mm=SPACING_MM)
    assert np.array_equal(image, patch())
    assert np.array_equal(first, changed(3))
    assert not np.array_equal(first, changed(4))
    assert first.dtype == np.float32
    assert np.isfinite(first).all()


def test_bone_stays_brighter_than_what_lies_around_it() -> None:
    for seed in range(20):
        image = changed(seed)
        assert image[10:22, 12:16, 8:12].mean() > image[10:22, 12:16, 16:].mean() + 30


def test_tones_keep_their_order() -> None:
    ramp = np.linspace(-1100, 3200, 4000, dtype=np.float32).reshape(40, 10, 10)
    for seed in range(20):
        assert (np.diff(appearance._tone(ramp, np.random.default_rng(seed)).ravel()) >= 0).all()


@pytest.mark.parametrize(
    ("change", "least", "most"),
    [
        (lambda image, random: appearance._noise(image, random), 4.5, 81),
        (lambda image, random: appearance._streaks(image, random), 1, 80),
        (lambda image, random: image + 40 * appearance._smooth_field(image.shape, random, SPACING_MM), 3, 120),
    ],
)
def test_what_is_added_has_the_size_that_it_should(change: Callable, least: float, most: float) -> None:
    for seed in range(10):
        flat = np.zeros((32, 24, 20), np.float32)
        assert least < change(flat, np.random.default_rng(seed)).std() < most


def test_thick_slices_and_kernels_change_edges_and_leave_flat_places_alone() -> None:
    flat = np.full((32, 24, 20), 70.0, np.float32)
    for seed in range(10):
        for change in (appearance._thick_slices, appearance._kernel):
            np.testing.assert_allclose(change(flat, np.random.default_rng(seed)), 70, atol=1e-3)
            assert np.abs(change(patch(), np.random.default_rng(seed)) - patch()).max() > 20


def test_each_change_happens_by_itself_as_often_as_asked() -> None:
    untouched = sum(np.array_equal(changed(seed, probability=0.2), patch()) for seed in range(200))
    assert 30 < untouched < 75  # 0.8 to the power of six is 0.26
