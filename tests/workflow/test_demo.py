"""The demo, smaller, with a floor under its numbers: what it learns in half of its steps on one of its folds."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.workflow.checkout import Checkout

pytestmark = pytest.mark.slow
SMALLER = ("folds=[0]", "train={epochs: 5, validate_every_epochs: 5}")


def test_the_demo_learns_to_name_and_segment_vertebrae(tmp_path: Path):
    checkout = Checkout(tmp_path / "repository")
    checkout.snakemake(experiment="demo", config=SMALLER)
    results = checkout.folder / "results" / "demo"
    scores = json.loads((results / "aggregate" / "metrics.json").read_text(encoding="utf-8"))["siil"]
    assert scores["work"]["binary_dice"] > 0.8
    assert scores["work"]["dice"] > 0.4
    assert scores["work"]["id_rate_verse"] > 0.5
    assert scores["ceiling"]["binary_dice"] > scores["input"]["binary_dice"] > 0.75
    page = (results / "report" / "index.html").read_text(encoding="utf-8")
    assert "Research use only" in page
