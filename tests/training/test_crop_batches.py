"""Batches of the second look: functions of seed and step; image, maps and truth stay aligned."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from siil import config as configuration
from siil.training import augment
from siil.training.crop_batches import CropBatches, Place, cut
from siil.training.lessons import Lesson, write_lessons

QUIET = {"probability": 0, "appearance": 0}


def settings(**changes):
    full = configuration.resolve("tiny", model="siil", overrides={"refine": {"patch_vox": [16, 16, 16]} | changes})
    return full.refine


def lesson(value: int = 0, shape: tuple[int, int, int] = (20, 24, 28)) -> Lesson:
    """A block whose image, own map and truth are the same voxels."""
    there = np.zeros(shape, bool)
    there[6:14, 8:16, 3:12] = True
    image = np.where(there, 500, value).astype(np.int16)
    return Lesson(image, there.astype(np.uint8) * 255, np.zeros(shape, np.uint8), there.astype(np.uint8))


@pytest.fixture
def places(tmp_path: Path) -> tuple[Place, ...]:
    for name, value in (("a", 0), ("b", 100)):
        write_lessons(tmp_path / f"{name}.npz", [lesson(value), lesson(value + 10)], digest="x")
    cases = (("a", "one"), ("b", "two"))
    return tuple(Place(case, source, tmp_path / f"{case}.npz", n) for case, source in cases for n in (0, 1))


def test_a_batch_depends_on_seed_and_step_alone(places):
    batches = CropBatches(places, settings(), 1)
    first, again = batches.draw(5), CropBatches(places, settings(), 1).draw(5)
    assert first.image.shape == (2, 3, 16, 16, 16)
    assert (first.image == again.image).all()
    assert (first.labels == again.labels).all()
    assert not (first.image == batches.draw(6).image).all()
    assert not (first.image == CropBatches(places, settings(), 2).draw(5).image).all()
    assert [step for step, _ in batches.stream(3, 6)] == [3, 4, 5]


def test_every_lesson_comes_once_in_a_pass_without_shares(places):
    batches = CropBatches(places, settings(augment=QUIET, perturb=0), 0)
    cases = [case for step in range(2) for case in batches.draw(step).cases]
    assert sorted(cases) == ["a", "a", "b", "b"]


def test_shares_choose_the_source(places):
    batches = CropBatches(places, settings(), 0, {"two": 1.0})
    assert {case for step in range(4) for case in batches.draw(step).cases} == {"b"}


def test_two_processes_share_a_batch(places):
    whole = CropBatches(places, settings(), 0).draw(1)
    parts = [CropBatches(places, settings(), 0, rank=rank, world=2).draw(1) for rank in (0, 1)]
    assert (whole.image[0] == parts[0].image[0]).all()
    assert (whole.image[1] == parts[1].image[0]).all()


@pytest.mark.parametrize("kind", ["none", "affine"])
@pytest.mark.parametrize("seed", range(4))
def test_image_map_and_truth_move_together(kind, seed):
    positions = None
    if kind == "affine":
        matrix = augment.draw_matrix(np.random.default_rng(seed), settings=settings().augment)
        positions = augment._grid((16, 16, 16), matrix)
    change = augment.Augmentation("none", positions)
    image, own, others, truth = cut(lesson(), np.random.default_rng(seed), change=change, patch_vox=(16, 16, 16))
    assert image.shape == own.shape == others.shape == truth.shape == (16, 16, 16)
    assert ((image > 250) == (own > 0.5)).mean() > 0.99
    assert ((own > 0.5) == (truth == 1)).mean() > 0.95
    assert truth.any()


def test_a_lesson_smaller_than_the_patch_lies_in_air():
    small = lesson(shape=(14, 16, 12))
    image, own, _, truth = cut(
        small, np.random.default_rng(0), change=augment.Augmentation("none"), patch_vox=(24, 24, 24)
    )
    assert (image == -1024).sum() == 24**3 - 14 * 16 * 12
    assert truth.sum() == small.truth.sum()
    assert (own > 0.5).sum() == small.truth.sum()
