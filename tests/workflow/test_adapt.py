"""Scans without labels through the rules: they are read, weights learn from them, a stop costs little."""

from __future__ import annotations

import re
import shutil

import pytest

from siil.model.weights import load_network
from siil.run.tsv import read_table
from tests.workflow.checkout import Checkout

pytestmark = pytest.mark.slow
CONFIG = "adapt={scans: mine, rounds: 2}"
FEWER = [
    (r"patients: 60", "patients: 4"),
    (r"fields_of_view: .*", "fields_of_view: {lumbar: 1}"),
    (r"spacing_z_mm: .*", "spacing_z_mm: [3, 3]"),
    (r"lateral_fov_mm: .*", "lateral_fov_mm: [120, 140]"),
    (r"folds: 5", "folds: 2"),
]


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    """The shipped experiment on four phantoms, with two steps a round; a phantom stands for the scan without labels."""
    made = Checkout(tmp_path_factory.mktemp("adapt") / "repository")
    path = made.folder / "config/datasets/adapt.yaml"
    text = path.read_text(encoding="utf-8")
    for old, new in FEWER:
        text, count = re.subn(old, new, text, count=1)
        assert count == 1, f"{path} has no {old!r}"
    path.write_text(text, encoding="utf-8")
    made.snakemake("all_fetch", experiment="tiny")
    (made.folder / "mine").mkdir()
    scan = min((made.folder / "data/raw/phantom_tiny").rglob("*_ct.nii.gz"))
    shutil.copy(scan, made.folder / "mine/ours.nii.gz")
    return made


def run(checkout: Checkout) -> str:
    steps = "train={epochs: 1, steps_per_epoch: 2, precision: 32-true}"
    return checkout.snakemake(experiment="adapt", config=(CONFIG, steps))


def test_one_command_goes_from_scans_to_weights_and_says_what_changed(checkout: Checkout) -> None:
    run(checkout)
    made = checkout.folder / "results/adapt/adapt/siil/fold0"
    assert load_network(made / "weights.safetensors")[1].experiment == "adapt"
    table = read_table(made / "scans.tsv", text=True)
    assert table[["scan", "round"]].to_numpy().tolist() == [["ours", n] for n in "012"]
    assert (made / "scans.png").is_file()
    assert [path.name for path in (checkout.folder / "mine").iterdir()] == ["ours.nii.gz"]
    assert "Nothing to be done" in run(checkout)


def test_a_lost_result_is_made_again_without_reading_or_training(checkout: Checkout) -> None:
    made = checkout.folder / "results/adapt/adapt/siil/fold0"
    weights = made / "weights.safetensors"
    before = weights.read_bytes()
    weights.unlink()
    run(checkout)
    assert weights.read_bytes() == before
    log = (checkout.folder / "logs/adapt/adapt/siil/fold0.log").read_text(encoding="utf-8")
    assert log.count("1 of 1 scans are up to date") == 4  # on the working grid, and read three times
