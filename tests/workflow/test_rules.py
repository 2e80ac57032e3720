"""The workflow as written: it parses for every shipped experiment and refuses wrong configuration in one line."""

from __future__ import annotations

import re
import subprocess

import pytest

from siil.config import CONFIG_DIR
from tests.workflow.checkout import BIN, ROOT

EXPERIMENTS = sorted(path.stem for path in (CONFIG_DIR / "experiments").glob("*.yaml"))


def dry_run(folder, *words: str) -> subprocess.CompletedProcess[str]:
    command = [str(BIN / "snakemake"), "-s", str(ROOT / "workflow/Snakefile"), "--directory", str(folder), "-n"]
    return subprocess.run([*command, *words], capture_output=True, text=True, timeout=120, check=False)


@pytest.mark.slow
@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_every_shipped_experiment_has_a_plan(experiment, tmp_path):
    done = dry_run(tmp_path, "all_fetch", "--config", f"experiment={experiment}")
    assert done.returncode == 0, done.stderr
    assert "fetch" in done.stdout + done.stderr


def test_the_default_is_the_demo(tmp_path):
    done = dry_run(tmp_path)
    assert done.returncode == 0, done.stderr
    assert "results/demo/report/index.html" in done.stdout + done.stderr


def test_scans_without_labels_are_adapted_to_and_nothing_is_trained_beside(tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/scan.nii.gz").touch()
    words = ["experiment=adapt", f"adapt={{scans: {tmp_path}/mine}}", "train={init_weights: null}"]
    done = dry_run(tmp_path, "-p", "--config", *words)
    text = done.stdout + done.stderr
    assert done.returncode == 0, text
    assert f"siil adapt {tmp_path}/mine --data data/adapt --fold 0 " in " ".join(text.split())
    assert "rule train:" not in text
    assert "rule report:" not in text


def test_what_is_not_there_is_refused_before_anything_runs(tmp_path):
    command = [str(BIN / "snakemake"), "-s", str(ROOT / "workflow/Snakefile"), "--directory", str(tmp_path)]
    words = ["--cores", "1", "--config", "experiment=adapt"]
    done = subprocess.run([*command, *words], capture_output=True, text=True, timeout=120, check=False)
    said = done.stdout + done.stderr
    assert done.returncode != 0
    missing = (
        "adapt.scans: data/unlabelled is not there; train.init_weights: siil/pretrained/patients.safetensors is not"
    )
    assert missing in said
    assert "Building DAG" not in said
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["train={epoch: 3}"], "unknown key train.epoch; did you mean train.epochs?"),
        (["models=[silt]"], "did you mean siil?"),
        (["modles=[unet]"], "unknown key modles; did you mean models?"),
        (["train={augment: {noize_hu: 1}}"], "did you mean train.augment.noise_hu?"),
        (["expermient=tiny"], "unknown key expermient; did you mean experiment?"),
        (["experiment=demmo"], "did you mean demo?"),
        (["experiment=5"], "no experiments/5.yaml"),
    ],
)
def test_a_wrong_configuration_is_refused_before_anything_runs(words, message, tmp_path):
    done = dry_run(tmp_path, "--config", *words)
    text = done.stdout + done.stderr
    assert done.returncode == 1
    assert message in text
    assert "Traceback" not in text


def planned(folder, *config: str) -> tuple[list[str], list[str]]:
    """Weights that a dry run from nothing would train, and its jobs with their shell lines."""
    done = dry_run(folder, "-p", "--config", "experiment=tiny", *config)
    assert done.returncode == 0, done.stderr
    text = done.stdout + done.stderr
    weights = re.findall(r"^    output: (\S+/weights\.safetensors),", text, flags=re.M)
    return sorted(weights), sorted(line for line in text.splitlines() if "python -m siil" in line)


def test_repeats_plan_each_training_again_with_the_next_seed(tmp_path):
    once, calls = planned(tmp_path)
    assert once == [f"results/tiny/train/siil/fold{fold}/weights.safetensors" for fold in (0, 1)]
    assert planned(tmp_path, "repeats=1") == (once, calls)
    twice, more = planned(tmp_path, "repeats=2")
    assert twice == sorted([*once, *(path.replace("siil", "siil@1") for path in once)])
    train = [line for line in more if "siil train" in line]
    assert {line for line in calls if "siil train" in line} < set(train)
    assert [('"seed": 1' in line, "siil@1/fold" in line) for line in train].count((True, True)) == 2
    assert len(train) == 4


def test_experiments_that_share_a_source_fetch_it_by_the_same_values(tmp_path):
    """Else going from one to the other would fetch it again."""
    calls = {}
    for experiment in ("verse19", "union374", "tiny"):
        done = dry_run(tmp_path, "-p", "all_fetch", "--config", f"experiment={experiment}")
        assert done.returncode == 0, done.stderr
        lines = (done.stdout + done.stderr).splitlines()
        calls[experiment] = [line for line in lines if "python -m siil fetch --source" in line]
    assert len(calls["union374"]) == 2
    assert calls["verse19"][0] in calls["union374"]
    assert "accept_licence" in calls["verse19"][0]
    assert "accept_licence" not in calls["tiny"][0]  # phantoms have no licence
