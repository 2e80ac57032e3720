"""dvc.yaml as generated: in step with the pipeline, no output twice, metrics, plots and the released model."""

from __future__ import annotations

import shutil
from collections import Counter

import pytest
import yaml

from siil.config import layers
from siil.run.pipeline import VERBS
from tests.workflow.checkout import ROOT, Checkout
from tests.workflow.test_scripts import load


def test_dvc_yaml_is_in_step_and_parses(tmp_path):
    checkout = Checkout(tmp_path / "repository")
    shutil.copy(ROOT / "dvc.yaml", checkout.folder)
    done = checkout.call("python", "scripts/dvc_stages.py", "--check")
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(("experiment", "made"), [("custom", False), ("demo", True)])
def test_a_users_own_folder_is_read_and_never_an_output(monkeypatch, experiment, made):
    monkeypatch.setattr(layers, "default_experiment", lambda: experiment)
    stages = load("dvc_stages").pipeline()["stages"]
    outs = {name for stage in stages.values() for out in stage["outs"] for name in out}
    folder = f"data/raw/{'phantom_demo' if made else 'custom'}"
    assert f"{folder}.tsv" in outs
    assert (folder in outs) is made
    assert (folder in stages["fetch"]["deps"]) is not made


def test_an_experiment_that_adapts_has_a_stage_for_that_and_none_that_judges(monkeypatch):
    monkeypatch.setattr(layers, "default_experiment", lambda: "adapt")
    made = load("dvc_stages").pipeline()
    assert list(made["stages"]) == ["fetch", "index", "audit", "preprocess", "pap", "split", "adapt"]
    assert "data/unlabelled" in made["stages"]["adapt"]["deps"]
    assert made["artifacts"]["siil"]["path"] == "results/adapt/adapt/siil/fold0/weights.safetensors"


def written() -> dict:
    return yaml.safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))


def outputs(stage: dict) -> list[str]:
    return [name for kind in ("outs", "metrics", "plots") for entry in stage.get(kind, ()) for name in entry]


def test_there_is_a_stage_per_step_which_calls_its_target():
    stages = written()["stages"]
    assert list(stages) == [verb for verb in VERBS if verb not in ("refine", "adapt")]  # the demo has neither
    for name, stage in stages.items():
        assert stage["cmd"] == f"snakemake --cores all all_{name}"


def test_an_experiment_with_a_second_look_has_a_stage_for_it(monkeypatch):
    monkeypatch.setattr(layers, "default_experiment", lambda: "pretrain")
    stages = load("dvc_stages").pipeline()["stages"]
    assert list(stages) == [verb for verb in VERBS if verb != "adapt"]
    assert outputs(stages["refine"]) == ["results/pretrain/refine"]
    assert "results/pretrain/refine" in stages["test"]["deps"]
    assert "results/pretrain/train" in stages["refine"]["deps"]


def test_no_two_stages_share_an_output_and_every_output_persists():
    stages = written()["stages"].values()
    names = Counter(name for stage in stages for name in outputs(stage))
    assert [name for name, count in names.items() if count > 1] == []
    inside = [(a, b) for a in names for b in names if b.startswith(f"{a}/")]
    assert inside == []
    entries = [entry for stage in stages for kind in ("outs", "metrics", "plots") for entry in stage.get(kind, ())]
    assert all(options["persist"] for entry in entries for options in entry.values())


def test_every_stage_depends_on_code_layers_and_what_comes_before():
    layers_of_all = {"config/config.yaml", "config/datasets/phantom_demo.yaml", "config/experiments/demo.yaml"}
    for name, stage in written()["stages"].items():
        assert {file for entry in stage["params"] for file in entry} >= layers_of_all
        assert f"siil/stages/{name}.py" in stage["deps"]
        assert "config/models/siil.yaml" in stage["deps"]


def test_metrics_plots_and_the_released_model_are_named():
    values = written()
    aggregate = values["stages"]["aggregate"]
    assert list(aggregate["metrics"][0]) == ["results/demo/aggregate/metrics.json"]
    drawn = {name: (options["x"], options["y"]) for entry in aggregate["plots"] for name, options in entry.items()}
    assert drawn == {
        "results/demo/aggregate/history.tsv": ("epoch", "total"),
        "results/demo/aggregate/vertebrae.tsv": ("label", "dice"),
    }
    model = values["artifacts"]["siil"]
    assert model["type"] == "model"
    assert model["path"] in {f"{out}/siil/fold0/weights.safetensors" for out in outputs(values["stages"]["train"])}
    assert {"ct", "vertebrae"} <= set(model["labels"])
    assert model["desc"]
