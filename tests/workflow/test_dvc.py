"""DVC beside Snakemake, on the finished tiny experiment: nothing is done twice, and deleted outputs come back."""

from __future__ import annotations

import shutil

import pytest

from siil import layers
from tests.workflow.checkout import ROOT, Checkout
from tests.workflow.test_scripts import load


@pytest.fixture
def tracked(finished: Checkout) -> Checkout:
    """The finished experiment as a repository whose default is `tiny`, under git and DVC."""
    finished.edit("config/config.yaml", "experiment: demo", "experiment: tiny")
    for name in (".dvcignore", ".gitignore"):
        shutil.copy(ROOT / name, finished.folder / name)
    shutil.copytree(ROOT / ".dvc", finished.folder / ".dvc", ignore=shutil.ignore_patterns("cache", "tmp"))
    for words in (["git", "init", "-q"], ["python", "scripts/dvc_stages.py"]):
        done = finished.call(*words)
        assert done.returncode == 0, done.stdout
    return finished


def dvc(checkout: Checkout, *words: str) -> str:
    done = checkout.call("dvc", *words)
    assert done.returncode == 0, done.stdout[-4000:]
    return done.stdout


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


@pytest.mark.slow
def test_a_second_repro_and_snakemake_do_nothing_and_checkout_restores(tracked):
    first = dvc(tracked, "repro")
    assert "Nothing to be done" in first  # Snakemake had made all of it
    assert "Data and pipelines are up to date" in dvc(tracked, "repro")
    assert tracked.plan() == {}
    shutil.rmtree(tracked.folder / "results/tiny")
    shutil.rmtree(tracked.folder / "data/phantom_tiny/pap")
    dvc(tracked, "checkout")
    assert tracked.plan() == {}
    assert "up to date" in dvc(tracked, "repro")
    assert '"work"' in dvc(tracked, "metrics", "show", "--json")
