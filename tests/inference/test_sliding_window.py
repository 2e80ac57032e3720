"""Sliding window: the bounded accumulation equals the plain one, padding is undone, nothing but the image goes in."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import product

import numpy as np
import pytest
import torch

from siil.anatomy import CLASSES
from siil.errors import WeightsError
from siil.inference.accumulate import Slab
from siil.inference.posterior import LANDMARK_FLOOR
from siil.inference.sliding_window import slide, window_starts, window_weights
from tests.inference.fakes import FakeNetwork, FakeOutput


@dataclass(frozen=True)
class Settings:
    overlap: float = 0.5
    blending: str = "gaussian"
    batch_size: int = 3
    localise: bool = False


def random_image(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).uniform(-1, 1, shape).astype(np.float32)


def plain(network, image, patch, blending="gaussian"):
    """Full-volume accumulation in float64: what slide must equal."""
    sums = np.zeros((1 + CLASSES, *image.shape))
    total = np.zeros(image.shape)
    wz, wy, wx = (window_weights(p, blending) for p in patch)
    weight = wz[:, None, None] * wy[:, None] * wx
    for corner in product(*(window_starts(n, p, 0.5) for n, p in zip(image.shape, patch, strict=True))):
        place = tuple(slice(c, c + p) for c, p in zip(corner, patch, strict=True))
        with torch.inference_mode():
            output = network(torch.from_numpy(image[place])[None, None])
        maps = torch.cat([output.spine.sigmoid(), output.vertebrae.softmax(1)], 1)[0].double().numpy()
        sums[(slice(None), *place)] += maps * weight
        total[place] += weight
    return sums / total


@pytest.mark.parametrize("blending", ["gaussian", "hann"])
def test_bounded_accumulation_equals_the_plain_one_to_rounding(blending):
    network, image = FakeNetwork(), random_image(27, 13, 18)
    expected = plain(network, image, (8, 6, 8), blending)
    found = slide(network, image, patch_vox=(8, 6, 8), inference=Settings(blending=blending))
    assert np.abs(found.spine - expected[0]).max() < 1e-3
    kept = expected[0].reshape(-1)[found.index]
    assert kept.min() > 0.0999
    assert len(found.index) == (found.spine.astype(np.float32) > 0.1).sum() > 100
    assert np.abs(found.classes.T - expected[1:].reshape(CLASSES, -1)[:, found.index]).max() < 1e-3


def test_index_ascends_and_classes_sum_to_one():
    found = slide(FakeNetwork(), random_image(20, 9, 9), patch_vox=(8, 8, 8), inference=Settings())
    assert (np.diff(found.index) > 0).all()
    assert np.abs(found.classes.astype(np.float64).sum(axis=1) - 1).max() < 5e-3
    assert (found.sites()[0] == np.unravel_index(found.index[0], (20, 9, 9))).all()


def test_scan_smaller_than_a_patch_is_padded_with_air_and_cropped_back():
    network, image = FakeNetwork(), random_image(5, 9, 6)
    found = slide(network, image, patch_vox=(8, 8, 8), inference=Settings())
    assert found.spine.shape == (5, 9, 6)
    padded = np.pad(image, [(1, 2), (0, 0), (1, 1)], constant_values=-1)
    expected = plain(network, padded, (8, 8, 8))[0, 1:6, :, 1:7]
    assert np.abs(found.spine - expected).max() < 1e-3


def test_accumulators_do_not_grow_with_the_length_of_the_scan(monkeypatch):
    shapes = []
    made = Slab.__init__
    monkeypatch.setattr(Slab, "__init__", lambda self, *a: (made(self, *a), shapes.append(tuple(self.sums.shape)))[0])
    for length in (16, 64):
        slide(FakeNetwork(), random_image(length, 8, 8), patch_vox=(8, 8, 8), inference=Settings())
    assert shapes == [(1 + CLASSES + 1, 8, 8, 8)] * 2


@pytest.mark.parametrize("flip", [False, True])
def test_landmarks_are_blended_as_o_r_is_and_change_nothing_else(flip):
    image = random_image(20, 9, 12)
    bare, found = (
        slide(FakeNetwork(landmarks=has), image, patch_vox=(8, 8, 8), inference=Settings(), flip=flip)
        for has in (False, True)
    )
    assert bare.landmarks is None
    np.testing.assert_array_equal(found.spine, bare.spine)
    np.testing.assert_array_equal(found.classes, bare.classes)
    dense = np.zeros((2, image.size))
    dense[:, found.landmarks.index] = found.landmarks.chance.T
    expected = np.stack([bare.spine.reshape(-1), 1 - bare.spine.reshape(-1)]).astype(float)
    assert (expected.max(axis=0) > LANDMARK_FLOOR).all()  # every voxel is one of the two
    assert np.abs(dense - expected).max() < 2e-3
    assert (np.diff(found.landmarks.index) > 0).all()


def test_landmarks_that_are_unlikely_are_not_kept():
    network = FakeNetwork(landmarks=True)
    network.spine.weight.data.zero_()
    network.spine.bias.data.fill_(-9.0)
    found = slide(network, random_image(8, 8, 8), patch_vox=(8, 8, 8), inference=Settings())
    assert len(found.landmarks.index) == 512  # ribs everywhere
    unlikely = torch.full((1, 2, 8, 8, 8), -3.0)
    network.forward = lambda image: FakeOutput(network.spine(image), network.vertebrae(image), None, unlikely)
    found = slide(network, random_image(8, 8, 8), patch_vox=(8, 8, 8), inference=Settings())
    assert found.landmarks.index.shape == (0,)
    assert found.landmarks.chance.shape == (0, 2)


def test_network_runs_in_eval_mode_in_batches_and_keeps_its_mode():
    network = FakeNetwork()
    network.train()
    slide(network, random_image(8, 16, 16), patch_vox=(8, 8, 8), inference=Settings(batch_size=4))
    assert network.modes == [False] * 3
    assert [call[0] for call in network.calls] == [4, 4, 1]
    assert network.training


def test_result_does_not_depend_on_the_batch_size():
    image = random_image(16, 12, 16)
    one, many = (slide(FakeNetwork(), image, patch_vox=(8, 8, 8), inference=Settings(batch_size=n)) for n in (1, 5))
    assert np.abs(one.spine - many.spine).max() < 2e-3


def test_localisation_and_embeddings_come_from_the_core():
    image = np.repeat(np.linspace(-1, 1, 24, dtype=np.float32)[:, None, None], 64, axis=1).reshape(24, 8, 8)
    found = slide(FakeNetwork(core=True), image, patch_vox=(8, 8, 8), inference=Settings())
    assert found.localisation.shape == (CLASSES, 24)
    assert found.localisation[0] == pytest.approx(0.5)  # class 0's logit is 0 everywhere
    assert (np.diff(found.localisation[20]) >= 0).all()  # rises with the image
    assert found.localisation[20, 0] < 1e-3 < 0.999 < found.localisation[20, -1]
    assert set(found.embedding_classes) == {3, 4}
    assert (found.embeddings[:, 0] == found.embedding_classes).all()


def test_without_a_core_localisation_is_zero_and_there_are_no_embeddings():
    found = slide(FakeNetwork(), random_image(8, 8, 8), patch_vox=(8, 8, 8), inference=Settings())
    assert not found.localisation.any()
    assert found.embeddings.shape == (0, 0)


def test_flips_are_front_back_and_up_down_only(monkeypatch):
    network, image = FakeNetwork(), random_image(8, 8, 8)
    seen = []
    forward = network.forward
    monkeypatch.setattr(network, "forward", lambda x: (seen.append(x.clone()), forward(x))[1])
    found = slide(network, image, patch_vox=(8, 8, 8), inference=Settings(), flip=True)
    views = [x.numpy()[0, 0] for x in seen]
    expected = [image, image[:, ::-1], image[::-1], image[::-1, ::-1]]
    assert all((a == b).all() for a, b in zip(views, expected, strict=True))
    with torch.inference_mode():
        answers = [network.spine(x)[0, 0].sigmoid().numpy() for x in seen]
    mean = np.mean([answers[0], answers[1][:, ::-1], answers[2][::-1], answers[3][::-1, ::-1]], axis=0)
    assert np.abs(found.spine - mean).max() < 1e-3


def test_sigmoid_classes_are_normalised():
    found = slide(FakeNetwork(), random_image(8, 8, 8), patch_vox=(8, 8, 8), inference=Settings(), activation="sigmoid")
    assert np.abs(found.classes.astype(np.float64).sum(axis=1) - 1).max() < 5e-3


@pytest.mark.parametrize("localise", [False, True])
def test_output_that_is_not_finite_is_refused(localise):
    network = FakeNetwork()
    network.spine.weight.data[:] = float("nan")
    with pytest.raises(WeightsError, match="not finite"):
        slide(network, random_image(8, 24, 24), patch_vox=(8, 8, 8), inference=Settings(localise=localise))


class SeesBright(FakeNetwork):
    """Spine where the image is bright, whatever the window."""

    def forward(self, image, labels=None):
        return replace(super().forward(image, labels), spine=40 * image - 20)


def one_bright_cube() -> np.ndarray:
    """A body of 48 voxels a side with air around it, and a bright cube in one of its corners."""
    image = np.full((48, 48, 48), -1.0, np.float32)
    image[4:44, 4:44, 4:44] = 0.1 * random_image(40, 40, 40)
    image[30:38, 9:17, 30:38] = 1
    return image


def test_first_look_leaves_windows_out_and_changes_nothing_where_it_saw_spine():
    image, calls = one_bright_cube(), {}
    found = {}
    for localise in (False, True):
        network = SeesBright(core=True)
        found[localise] = slide(network, image, patch_vox=(8, 8, 8), inference=Settings(localise=localise))
        calls[localise] = sum(call[0] for call in network.calls)
    full, some = found[False], found[True]
    assert calls[True] < calls[False] / 4
    bright = image == 1
    assert bright.sum() == 512
    assert (some.spine[bright] == full.spine[bright]).all()
    where = np.isin(some.index, np.flatnonzero(bright))
    assert (some.classes[where] == full.classes[np.isin(full.index, np.flatnonzero(bright))]).all()
    assert some.localisation[20, 30:38] == pytest.approx(full.localisation[20, 30:38])
    assert not some.spine[:16].any()
    assert not some.localisation[:, :16].any()
    assert full.spine[5].any()


def test_narrow_field_of_view_is_not_looked_at_first():
    images = random_image(16, 16, 16), random_image(16, 16, 24)
    calls = []
    for image in images:
        network = SeesBright()
        slide(network, image, patch_vox=(8, 8, 8), inference=Settings(localise=True))
        calls.append(sum(call[0] for call in network.calls))
    assert calls[0] == 27
    assert calls[1] > 3 * 3 * 5  # all of them, and the first look


def test_first_look_does_not_look_at_air():
    network = SeesBright()
    image = np.full((16, 32, 32), -1.0, np.float32)
    image[2, 2, 2] = 0
    found = slide(network, image, patch_vox=(8, 8, 8), inference=Settings(localise=True))
    assert [call[0] for call in network.calls] == [1]
    assert not found.spine.any()
    assert found.index.shape == (0,)
    assert found.classes.shape == (0, CLASSES)


def test_bfloat16_is_close_to_float32():
    image = random_image(8, 8, 8)
    full, half = (
        slide(FakeNetwork(), image, patch_vox=(8, 8, 8), inference=Settings(), precision=p)
        for p in ("32-true", "bf16-mixed")
    )
    difference = np.abs(full.spine - half.spine).max()
    assert 0 < difference < 0.1


def test_window_starts_cover_both_ends_with_at_least_the_overlap():
    assert window_starts(8, 8, 0.5) == [0]
    assert window_starts(9, 8, 0.5) == [0, 1]
    assert window_starts(16, 8, 0.5) == [0, 4, 8]
    starts = window_starts(101, 32, 0.5)
    assert starts[0] == 0
    assert starts[-1] == 69
    assert max(np.diff(starts)) <= 16


def test_unknown_blending_is_refused():
    with pytest.raises(ValueError, match="expected gaussian or hann"):
        window_weights(8, "box")


def test_windows_are_told_as_they_are_done_the_first_look_apart():
    told: list[tuple[int, int]] = []
    image = random_image(16, 32, 32)
    options = {"patch_vox": (8, 8, 8), "told": lambda done, total: told.append((done, total))}
    slide(FakeNetwork(), image, inference=Settings(), **options)
    count = 3 * 7 * 7
    assert told[0] == (0, count)
    assert [done for done, _ in told] == sorted({done for done, _ in told})
    assert told[-1] == (count, count)
    told.clear()
    slide(FakeNetwork(), image, inference=Settings(localise=True), **options)
    begun = [n for n, (done, _) in enumerate(told) if done == 0]
    assert len(begun) == 2
    assert told[begun[0]] == (0, 2 * 4 * 4)  # side by side
    assert told[begun[1] - 1] == (32, 32)
    assert told[-1][0] == told[-1][1] <= count
