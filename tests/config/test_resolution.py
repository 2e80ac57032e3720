"""Layers, messages, and the partial configuration that a stage receives."""

from __future__ import annotations

import re
import shutil

import pytest

from siil.config import CONFIG_DIR, layers, parse_overrides, partial, resolve, run_name, runs, sections, split_run
from siil.errors import ConfigError
from siil.run.pipeline import BY_NAME, STAGES

EXPERIMENTS = sorted(path.stem for path in (CONFIG_DIR / "experiments").glob("*.yaml"))
MODELS = sorted(path.stem for path in (CONFIG_DIR / "models").glob("*.yaml"))
DATASETS = sorted(path.stem for path in (CONFIG_DIR / "datasets").glob("*.yaml"))


@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_every_shipped_experiment_loads_with_each_of_its_models(experiment):
    config = resolve(experiment)
    assert config.experiment == experiment
    for model in config.models:
        resolve(experiment, model=model)


@pytest.mark.parametrize("model", MODELS)
def test_every_shipped_model_loads(model):
    resolve("demo", model=model)


@pytest.mark.parametrize("dataset", DATASETS)
def test_every_shipped_dataset_loads_and_has_the_name_of_its_file(dataset):
    assert resolve("demo", overrides={"dataset": dataset, "folds": [0]}).dataset.name == dataset


def test_later_layers_win():
    config = resolve("demo", model="no_gru", overrides={"train": {"epochs": 3}})
    assert config.train.epochs == 3  # the command line over experiments/demo.yaml
    assert config.model.gru is False  # models/no_gru.yaml over config.yaml
    assert config.model.encoder == "pyramid"  # experiments/demo.yaml over config.yaml
    assert config.train.seed == 0  # config.yaml
    assert config.dataset.name == "phantom_demo"


def test_the_default_experiment_is_the_one_that_config_yaml_names():
    assert layers.default_experiment() == "demo"


def test_an_unknown_key_names_the_nearest():
    with pytest.raises(ConfigError, match=r"unknown key train\.epoch; did you mean train\.epochs\?"):
        resolve("demo", overrides={"train": {"epoch": 3}})


@pytest.fixture
def root(tmp_path):
    """A copy of config/ to make mistakes in."""
    shutil.copytree(CONFIG_DIR, tmp_path / "config")
    return tmp_path / "config"


@pytest.mark.parametrize(
    ("file", "right", "wrong", "meant"),
    [
        ("config.yaml", "report", "raport", "report"),
        ("config.yaml", "augment", "train.agument", "train.augment"),
        ("config.yaml", "noise_hu", "train.augment.noise_uh", "train.augment.noise_hu"),
        ("config.yaml", "disc_weight", "inference.decode.disk_weight", "inference.decode.disc_weight"),
        ("datasets/custom.yaml", "path", "dataset.sources.custom.pth", "dataset.sources.custom.path"),
        ("datasets/phantom_demo.yaml", "background_mass", "dataset.pap.back_mass", "dataset.pap.background_mass"),
        ("experiments/demo.yaml", "dataset", "datset", "dataset"),
        ("experiments/demo.yaml", "models", "model_s", "models"),
        ("experiments/demo.yaml", "epochs", "train.epoch", "train.epochs"),
        ("experiments/ablation.yaml", "extends", "extend", "extends"),
        ("experiments/ablation.yaml", "per_model", "per_modle", "per_model"),
        ("models/no_gru.yaml", "gru", "model.gruu", "model.gru"),
    ],
)
def test_a_key_misspelt_in_a_file_names_the_file_and_the_nearest(root, file, right, wrong, meant):
    rewrite(root / file, f"{right}:", f"{wrong.rpartition('.')[2]}:")
    with pytest.raises(ConfigError, match=f"^{file}: unknown key {wrong}; did you mean {meant}[?]$"):
        resolve({"datasets/custom.yaml": "custom"}.get(file, "ablation"), root=root)


@pytest.mark.parametrize(
    ("file", "right", "wrong", "key", "meant"),
    [
        ("datasets/phantom_demo.yaml", "kind: phantom", "fantom", "dataset.sources.phantom_demo.kind", "phantom"),
        ("datasets/phantom_demo.yaml", "scheme: kfold", "k_fold", "dataset.split.scheme", "kfold"),
        ("config.yaml", "schedule: step", "stepp", "train.schedule", "step"),
    ],
)
def test_a_value_misspelt_in_a_file_names_the_file_and_the_nearest(root, file, right, wrong, key, meant):
    rewrite(root / file, right, f"{right.partition(': ')[0]}: {wrong}")
    with pytest.raises(ConfigError, match=f"^{file}: {key}: .* got '{wrong}'; did you mean {meant}[?]$"):
        resolve("verse19" if file == "config.yaml" else "demo", root=root)


def test_a_key_misspelt_in_a_recipe_names_the_nearest_before_the_one_that_it_leaves_missing(root):
    rewrite(root / "datasets/phantom_demo.yaml", "patients:", "patient:")
    recipe = "dataset.sources.phantom_demo.recipe"
    with pytest.raises(ConfigError, match=rf"unknown key {recipe}\.patient; did you mean {recipe}\.patients\?$"):
        resolve("demo", root=root)


def test_a_name_misspelt_among_fields_of_view_names_the_nearest(root):
    rewrite(root / "datasets/phantom_demo.yaml", "cervical:", "cervial:")
    with pytest.raises(ConfigError, match=r"fields_of_view\.cervial: .* got 'cervial'; did you mean cervical\?$"):
        resolve("demo", root=root)


def rewrite(path, right, wrong):
    text = path.read_text(encoding="utf-8")
    assert right in text
    path.write_text(text.replace(right, wrong, 1), encoding="utf-8")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("per_model.unet.train.epoch=3", "per_model.unet: unknown key train.epoch; did you mean train.epochs?"),
        ("per_model.unet.trian.epochs=3", "per_model.unet: unknown key trian; did you mean train?"),
        ("per_model.unnet.train.epochs=3", "no models/unnet.yaml .* did you mean unet?"),
        ("per_modl.unet.train.epochs=3", "command line: unknown key per_modl; did you mean per_model?"),
        ("train.overlap=0.5", "command line: unknown key train.overlap; did you mean inference.overlap?"),
        ("epochs=3", "command line: unknown key epochs; did you mean train.epochs?"),
        ("model.encoder=resnet", "command line: model.encoder: .* got 'resnet'; did you mean resnet10?"),
        ("models=[no_grru]", "no models/no_grru.yaml .* did you mean no_gru?"),
        ("dataset=phantom_dmo", "no datasets/phantom_dmo.yaml .* did you mean phantom_demo?"),
        ("dataset.preprocess.spacing_mm=2", "command line: dataset must be the name of a file .*"),
        ("nothing_like_it=1", "command line: unknown key nothing_like_it"),
        ("experiment=verse19", "experiment=verse19: an experiment is chosen by --experiment, not set as a value"),
    ],
)
def test_a_name_misspelt_on_the_command_line_names_the_nearest(words, message):
    with pytest.raises(ConfigError, match=f"{message.replace('?', '[?]')}$"):
        resolve("demo", overrides=parse_overrides([words]))


def test_a_wrong_type_names_key_and_value():
    with pytest.raises(ConfigError, match=r"train\.epochs: .*got 'many'"):
        resolve("demo", overrides={"train": {"epochs": "many"}})


def test_a_fold_that_does_not_exist_is_refused():
    with pytest.raises(ConfigError, match="fold 7 does not exist; dataset phantom_demo has folds 0 to 3"):
        resolve("demo", overrides={"folds": [0, 7]})


@pytest.mark.parametrize(("key", "values"), [("folds", [0, 1, 0]), ("models", ["siil", "unet", "siil"])])
def test_what_stands_twice_in_a_list_is_refused(key, values):
    with pytest.raises(ConfigError, match=rf"^{key}: {values[0]} stands twice"):
        resolve("demo", overrides={key: values})


def test_runs_are_every_model_then_every_model_again():
    config = resolve("demo", overrides={"models": ["siil", "unet"], "repeats": 2})
    assert runs(config) == ("siil", "unet", "siil@1", "unet@1")
    assert runs(resolve("demo")) == ("siil",)
    assert [run_name(*split_run(run)) for run in runs(config)] == list(runs(config))
    assert len(runs(resolve("ablation"))) == 3 * len(resolve("ablation").models)


def test_a_repeat_is_its_model_with_another_seed_and_nothing_else():
    values = {"repeats": 3, "train": {"seed": 5}}
    model, run = (resolve("demo", model=name, overrides=values) for name in ("no_gru", "no_gru@2"))
    assert (model.train.seed, run.train.seed) == (5, 7)
    assert run.model_copy(update={"train": model.train}) == model
    once = resolve("demo", model="no_gru", overrides={"train": {"seed": 5}})
    for stage in ("train", "test", "evaluate"):  # what repeat 0 made stays when repeats are added
        names = BY_NAME[stage].sections
        assert sections(model, names) == sections(once, names)


def test_keys_of_one_model_differ_in_an_experiment_and_an_override_still_wins():
    longer = {"models": ["siil", "unet"], "per_model": {"unet": {"train": {"epochs": 16}}}}
    assert resolve("demo", model="unet", overrides=longer).train.epochs == 16
    assert resolve("demo", model="siil", overrides=longer).train.epochs == resolve("demo").train.epochs
    assert resolve("demo", model="unet", overrides={**longer, "train": {"epochs": 2}}).train.epochs == 2


@pytest.mark.parametrize(
    ("own", "message"),
    [
        ({"unett": {}}, "did you mean unet?"),
        ({"unet": {"train": {"epoch": 3}}}, "unknown key train.epoch; did you mean train.epochs?"),
        ({"unet": 3}, "per_model.unet"),
        (3, "per_model"),
    ],
)
def test_keys_of_one_model_are_checked_like_any_other(own, message):
    with pytest.raises(ConfigError, match=re.escape(message)):
        resolve("demo", overrides={"per_model": own})


@pytest.mark.parametrize(
    ("run", "message"),
    [
        ("siil@2", "repeat 2 does not exist; there are 0 to 1"),
        ("silt@1", r"no models/silt\.yaml .* did you mean siil\?"),
        *((run, f"model {run}: expected a name, or name@1") for run in ("siil@0", "siil@", "siil@01", "siil@x", "@1")),
    ],
)
def test_a_run_that_does_not_exist_is_refused_in_one_line(run, message):
    with pytest.raises(ConfigError, match=message) as caught:
        resolve("demo", model=run, overrides={"repeats": 2})
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("overrides", "message"), [({"models": ["siil@1"]}, r"models\.0: .*'siil@1'"), ({"repeats": 0}, "repeats: .*got 0")]
)
def test_a_model_with_an_at_sign_and_no_training_at_all_are_refused(overrides, message):
    with pytest.raises(ConfigError, match=message):
        resolve("demo", overrides=overrides)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"patch": {"size_vox": [0, 8, 16]}}, r"patch\.size_vox: .* at least 1, got \[0, 8, 16\]"),
        ({"patch": {"size_vox": [64, 32, 33]}}, r"patch\.size_vox: pyramid needs sides that are multiples of 8"),
        ({"patch": {"size_vox": [64, 32, 40]}, "models": ["siil", "unet", "swin_unetr"]}, "swin_unetr needs sides"),
        ({"model": {"heads": 7}}, r"model\.heads: must divide model\.embed_dim 64, got 7"),
        ({"model": {"widths": [16, 64]}}, r"model\.widths: pyramid has 3 stages"),
        ({"model": {"widths": [0, 32, 64]}}, r"model\.widths: .* at least 1"),
    ],
)
def test_sizes_of_which_no_network_can_be_made_are_refused_before_anything_runs(overrides, message):
    with pytest.raises(ConfigError, match=message):
        resolve("demo", overrides=overrides)


def test_an_unknown_experiment_lists_what_there_is():
    with pytest.raises(ConfigError, match=r"no experiments/demmo\.yaml .* did you mean demo\?"):
        resolve("demmo")
    with pytest.raises(ConfigError, match=r"no experiments/5\.yaml"):
        resolve(5)


def test_an_experiment_may_not_change_its_dataset(tmp_path):
    (tmp_path / "experiments").mkdir()
    (tmp_path / "experiments" / "mine.yaml").write_text("dataset: {name: other}\n", encoding="utf-8")
    (tmp_path / "config.yaml").write_text("", encoding="utf-8")
    with pytest.raises(ConfigError, match="an experiment changes nothing in a dataset"):
        resolve("mine", root=tmp_path)


def test_an_experiment_extends_another():
    parent, child = resolve("demo"), resolve("ablation")
    assert child.models != parent.models  # its own
    assert child.train.epochs > parent.train.epochs  # its own
    assert child.train.model_copy(update={"epochs": parent.train.epochs}) == parent.train  # the rest is the demo's
    assert layers.lineage("ablation") == ["demo", "ablation"]


def test_an_experiment_that_extends_nothing_there_is_names_the_file_that_says_so_and_the_nearest(tmp_path):
    (tmp_path / "mine.yaml").write_text("extends: mini\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"experiments/mine\.yaml: extends 'mini', .*; did you mean mine\?"):
        layers.lineage("mine", tmp_path)


def test_a_key_and_its_section_cannot_both_be_set():
    for pairs in (["train.epochs=2", "train=1"], ["train=1", "train.epochs=2"]):
        with pytest.raises(ConfigError, match="give one of the two"):
            parse_overrides(pairs)


def test_an_experiment_that_extends_itself_is_refused(tmp_path):
    for name, parent in (("one", "two"), ("two", "one")):
        (tmp_path / f"{name}.yaml").write_text(f"extends: {parent}\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"experiments/one\.yaml: extends itself by way of one, two"):
        layers.lineage("one", tmp_path)


def test_a_layer_that_is_no_yaml_is_refused_in_one_line(tmp_path):
    (tmp_path / "experiments").mkdir()
    (tmp_path / "experiments" / "mine.yaml").write_text("a: [", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"mine\.yaml: cannot be read as YAML") as caught:
        resolve("mine", root=tmp_path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("stage", STAGES, ids=lambda stage: stage.name)
def test_a_stage_gets_exactly_the_sections_that_it_declares(stage):
    config = resolve("demo")
    values = sections(config, stage.sections)
    part = partial(values)
    assert sections(part, stage.sections) == values
    undeclared = {"train", "inference", "report", "evaluate"} - {name.split(".")[0] for name in stage.sections}
    for name in undeclared:
        with pytest.raises(AttributeError):
            getattr(part, name)


def test_reading_a_key_beside_a_declared_one_raises():
    part = partial(sections(resolve("demo"), ["dataset.pap"]))
    assert part.dataset.pap.end_weight == 2
    with pytest.raises(AttributeError):
        _ = part.dataset.split


def test_a_partial_configuration_is_checked():
    with pytest.raises(ConfigError, match="unknown key tarin; did you mean train"):
        partial({"tarin": {}})
    values = sections(resolve("demo"), ["dataset.pap"])
    values["dataset"]["pap"]["end_weight"] = -1
    with pytest.raises(ConfigError, match=r"pap.*end_weight.*got -1"):
        partial(values)


@pytest.mark.parametrize("values", [{"dataset": 3}, {"dataset": "name"}, {"dataset": {"pap": [1]}}, {"train": None}])
def test_a_section_that_is_no_mapping_is_refused(values):
    with pytest.raises(ConfigError, match=r"--config: .*got"):
        partial(values)


def test_overrides_are_dotted_keys_with_yaml_values():
    assert parse_overrides(["train.epochs=3", "patch.size_vox=[8, 8, 8]"]) == {
        "train": {"epochs": 3},
        "patch": {"size_vox": [8, 8, 8]},
    }
    with pytest.raises(ConfigError, match="expected KEY=VALUE"):
        parse_overrides(["train.epochs"])


@pytest.mark.parametrize(
    ("pairs", "message"),
    [
        (["inference.overlap=[1"], r"--set inference\.overlap=\[1: the value is no YAML"),
        (["train.epochs=2001-13-45"], "--set train.epochs=2001-13-45: the value is no YAML: month"),
        (["inference=3", "inference.overlap=.3"], r"--set inference\.overlap=\.3: inference was set to 3 before"),
    ],
)
def test_an_override_that_cannot_be_read_is_refused_in_one_line(pairs, message):
    with pytest.raises(ConfigError, match=message) as caught:
        parse_overrides(pairs)
    assert "\n" not in str(caught.value)
