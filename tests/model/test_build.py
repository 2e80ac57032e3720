"""From configuration to network: sizes, and sizes that do not fit."""

from __future__ import annotations

from math import prod
from typing import Any

import pytest
import torch
import yaml

from siil.anatomy import CLASSES
from siil.config import CONFIG_DIR, resolve
from siil.config.schema.model import Model
from siil.config.sizes import MULTIPLES
from siil.errors import ConfigError
from siil.losses.total import total_loss
from siil.model.build import build_network
from siil.model.encoder import Pyramid, ResNet10
from siil.model.network import Network
from tests.model.samples import PATCH, make_batch, make_loss, make_model

BASELINES = ["trunk", "unet", "segresnet", "swin_unetr"]


def paper_network(name: str = "as_published") -> Network:
    """The paper's sizes without memory for them."""
    values = yaml.safe_load((CONFIG_DIR / "config.yaml").read_text())
    values["model"] |= (yaml.safe_load((CONFIG_DIR / f"models/{name}.yaml").read_text()) or {}).get("model", {})
    patch = tuple(values["patch"]["size_vox"])
    with torch.device("meta"):
        return build_network(model=Model.model_validate(values["model"]), patch_vox=patch, spacing_mm=1.5)  # type: ignore[arg-type]


def test_the_papers_sizes_are_the_published_ones() -> None:
    sizes = {name: value.numel() for name, value in paper_network().named_parameters()}
    total = sum(sizes.values())
    assert 170e6 < total < 182e6
    assert sizes["slice_tokens.project.weight"] == 256 * 16 * 16 * 256
    assert sizes["instance_tokens.project.weight"] == 256 * 8 * 16 * 16 * 256


def test_the_two_token_maps_hold_most_parameters_and_the_default_goes_without_them() -> None:
    sizes = {name: value.numel() for name, value in paper_network().named_parameters()}
    maps = sizes["slice_tokens.project.weight"] + sizes["instance_tokens.project.weight"]
    assert maps / sum(sizes.values()) == pytest.approx(0.86, abs=0.01)
    assert sum(value.numel() for value in paper_network("siil").parameters()) < 25e6
    demo = resolve("demo")
    with torch.device("meta"):
        made = build_network(model=demo.model, patch_vox=demo.patch.size_vox, spacing_mm=3.0)
    assert sum(value.numel() for value in made.parameters()) < 5e6


@pytest.mark.parametrize("name", sorted(path.stem for path in (CONFIG_DIR / "models").glob("*.yaml")))
def test_every_shipped_model_is_built_for_the_demo(name: str) -> None:
    config = resolve("demo", model=name)
    with torch.device("cpu" if name == "swin_unetr" else "meta"):  # MONAI's Swin reads numbers while it is built
        build_network(model=config.model, patch_vox=config.patch.size_vox, spacing_mm=3.0)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"widths": [4, 8]}, r"model\.widths: pyramid has 3 stages"),
        ({"embed_dim": 24}, r"model\.embed_dim: must equal the last of model\.widths, 16"),
        ({"heads": 3}, r"model\.heads: must divide"),
        ({"token_channels": 32}, r"model\.token_channels: at most"),
        ({"encoder": "resnet10", "widths": [4, 8, 16]}, r"model\.widths: resnet10 has 4 stages"),
        ({"name": "segresnet", "widths": [12, 8, 16]}, r"model\.widths: segresnet"),
    ],
)
def test_sizes_that_do_not_fit_name_their_key(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        build_network(model=make_model(**changes), patch_vox=PATCH, spacing_mm=3.0)


def test_the_multiples_are_the_strides_of_the_encoders() -> None:
    assert {"resnet10": ResNet10.deepest_stride, "pyramid": Pyramid.deepest_stride} == MULTIPLES


@pytest.mark.parametrize(
    ("name", "patch"), [("siil", (36, 16, 16)), ("unet", (36, 16, 16)), ("swin_unetr", (32, 32, 32))]
)
def test_a_patch_that_cannot_be_halved_is_refused(name: str, patch: tuple[int, int, int]) -> None:
    with pytest.raises(ConfigError, match=r"patch\.size_vox"):
        build_network(model=make_model(name=name), patch_vox=patch, spacing_mm=3.0)


@pytest.mark.parametrize("name", BASELINES)
def test_a_baseline_answers_trains_and_has_no_core(name: str) -> None:
    patch = (64, 32, 32) if name == "swin_unetr" else PATCH
    torch.manual_seed(0)
    network = build_network(model=make_model(name=name, widths=[8, 8, 16]), patch_vox=patch, spacing_mm=3.0)
    labels = torch.zeros(1, *patch, dtype=torch.uint8)
    labels[0, 5:20, 4:12, 4:12] = 19
    output = network(torch.randn(1, 1, *patch), labels)
    assert output.core is None
    assert output.spine.shape == (1, 1, *patch)
    assert output.vertebrae.shape == (1, CLASSES, *patch)
    total_loss(output, labels, loss=make_loss(), activation="softmax")["total"].backward()
    assert all(torch.isfinite(value.grad).all() for value in network.parameters() if value.grad is not None)
    before = {key: value.clone() for key, value in network.state_dict().items()}
    network.remember(output, labels)
    network.refresh_prototypes(0)
    assert all(torch.equal(value, before[key]) for key, value in network.state_dict().items())
    with pytest.raises(ValueError, match="eval mode"):
        network.eval()(torch.randn(1, 1, *patch), labels)


def test_limits_on_heights_are_in_millimetres() -> None:
    for encoder, spacing_mm in (("pyramid", 3.0), ("resnet10", 1.5)):
        made = build_network(model=make_model(encoder), patch_vox=PATCH, spacing_mm=spacing_mm)
        assert made.mill.slice_mm == 6.0  # type: ignore[union-attr, attr-defined]
        assert made.mill.slices == prod(PATCH[:1]) // made.stride  # type: ignore[union-attr, attr-defined, operator]


def test_a_network_of_a_small_batch_is_not_empty() -> None:
    image, labels = make_batch()
    made = build_network(model=make_model(), patch_vox=PATCH, spacing_mm=3.0).train()
    assert made(image.float(), labels).core.present[:, 1:].sum() == 8
