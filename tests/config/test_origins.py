"""Where values come from: every layer, and what the schema alone says."""

from __future__ import annotations

import pytest

from siil.config import CONFIG_DIR, Config, origins, resolve, sections
from siil.config.layers import Layer, stack
from siil.errors import ConfigError


@pytest.fixture
def root(tmp_path):
    """Two experiments, one upon the other, over one model and the shipped config.yaml and phantom_demo."""
    for folder in ("datasets", "experiments", "models"):
        (tmp_path / folder).mkdir()
    for file in ("config.yaml", "datasets/phantom_demo.yaml", "models/siil.yaml"):
        (tmp_path / file).write_text((CONFIG_DIR / file).read_text(encoding="utf-8"), encoding="utf-8")
    (tmp_path / "experiments/low.yaml").write_text(
        "dataset: phantom_demo\nmodels: [flat]\ntrain: {epochs: 1, batch_size: 3, seed: 40}\nrepeats: 3\n"
        "per_model: {flat: {loss: {presence: 4, spine: 5}}}\n",
        encoding="utf-8",
    )
    (tmp_path / "experiments/high.yaml").write_text(
        "extends: low\ntrain: {batch_size: 4}\nper_model: {flat: {loss: {spine: 6}}}\n", encoding="utf-8"
    )
    (tmp_path / "models/flat.yaml").write_text(
        "model: {gru: false}\nloss: {presence: 2, contrast: 0}\n", encoding="utf-8"
    )
    return tmp_path


@pytest.mark.parametrize(
    ("key", "value", "source"),
    [
        ("experiment", "high", "--experiment"),
        ("patch.size_vox", (128, 64, 64), "config.yaml"),
        ("dataset.split.folds", 4, "datasets/phantom_demo.yaml"),
        ("dataset.sources.phantom_demo.recipe.patients", 36, "datasets/phantom_demo.yaml"),
        ("dataset.editions", (), "siil/config/schema"),
        ("train.epochs", 1, "experiments/low.yaml"),
        ("train.batch_size", 4, "experiments/high.yaml"),
        ("loss.contrast", 0, "models/flat.yaml"),
        ("loss.presence", 4, "experiments/low.yaml: per_model.flat"),
        ("loss.spine", 6, "experiments/high.yaml: per_model.flat"),
        ("loss.vertebrae", 9, "command line: per_model.flat"),
        ("loss.instance", 8, "command line"),
        ("train.seed", 42, "repeat 2"),
    ],
)
def test_each_layer_is_named_for_what_it_says_last(root, key, value, source):
    overrides = {"loss": {"instance": 8}, "per_model": {"flat": {"loss": {"vertebrae": 9, "instance": 7}}}}
    config, laid = origins.explain("high", model="flat@2", overrides=overrides, root=root)
    found: object = config
    for part in key.split("."):
        found = found[part] if isinstance(found, dict) else getattr(found, part)
    assert found == value
    assert origins.source(laid, key) == source


def test_the_layers_laid_make_the_values(root):
    config, laid = origins.explain("high", model="flat@1", root=root)
    values = stack(laid)
    assert (values["train"]["seed"], values["loss"]["spine"]) == (41, 6)
    assert Config.model_validate(values) == config == resolve("high", model="flat@1", root=root)


def test_a_part_is_what_lies_at_a_key_or_below_it():
    values = {"train": {"epochs": 3, "augment": {"scale": 0.1}}, "per_model": {}}
    assert origins.below(values, "train.augment") == {"train": {"augment": {"scale": 0.1}}}
    assert dict(origins.leaves(values)) == {"train.epochs": 3, "train.augment.scale": 0.1, "per_model": {}}


@pytest.mark.parametrize(
    ("key", "meant"),
    [
        ("trian", "train"),
        ("train.epoch", "train.epochs"),
        ("train.epochs.more", "train.epochs"),
        ("dataset.sources.phantom_dmo", "dataset.sources.phantom_demo"),
        ("dataset.sources.phantom_demo.recipe.patient", "dataset.sources.phantom_demo.recipe.patients"),
        ("nothing_like_it", None),
        ("inference.decod.prior_t13", "inference.decode.prior_t13"),
    ],
)
def test_a_part_that_is_not_there_names_the_nearest(key, meant):
    values = sections(resolve("demo"), Config.model_fields)
    with pytest.raises(ConfigError) as caught:
        origins.below(values, key)
    assert str(caught.value) == f"no key {key} in this configuration" + (f"; did you mean {meant}?" if meant else "")


def test_a_key_says_its_meaning_type_and_unit():
    assert origins.about("per_model.unet.model.min_run_mm") == {
        "meaning": "runs of L shorter than this are dropped unless cut by the patch, mm",
        "type": "float",
        "unit": "mm",
    }
    assert "unit" not in origins.about("train.epochs")
    assert origins.about("dataset.sources.mine.recipe.fields_of_view.cervical")["meaning"].startswith("weight of each")
    assert origins.about("nothing.of_it") == {}


def test_the_default_is_config_yaml_then_the_schema_then_nobody():
    laid = [Layer("config.yaml", {"train": {"epochs": 200}}), Layer("experiments/x.yaml", {"train": {"epochs": 3}})]
    assert origins.default(laid, "train.epochs") == (200, "config.yaml")
    assert origins.default(laid, "dataset.known_defects") == ("keep", "siil/config/schema")
    assert origins.default(laid, "dataset.split.folds") is None
