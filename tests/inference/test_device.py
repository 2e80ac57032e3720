import pytest

from siil.errors import ConfigError
from siil.inference import device
from siil.inference.device import pick_device, usable_precision


def test_devices_are_named_auto_cpu_or_cuda():
    assert pick_device("cpu") == "cpu"
    assert pick_device("auto") in ("cpu", "cuda")
    with pytest.raises(ConfigError, match="expected auto, cpu or cuda"):
        pick_device("tpu")


@pytest.mark.parametrize(
    ("has", "place", "asked", "used"),
    [
        (True, "cpu", "bf16-mixed", "bf16-mixed"),
        (False, "cpu", "bf16-mixed", "32-true"),
        (False, "cuda", "bf16-mixed", "bf16-mixed"),
        (False, "cpu", "32-true", "32-true"),
        (False, "cuda", "16-mixed", "16-mixed"),
    ],
)
def test_a_processor_without_bfloat16_computes_in_float32(monkeypatch, has: bool, place: str, asked: str, used: str):
    monkeypatch.setattr(device, "_cpu_has_bfloat16", lambda: has)
    assert usable_precision(asked, place) == used


def test_the_training_takes_the_usable_precision_and_says_so(monkeypatch, caplog):
    from siil.training.device import make_fabric

    monkeypatch.setattr(device, "_cpu_has_bfloat16", lambda: False)
    caplog.set_level("INFO")
    assert make_fabric("cpu", precision="bf16-mixed").strategy.precision.precision == "32-true"
    assert "32-true instead of bf16-mixed" in caplog.text
