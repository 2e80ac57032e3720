"""`siil config` as one types it: the table, one key, values for programs, and what it says of a misspelt name."""

from __future__ import annotations

import json
import sys

import pytest
import yaml

from siil import cli
from siil.config import Config, layers, partial, resolve, sections


@pytest.fixture
def siil(monkeypatch, capsys):
    """Call `siil config` with words; gives the exit code and the lines on standard output or, failing, on error."""
    monkeypatch.setattr(cli.app, "registered_commands", [])

    def call(*words: str) -> tuple[int, list[str]]:
        monkeypatch.setattr(sys, "argv", ["siil", "config", *words])
        with pytest.raises(SystemExit) as end:
            cli.main()
        said, amiss = capsys.readouterr()
        return int(end.value.code or 0), (said or amiss).splitlines()

    return call


def test_without_words_every_key_of_the_default_experiment_has_a_line(siil):
    code, lines = siil()
    assert code == 0
    assert lines[0] == f"experiment {layers.default_experiment()}, model siil"
    table = {line.split()[0]: line for line in lines[1:]}
    assert [key.partition(".")[0] for key in table] == sorted(
        (key.partition(".")[0] for key in table), key=list(Config.model_fields).index
    )
    assert table["train.epochs"].split()[1:] == ["8", "experiments/demo.yaml"]
    assert table["dataset.preprocess.spacing_mm"].split()[1:] == ["3.0", "datasets/phantom_demo.yaml"]
    assert table["inference.decode.prior_t13"].split()[1:] == ["-4.6", "config.yaml"]


def test_a_section_of_one_run_with_values_of_ones_own(siil):
    code, lines = siil("train", "--experiment", "ablation_time", "--model", "unet@2", "--set", "train.decay=0.5")
    assert code == 0
    assert lines[0] == "experiment ablation_time, model unet@2"
    table = {line.split()[0]: line.split(maxsplit=2)[1:] for line in lines[1:]}
    assert all(key.startswith("train.") for key in table)
    assert table["train.seed"] == ["2", "repeat 2"]
    assert table["train.decay"] == ["0.5", "command line"]
    assert table["train.learning_rate"] == ["0.003", "experiments/ablation.yaml: per_model.unet"]
    assert table["train.epochs"] == ["17", "experiments/ablation_time.yaml: per_model.unet"]
    assert len({line.index(line.split(maxsplit=2)[2]) for line in lines[1:]}) == 1  # sources stand below each other


def test_of_several_models_it_shows_what_they_have_in_common(siil):
    _, lines = siil("model.gru", "--experiment", "ablation", "--json")
    assert json.loads("\n".join(lines)) == {"model": {"gru": True}}
    _, lines = siil("model", "--experiment", "ablation")
    assert lines[0] == "experiment ablation, what its models have in common; --model NAME shows one"
    _, lines = siil("model.gru", "--experiment", "ablation", "--model-config", "no_gru", "--json")
    assert json.loads("\n".join(lines)) == {"model": {"gru": False}}


def test_one_key_says_everything_about_itself(siil):
    assert siil("train.epochs", "--experiment", "ablation") == (
        0,
        [
            "train.epochs",
            "  meaning    number of epochs",
            "  type       int",
            "  default    200 (config.yaml)",
            "  overruled  8 (experiments/demo.yaml)",
            "  value      13",
            "  source     experiments/ablation.yaml",
            "  read by    train, adapt",
        ],
    )
    _, lines = siil("dataset.preprocess.window_hu")
    assert "  unit       HU" in lines
    assert "  default    none: every dataset says its own" in lines
    assert "  read by    preprocess, train, adapt" in lines
    _, lines = siil("dataset.editions")
    assert [lines[3], lines[5]] == ["  default    [] (siil/config/schema)", "  source     siil/config/schema"]


def test_values_for_programs_are_the_configuration_itself(siil):
    values = sections(resolve("demo", model="siil"), Config.model_fields)
    _, lines = siil("--json")
    assert json.loads("\n".join(lines)) == values
    assert partial(json.loads("\n".join(lines))) == resolve("demo", model="siil")
    _, lines = siil("--yaml")
    assert yaml.safe_load("\n".join(lines)) == values


def test_a_value_is_shown_as_it_could_be_set(siil):
    _, lines = siil("train.weight_decay")
    assert "  value      1.0e-05" in lines  # YAML reads 1e-05 as a word
    _, lines = siil("--set", "train.weight_decay=1.0e-05", "train.weight_decay", "--json")
    assert json.loads("\n".join(lines)) == {"train": {"weight_decay": 1e-05}}


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        (["trian"], "train"),
        (["inference.decode.prior_t31"], "inference.decode.prior_t13"),
        (["--set", "train.augment.noize_hu=1"], "train.augment.noise_hu"),
        (["--experiment", "demmo"], "demo"),
        (["--model", "no_grru"], "no_gru"),
    ],
)
def test_a_misspelt_name_is_one_line_with_the_nearest(siil, words, meant):
    code, lines = siil(*words)
    assert code == 2
    assert len(lines) == 1
    assert lines[0].startswith("ERROR: ")
    assert lines[0].endswith(f"; did you mean {meant}?")
