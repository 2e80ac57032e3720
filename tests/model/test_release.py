from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors import safe_open

from siil.config import resolve
from siil.errors import WeightsError
from siil.model import release as module
from siil.model.build import build_network
from siil.model.release import LARGEST_BYTES, release
from siil.model.weights import SHIPPED, Weights, load_network, save_weights
from siil.run import files

ROOT = Path(__file__).parents[2]


@pytest.fixture
def trained(tmp_path: Path) -> Path:
    config = resolve("tiny")
    torch.manual_seed(0)
    network = build_network(model=config.model, patch_vox=config.patch.size_vox, spacing_mm=3.0)
    about = Weights(config.model, config.patch.size_vox, 3.0, (-500.0, 1300.0), code="abc")
    save_weights(tmp_path / "weights.safetensors", network, about=about)
    return tmp_path / "weights.safetensors"


def test_released_weights_are_float16_of_the_same_values_with_their_origin(trained: Path, tmp_path: Path) -> None:
    output = tmp_path / "out.safetensors"
    release(trained, output=output, experiment="tiny", notes="seed 0")
    (before, _), (after, about) = load_network(trained), load_network(output)
    assert (about.experiment, about.notes, about.code) == ("tiny", "seed 0", "abc")
    assert output.stat().st_size < 0.6 * trained.stat().st_size
    for name, value in before.state_dict().items():
        torch.testing.assert_close(after.state_dict()[name], value, rtol=1e-3, atol=1e-6)


def test_of_several_parts_the_mean_is_released(trained: Path, tmp_path: Path) -> None:
    network, about = load_network(trained)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter += 0.5
    save_weights(tmp_path / "later.safetensors", network, about=about)
    release(trained, tmp_path / "later.safetensors", output=tmp_path / "out.safetensors")
    (first, _), (mean, _) = load_network(trained), load_network(tmp_path / "out.safetensors")
    found = dict(mean.named_parameters())
    for name, value in first.named_parameters():
        torch.testing.assert_close(found[name], value + 0.25, rtol=1e-3, atol=1e-3)


def test_the_mean_of_different_networks_is_refused(trained: Path, tmp_path: Path) -> None:
    config = resolve("tiny", overrides={"model": {"heads": 1}})
    other = build_network(model=config.model, patch_vox=config.patch.size_vox, spacing_mm=3.0)
    about = Weights(config.model, config.patch.size_vox, 3.0, (-500.0, 1300.0))
    save_weights(tmp_path / "other.safetensors", other, about=about)
    with pytest.raises(WeightsError, match="its model differs"):
        release(tmp_path / "other.safetensors", trained, output=tmp_path / "out.safetensors")


def test_the_mean_of_networks_for_other_scans_is_refused(trained: Path, tmp_path: Path) -> None:
    network, about = load_network(trained)
    save_weights(tmp_path / "other.safetensors", network, about=replace(about, window_hu=(-500.0, 900.0)))
    with pytest.raises(WeightsError, match="its window_hu differs"):
        release(tmp_path / "other.safetensors", trained, output=tmp_path / "out.safetensors")


def test_weights_that_are_too_large_to_ship_are_refused(trained: Path, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(module, "LARGEST_BYTES", 1000)
    with pytest.raises(WeightsError, match="MB in float16, expected at most"):
        release(trained, output=tmp_path / "out.safetensors")
    assert not (tmp_path / "out.safetensors").exists()


def test_the_shipped_weights_are_small_float16_and_named_by_their_card() -> None:
    assert SHIPPED.stat().st_size <= LARGEST_BYTES
    with safe_open(str(SHIPPED), framework="pt") as opened:
        kinds = {opened.get_tensor(name).dtype for name in opened.keys()}  # noqa: SIM118
    assert torch.float16 in kinds
    assert torch.float32 not in kinds
    network, about = load_network(SHIPPED)
    assert about.experiment == "phantom_full"
    assert about.model == resolve("phantom_full", model="siil").model, "siil predict would build another network"
    card = (ROOT / "docs" / "model-card.md").read_text(encoding="utf-8")
    assert files.sha256(SHIPPED)[:16] in card
    assert about.code[:12] in card
    assert all(bool(torch.isfinite(value).all()) for value in network.state_dict().values())
