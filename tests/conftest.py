"""Fixtures that every test may use."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from jaxtyping import install_import_hook

# The shapes in the signatures of the network and its losses are checked in tests, and in tests alone.
install_import_hook(["siil.model", "siil.losses"], "beartype.beartype")

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture
def real_data() -> Path:
    """Folder of real CT (see CONTRIBUTING.md), or skip with the reason."""
    named = os.environ.get("SIIL_REAL_DATA", "")
    folder = Path(named)
    if not named or not folder.is_dir():
        pytest.skip("no real CT: set SIIL_REAL_DATA to a folder that holds it")
    return folder
