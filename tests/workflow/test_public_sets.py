"""The public sets, as miniatures from hosts that misbehave, all the way to the paper's tables by one command each."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
import yaml

from siil.config import CONFIG_DIR
from tests import hosts
from tests.datasets import trees
from tests.workflow.checkout import Checkout

pytestmark = pytest.mark.slow
ARCHIVES = "/public/VerSe-complete/"
TABLE = "/Gregory-Schwing-MD-PhD/VerSeFusion/c55a398/configs/verse_demographics.csv"
MODELS = "models=[siil, no_contrast, unet, segresnet, swin_unetr]"
CASES = {
    "verse19": {"training": 3, "validation": 1, "testing": 1},
    "verse20": {"training": 3, "validation": 3, "testing": 2},
    "union374": {"training": 4, "validation": 3, "testing": 2},
    "ctspine1k": {"training": 3, "validation": 1, "testing": 1},
}
"""What the miniatures hold of each set; verse20 has two scans from the archives of 2019."""


def sizes(models: int) -> tuple[str, ...]:
    """The sizes of the wiring test, as overrides: the shipped experiments themselves stay as they are."""
    tiny = yaml.safe_load((CONFIG_DIR / "experiments/tiny.yaml").read_text(encoding="utf-8"))
    tiny["train"] |= {"epochs": 1, "steps_per_epoch": 2}
    if models > 1:
        tiny["patch"]["size_vox"] = [64, 32, 32]  # Swin UNETR takes no smaller one
    return tuple(f"{key}={json.dumps(tiny[key])}" for key in ("patch", "model", "train"))


@pytest.fixture(scope="module")
def public(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Checkout, hosts.Host]]:
    """A checkout whose addresses lead to a loopback host, which cuts and refuses some first answers."""
    folder = tmp_path_factory.mktemp("public")
    checkout = Checkout(folder / "repository")
    with hosts.serve() as host, pytest.MonkeyPatch.context() as patch:
        fill(host, folder)
        patch.setenv("HF_ENDPOINT", host.url)
        patch.setenv("HF_HUB_DISABLE_XET", "1")
        for path in (checkout.folder / "config/datasets").glob("*.yaml"):
            text = path.read_text(encoding="utf-8").replace("accept_licence: false", "accept_licence: true")
            text = re.sub(r"https://(s3\.bonescreen\.de|raw\.githubusercontent\.com)", host.url, text)
            path.write_text(text, encoding="utf-8")
        yield checkout, host


def fill(host: hosts.Host, folder: Path) -> None:
    """Three archives of each edition, as on their host, the table of scans, and the hub."""
    trees.verse19(folder / "19")
    trees.verse20(folder / "20")
    trees.ctspine1k(folder / "hub")
    parts = {
        **{
            f"dataset-verse19{part}": folder / f"19/dataset-verse19{part}"
            for part in ("training", "validation", "test")
        },
        "dataset-verse20training": folder / "20/dataset-01training",
        "dataset-verse20validation": folder / "20/dataset-02validation",
        "dataset-verse20test": folder / "20/dataset-03test",
    }
    for name, tree in parts.items():
        packed = shutil.make_archive(str(folder / name), "zip", tree.parent, tree.name)
        host.files[f"{ARCHIVES}{name}.zip"] = Path(packed).read_bytes()
    host.files[TABLE] = trees.TABLE.encode()
    host.hub["alexanderdann/CTSpine1K"] = folder / "hub"
    host.plan[f"{ARCHIVES}dataset-verse19training.zip"] = ["cut", 503]


def test_nothing_is_asked_for_before_the_licence_is_accepted(public):
    checkout, host = public
    path = checkout.folder / "config/datasets/verse19.yaml"
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("accept_licence: true", "accept_licence: false"), encoding="utf-8")
    failed = checkout.call("snakemake", "--cores", "2", "all_fetch", "--config", "experiment=verse19")
    path.write_text(text, encoding="utf-8")
    assert failed.returncode == 1
    log = (checkout.folder / "logs/raw/fetch/verse19.log").read_text(encoding="utf-8")
    assert "comes under CC BY-SA 4.0" in log
    assert host.asked == []


@pytest.mark.parametrize("experiment", CASES)
def test_the_plan_is_whole_once_indexed_and_one_command_leads_to_the_tables(experiment, public):
    checkout, _ = public
    models = 5 if experiment == "verse19" else 1
    config = (*sizes(models), *([MODELS] if models > 1 else []))
    checkout.snakemake("all_index", experiment=experiment, config=config)
    tested = CASES[experiment]["testing"]
    planned = plan(checkout, experiment, config)
    assert planned == {
        "audit": 1, "preprocess": 1, "pap": 1, "split": 1, "train": models, "test": models, "evaluate": models,
        "aggregate": 1, "tables": 1, "figures": 1, "report": 1,
    }  # fmt: skip
    checkout.snakemake("all_tables", experiment=experiment, config=config)
    for part, count in CASES[experiment].items():
        lists = (checkout.folder / f"data/{experiment}/folds/0/{part}.txt").read_text(encoding="utf-8").split()
        assert len(lists) == count, part
    tables = checkout.folder / "results" / experiment / "tables"
    for name in ("comparison", "paired", "ablation", "per_vertebra", "per_region"):
        for kind in ("csv", "md", "tex"):
            assert (tables / f"{name}.{kind}").stat().st_size > 0
    compared = pd.read_csv(tables / "comparison.csv")
    working = compared[compared["Grid"] == "working"]
    assert len(working) == models
    assert set(working["Scans"]) == {tested}
    if models > 1:
        assert {"siil", "unet", "segresnet", "swin_unetr"} <= set(compared["Model"])
        assert len(pd.read_csv(tables / "ablation.csv")) == 2
    log = (checkout.folder / f"logs/{experiment}/index.log").read_text(encoding="utf-8")
    assert "not the whole release: training" in log


def plan(checkout: Checkout, experiment: str, config: tuple[str, ...]) -> dict[str, int]:
    """Jobs of a dry run of everything."""
    text = checkout.snakemake("--dry-run", experiment=experiment, config=config)
    table = text.rpartition("Job stats:")[2].partition("\ntotal")[0]
    counts = {name: int(count) for name, count in re.findall(r"^(\w+) +(\d+)$", table, flags=re.M)}
    return {name: count for name, count in counts.items() if not name.startswith("all")}


def test_the_first_answers_were_cut_and_refused_and_the_download_went_on(public):
    checkout, host = public
    ranges = [wanted for path, wanted in host.asked if path.endswith("verse19training.zip")]
    assert len(ranges) == 3  # once for all experiments
    assert ranges[0] is None
    assert ranges[1] == ranges[2]
    lock = json.loads((checkout.folder / "data/raw/verse19.lock").read_text(encoding="utf-8"))
    assert len(lock) == 4
    assert all(len(entry["sha256"]) == 64 for entry in lock.values())
    assert (checkout.folder / "data/raw/ctspine1k.lock").is_file()
