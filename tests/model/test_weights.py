"""The weights file: round trip, and every way in which it can be wrong."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from siil.config import resolve
from siil.config.schema.model import Model
from siil.errors import WeightsError
from siil.model.build import build_network
from siil.model.weights import SHIPPED, Weights, load_network, save_weights, weights_path
from siil.run import files
from tests.model.samples import PATCH, fill_memory, make_model

ROOT = Path(__file__).parents[2]
ABOUT = Weights(
    model=make_model(), patch_vox=PATCH, spacing_mm=3.0, window_hu=(-500.0, 1300.0), experiment="demo", code="abc"
)


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    network = build_network(model=ABOUT.model, patch_vox=PATCH, spacing_mm=3.0)
    fill_memory(network)  # type: ignore[arg-type]
    save_weights(tmp_path / "weights.safetensors", network, about=ABOUT)
    return tmp_path / "weights.safetensors"


def test_a_loaded_network_says_the_same_as_the_saved_one(tmp_path: Path, saved: Path) -> None:
    torch.manual_seed(0)
    network = build_network(model=ABOUT.model, patch_vox=PATCH, spacing_mm=3.0)
    fill_memory(network)  # type: ignore[arg-type]
    loaded, about = load_network(saved)
    assert about == ABOUT
    assert about.activation == "softmax"
    assert not loaded.training
    image = torch.randn(1, 1, *PATCH)
    assert torch.equal(loaded(image).vertebrae, network.eval()(image).vertebrae)
    for name, value in network.state_dict().items():
        assert torch.equal(value, loaded.state_dict()[name]), name
    save_weights(tmp_path / "again.safetensors", loaded, about=about)
    assert (tmp_path / "again.safetensors").read_bytes() == saved.read_bytes()


def test_loading_leaves_the_random_numbers_of_the_caller_alone(saved: Path) -> None:
    state = torch.get_rng_state()
    load_network(saved)
    assert torch.equal(torch.get_rng_state(), state)


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"none\.safetensors: no such weights file"):
        load_network(tmp_path / "none.safetensors")


@pytest.mark.parametrize("keep", [0, 5, 100, -100])
def test_a_truncated_file(saved: Path, keep: int) -> None:
    saved.write_bytes(saved.read_bytes()[:keep])
    with pytest.raises(WeightsError, match=r"weights\.safetensors: truncated, damaged"):
        load_network(saved)


@pytest.mark.parametrize("zipped", [True, False])
def test_a_pickle_is_not_read(saved: Path, zipped: bool) -> None:
    torch.save({"weights": torch.zeros(2)}, saved, _use_new_zipfile_serialization=zipped)
    with pytest.raises(WeightsError, match="pickled checkpoint"):
        load_network(saved)


def test_safetensors_of_another_program(saved: Path) -> None:
    save_file({"weight": torch.zeros(2)}, saved)
    with pytest.raises(WeightsError, match="another program"):
        load_network(saved)


def rewrite(path: Path, **changes: object) -> None:
    """Change the description of a weights file, not its tensors."""
    content = path.read_bytes()
    length = struct.unpack("<Q", content[:8])[0]
    header = json.loads(content[8 : 8 + length])
    values = json.loads(header["__metadata__"]["siil"]) | changes
    header["__metadata__"]["siil"] = json.dumps(values)
    encoded = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(encoded)) + encoded + content[8 + length :])


def changed(**values: object) -> dict[str, object]:
    return Model.model_dump(make_model(), mode="json") | values


def test_weights_of_another_architecture_name_the_first_tensor_that_differs(saved: Path) -> None:
    rewrite(saved, model=changed(gru=False))
    with pytest.raises(WeightsError, match=r"wrong architecture: ocpl\.gru\.downwards\.0\.bias_hh_l0"):
        load_network(saved)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format": 7}, "weights of format 7"),
        ({"model": {"name": "siil"}}, "another version"),
        ({"model": changed(widths=[4, 8])}, r"makes no network \(model\.widths"),
        ({"surprise": 1}, "another version"),
    ],
)
def test_a_description_that_is_not_ours(saved: Path, changes: dict[str, object], message: str) -> None:
    rewrite(saved, **changes)
    with pytest.raises(WeightsError, match=message) as caught:
        load_network(saved)
    assert "\n" not in str(caught.value)


def test_the_shipped_weights_are_small_float16_and_named_by_their_card() -> None:
    assert SHIPPED.stat().st_size <= 16_000_000
    with safe_open(str(SHIPPED), framework="pt") as opened:
        kinds = {opened.get_tensor(name).dtype for name in opened.keys()}  # noqa: SIM118
    assert torch.float16 in kinds
    assert torch.float32 not in kinds
    network, about = load_network(SHIPPED)
    assert about.model == resolve("pretrain", model="siil").model, "siil predict would build another network"
    card = (ROOT / "docs" / "model-card.md").read_text(encoding="utf-8")
    assert files.sha256(SHIPPED)[:16] in card
    assert about.code[:12] in card
    assert all(bool(torch.isfinite(value).all()) for value in network.state_dict().values())


def test_weights_are_a_file_or_one_of_the_packages_names(tmp_path: Path) -> None:
    assert weights_path() == SHIPPED
    assert weights_path("phantom") == SHIPPED.with_name("phantom.safetensors")
    assert weights_path("own.safetensors") == Path("own.safetensors")
    assert weights_path(tmp_path / "phantom") == tmp_path / "phantom"
    with pytest.raises(WeightsError, match=r"phantoms: no such file, and none of the package's, .*phantom"):
        weights_path("phantoms")
