"""Hard patches through the real engine in bfloat16: finite, or stopped with a name."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch

from benchmarks import numerics
from benchmarks.numerics import KINDS, computed_in, prepare, train
from siil.errors import TrainingError
from siil.inference.device import usable_precision


@pytest.mark.slow
@pytest.mark.parametrize("model", ["siil", "as_published"])
def test_a_hundred_steps_on_hard_patches_stay_finite(tmp_path: Path, model: str) -> None:
    config, network = prepare(100, model)
    assert config.train.precision == "bf16-mixed"
    if usable_precision(config.train.precision, "cpu") != "bf16-mixed":
        pytest.skip("this processor does not compute in bfloat16")
    history = train(config, network, tmp_path)
    assert history["step"].max() == 100
    terms = history[["spine", "vertebrae", "instance", "semantic", "localisation", "presence", "gradient_norm"]]
    assert terms.notna().all(axis=None)
    assert terms.map(math.isfinite).all(axis=None)
    assert all(torch.isfinite(value).all() for value in network.state_dict().values())


def test_a_precision_that_is_not_bfloat16_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(numerics, "usable_precision", lambda name, device: "32-true")
    assert computed_in("bf16-mixed") == "32-true, NOT bfloat16 (configured: bf16-mixed)"
    monkeypatch.setattr(numerics, "usable_precision", lambda name, device: name)
    assert computed_in("bf16-mixed") == "bf16-mixed"


def test_a_term_that_is_not_finite_stops_with_its_name_and_kind(tmp_path: Path) -> None:
    config, network = prepare(20)
    with torch.no_grad():
        network.get_parameter("presence.linear.bias")[0] = math.inf
    with pytest.raises(TrainingError, match=r"step 0: loss .*presence.* is not finite \(cases ") as caught:
        train(config, network, tmp_path)
    assert any(kind in str(caught.value) for kind in KINDS)
