"""The tiny experiment, run once for all tests that need it finished."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.workflow.checkout import Checkout


@pytest.fixture(scope="session")
def _ran(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    checkout = Checkout(tmp_path_factory.mktemp("tiny") / "repository")
    checkout.snakemake()
    return checkout


@pytest.fixture
def finished(_ran: Checkout, tmp_path: Path) -> Checkout:
    """A fresh copy of the finished experiment (times kept), to be edited at will."""
    copy = object.__new__(Checkout)
    copy.folder = tmp_path / "repository"
    shutil.copytree(_ran.folder, copy.folder, symlinks=True)
    return copy
