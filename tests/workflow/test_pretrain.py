"""The road to the weights that ship, in a small size: one command from nothing, over both rounds, to the file."""

from __future__ import annotations

import csv
import json
import os
import re
import shutil
import signal
import subprocess
import time

import pytest

from siil.model.weights import load_network
from tests.workflow.checkout import Checkout

pytestmark = pytest.mark.slow
COMMAND = ("snakemake", "--cores", "2", "--config", "experiment=pretrain")
SMALLER = {
    "config/datasets/pretrain.yaml": [
        (r"patients: 300", "patients: 4"),
        (r"fields_of_view: .*", "fields_of_view: {lumbar: 1}"),
        (r"spacing_z_mm: .*", "spacing_z_mm: [3, 3]"),
        (r"lateral_fov_mm: .*", "lateral_fov_mm: [120, 140]"),
        (r"folds: 10", "folds: 2"),
        (r"validation_fraction: 0.03", "validation_fraction: 0.4"),
    ],
    "config/experiments/pretrain.yaml": [
        (r"size_vox: \[.*?\]", "size_vox: [32, 32, 32]"),
        (r"widths: .*", "widths: [4, 8, 16]"),
        (r"embed_dim: 64", "embed_dim: 16\n  heads: 2"),
        (r"epochs: 18", "epochs: 2"),
        (r"epochs: 8", "epochs: 1"),
        (r"steps_per_epoch: 500", "steps_per_epoch: 6"),
        (r"checkpoint_every_steps: 100", "checkpoint_every_steps: 2"),
        (r"enabled: true", "enabled: false"),  # these first looks see nothing to look at again
    ],
}


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    """The shipped experiment with fewer scans, a smaller network and fewer steps; two phantoms stand for patients."""
    made = Checkout(tmp_path_factory.mktemp("pretrain") / "repository")
    for name, changes in SMALLER.items():
        path = made.folder / name
        text = path.read_text(encoding="utf-8")
        for old, new in changes:
            text, count = re.subn(old, new, text, count=1)
            assert count == 1, f"{name} has no {old!r}"
        path.write_text(text, encoding="utf-8")
    made.snakemake("all_fetch", experiment="tiny")
    raw = made.folder / "data/raw/phantom_tiny"
    for number, scan in enumerate(sorted(raw.rglob("*_ct.nii.gz"))[:2]):
        mask = next(raw.rglob(scan.name.replace("_ct.nii.gz", "*_msk.nii.gz")))
        for part, file in (("img", scan), ("msk", mask)):
            (made.folder / "data/patients" / part).mkdir(parents=True, exist_ok=True)
            shutil.copy(file, made.folder / "data/patients" / part / f"patient{number}.nii.gz")
    return made


def test_without_the_patients_scans_one_line_says_so(checkout: Checkout) -> None:
    patients = checkout.folder / "data/patients"
    patients.rename(patients.with_name("elsewhere"))
    done = checkout.call("snakemake", "--cores", "2", "all_fetch", "--config", "experiment=pretrain")
    patients.with_name("elsewhere").rename(patients)
    assert done.returncode != 0
    assert "dataset.sources.patients.path: data/patients is not there; put it there" in done.stdout
    assert "rule fetch" not in done.stdout  # before the first phantom


def test_one_command_leads_from_nothing_to_the_weights_and_goes_on_after_a_death(checkout: Checkout) -> None:
    log = checkout.folder / "logs/pretrain/train/siil/fold0.log"
    weights = checkout.folder / "results/pretrain/train/siil/fold0/weights.safetensors"
    running = checkout.start(*COMMAND, stdout=subprocess.DEVNULL)
    while not weights.with_name("last.ckpt").is_file() and running.poll() is None:
        time.sleep(0.1)
    os.killpg(running.pid, signal.SIGKILL)
    running.wait()
    checkout.do(*COMMAND)
    assert "resuming" in log.read_text()
    assert load_network(weights)[1].experiment == "pretrain"
    assert "patient0" in (checkout.folder / "data/pretrain/folds/0/training.txt").read_text().split()
    with (weights.with_name("history.tsv")).open() as stream:
        rows = list(csv.DictReader(stream, delimiter="\t"))
    assert [row["step"] for row in rows if row["phase"] == "train"] == ["6", "12", "18"]
    record = json.loads(weights.with_name("run.json").read_text())
    assert record["best_epoch"] == 3  # of the last round, whatever the first reached
    assert {"patient0.nii.gz", "patient1.nii.gz"} <= {name.split("/")[-1] for name in record["inputs"]}
    assert (checkout.folder / "results/pretrain/report/index.html").is_file()
    assert checkout.plan(experiment="pretrain") == {}
