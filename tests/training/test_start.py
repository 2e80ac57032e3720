"""Where a training starts: given weights must fit, but for a head of landmarks, which may start afresh."""

from __future__ import annotations

import pytest
import torch

from siil.errors import WeightsError
from siil.model.weights import Weights, save_weights
from siil.training.start import start_network
from tests.model.samples import PATCH, make_model, make_network


def write(path, **changes):
    about = Weights(make_model(**changes), PATCH, 6.0, (-500.0, 1300.0))
    save_weights(path, make_network(**changes).float(), about=about)
    return path


def start(path, **changes):
    return start_network(
        model=make_model(**changes), patch_vox=PATCH, spacing_mm=6.0, seed=1, weights=path
    ).state_dict()


def test_a_head_of_landmarks_starts_afresh_from_weights_without_it(tmp_path) -> None:
    there = write(tmp_path / "plain.safetensors")
    plain, more = start(there), start(there, landmarks=True)
    fresh = start(None, landmarks=True)
    assert more.keys() - plain.keys() == {"decoder.landmarks.weight", "decoder.landmarks.bias"}
    for name, value in more.items():
        assert torch.equal(value, plain[name] if name in plain else fresh[name]), name


def test_a_head_of_landmarks_that_the_weights_have_is_taken_over(tmp_path) -> None:
    there = write(tmp_path / "more.safetensors", landmarks=True)
    assert not torch.equal(
        start(there, landmarks=True)["decoder.landmarks.weight"],
        start(None, landmarks=True)["decoder.landmarks.weight"],
    )
    with pytest.raises(WeightsError, match=r"decoder\.landmarks\.bias is \(2,\) there and None here"):
        start(there)


def test_every_other_difference_is_refused(tmp_path) -> None:
    there = write(tmp_path / "plain.safetensors", ocpl=False)
    with pytest.raises(WeightsError, match="needs the model and patch sections"):
        start(there, landmarks=True)
