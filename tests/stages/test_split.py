"""Stage `split`: lists on disk, from the table of cases."""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path

import pytest

from siil import config as configuration
from siil.datasets import folds
from siil.datasets.cases import write_cases
from siil.errors import DatasetError
from siil.run import checksums
from siil.stages.split import split
from tests import scans
from tests.datasets.test_cases import case


def run(folder, name: str, *, prepared: int = 8, own=frozenset(), **settings) -> None:
    """Split eight cases, of which so many are prepared; those named are of the source `own`."""
    names = [f"p{number}" for number in range(8)]
    rows = [case(name, source="own" if name in own else case(name).source) for name in names]
    write_cases(folder / "cases.tsv", rows)
    ends = {"img": ".nii.gz", "msk": ".nii.gz", "pap": ".nii.gz", "geometry": ".json"}
    paths = [folder / kind / f"{row.case}{end}" for row in rows[:prepared] for kind, end in ends.items()]
    digests = {path: sha256(str(path).encode()).hexdigest() for path in [*paths, Path(rows[0].mask)]}
    lists = [folder / "1.sha256", folder / "2.sha256"]
    for number, path in enumerate(lists):
        checksums.write(path, dict(list(digests.items())[number::2]))
    scheme = scans.KFOLD.model_dump() | settings
    config = configuration.partial({"dataset": {"split": scheme, "pap": {"rare": ["T13", "L6"]}}})
    split(config=config, cases=folder / "cases.tsv", prepared=lists, output=folder / name)


def test_every_fold_gets_its_three_lists_and_the_same_ones_again(tmp_path):
    for name in ("one", "two"):
        run(tmp_path, name)
    made = [folds.read_fold(tmp_path / "one" / str(number)) for number in range(2)]
    assert sorted(made[0].testing + made[1].testing) == [f"p{number}" for number in range(8)]
    assert made == [folds.read_fold(tmp_path / "two" / str(number)) for number in range(2)]
    assert json.loads((tmp_path / "one/0/training.run.json").read_text())["seed"] == 0


def test_every_fold_says_which_source_its_training_cases_come_from(tmp_path):
    own = {"p6", "p7"}
    run(tmp_path, "out", own=own, train_only=["own"])
    sources = folds.read_sources(tmp_path / "out/0/sources.tsv")
    assert tuple(sources) == folds.read_fold(tmp_path / "out/0").training
    assert {name for name, source in sources.items() if source == "own"} == own


def test_beside_each_list_lies_one_of_what_its_steps_read(tmp_path):
    run(tmp_path, "out")
    names = folds.read_fold(tmp_path / "out/0")
    training, testing = (checksums.read(tmp_path / f"out/0/{part}.sha256") for part in ("training", "testing"))
    assert {path.parent.name for path in training} == {"img", "msk", "pap"}
    assert len(training) == 3 * len(names.training)
    assert {path.parent.name for path in testing} == {"img", "msk", "geometry", ""}  # and the mask as released
    image = tmp_path / f"img/{names.training[0]}.nii.gz"
    assert training[image] == sha256(str(image).encode()).hexdigest()


def test_a_case_that_is_not_prepared_is_named(tmp_path):
    with pytest.raises(DatasetError, match=r"p7\.nii\.gz: in no list of prepared files; run preprocess and pap again"):
        run(tmp_path, "out", prepared=7)
