"""Stage `split`: lists on disk, from the table of cases."""

from __future__ import annotations

import json

from siil import config as configuration
from siil.datasets import folds
from siil.datasets.cases import write_cases
from siil.stages.split import split
from tests import scans
from tests.datasets.test_cases import case


def test_every_fold_gets_its_three_lists_and_the_same_ones_again(tmp_path):
    write_cases(tmp_path / "cases.tsv", [case(f"p{number}") for number in range(8)])
    config = configuration.partial({"dataset": {"split": scans.KFOLD.model_dump(), "pap": {"rare": ["T13", "L6"]}}})
    for name in ("one", "two"):
        split(config=config, cases=tmp_path / "cases.tsv", output=tmp_path / name)
    made = [folds.read_fold(tmp_path / "one" / str(number)) for number in range(2)]
    assert sorted(made[0].testing + made[1].testing) == [f"p{number}" for number in range(8)]
    assert made == [folds.read_fold(tmp_path / "two" / str(number)) for number in range(2)]
    assert json.loads((tmp_path / "one/0/training.run.json").read_text())["seed"] == 0


def test_every_fold_says_which_source_its_training_cases_come_from(tmp_path):
    cases = [case(f"p{number}") for number in range(6)] + [case(f"q{number}", source="own") for number in range(2)]
    write_cases(tmp_path / "cases.tsv", cases)
    settings = scans.KFOLD.model_dump() | {"train_only": ["own"]}
    config = configuration.partial({"dataset": {"split": settings, "pap": {"rare": ["T13", "L6"]}}})
    split(config=config, cases=tmp_path / "cases.tsv", output=tmp_path)
    sources = folds.read_sources(tmp_path / "0" / "sources.tsv")
    assert tuple(sources) == folds.read_fold(tmp_path / "0").training
    assert {name: source for name, source in sources.items() if source == "own"} == {"q0": "own", "q1": "own"}
