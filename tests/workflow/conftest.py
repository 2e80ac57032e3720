"""The tiny and the smallest experiment, each run once for all tests that need it finished."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.workflow.checkout import ROOT, Checkout, jobs


@pytest.fixture(scope="session")
def _ran(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    checkout = Checkout(tmp_path_factory.mktemp("tiny") / "repository")
    checkout.snakemake()
    return checkout


@pytest.fixture
def finished(_ran: Checkout, tmp_path: Path) -> Checkout:
    """A fresh copy of the finished experiment (times kept), to be edited at will."""
    return copy_of(_ran, tmp_path / "repository")


@pytest.fixture(scope="session")
def smallest(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    """The finished smallest experiment, to be read only."""
    checkout = Checkout(tmp_path_factory.mktemp("smallest") / "repository")
    checkout.snakemake(experiment="smallest")
    return checkout


@pytest.fixture(scope="session")
def tracked_once(smallest: Checkout, tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    """The smallest experiment as the default of a repository, under git and DVC, after a `dvc repro`; to be copied."""
    checkout = copy_of(smallest, tmp_path_factory.mktemp("tracked") / "repository")
    people = [f"GIT_{who}_{what}" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")]
    checkout.variables = dict.fromkeys(people, "test@localhost")
    checkout.edit("config/config.yaml", "experiment: demo", "experiment: smallest")
    for name in (".dvcignore", ".gitignore", "Makefile"):
        shutil.copy(ROOT / name, checkout.folder / name)
    (checkout.folder / ".dvc").mkdir()
    shutil.copy(ROOT / ".dvc" / "config", checkout.folder / ".dvc")
    checkout.do("git", "init", "-q")
    checkout.do("python", "scripts/dvc_stages.py")
    assert jobs(checkout.do("dvc", "repro")) == {}  # Snakemake had made all of it
    checkout.do("git", "add", "--all")
    checkout.do("git", "commit", "-qm", "The smallest experiment")
    return checkout


def copy_of(checkout: Checkout, folder: Path) -> Checkout:
    """The whole checkout with its results, times kept, in another folder."""
    copy = object.__new__(Checkout)
    copy.folder, copy.variables = folder, checkout.variables
    shutil.copytree(checkout.folder, folder, symlinks=True)
    return copy
