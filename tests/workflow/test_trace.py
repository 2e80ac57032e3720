"""`siil trace` on the finished smallest experiment: every file of a case, and the scans behind a number."""

from __future__ import annotations

import csv
import hashlib
import json

import pytest

from siil import config as configuration
from siil.errors import InputError
from siil.report.file_records import line_of
from siil.stages.trace import SECTIONS, trace
from tests.workflow.conftest import copy_of

pytestmark = pytest.mark.slow
CASE = "sub-phantom000"


@pytest.fixture
def config() -> configuration.Config:
    full = configuration.resolve("tiny", overrides={"folds": [0]})
    values = configuration.sections(full, SECTIONS)
    values["experiment"] = "smallest"
    values["dataset"]["name"] = "phantom_smallest"
    return configuration.partial(values)


def test_every_file_of_a_case_is_listed_with_its_digest_and_record(config, smallest, capsys) -> None:
    root = smallest.folder
    trace(config=config, root=root, case=CASE)
    said = capsys.readouterr().out
    of_case = [path for name in ("data", "results") for path in (root / name).rglob(f"{CASE}*") if path.is_file()]
    assert len(of_case) > 15
    for path in of_case:
        assert str(path) in said, path
        if not path.name.endswith("run.json"):
            assert f"{hashlib.sha256(path.read_bytes()).hexdigest()[:16]}  {path}  " in said
    for stage in ("fetch", "index", "preprocess", "pap", "train", "test", "evaluate"):
        assert f"\n{stage}: {root}" in said
    record = json.loads((root / f"results/smallest/test/siil/fold0/{CASE}_seg.run.json").read_text(encoding="utf-8"))
    assert f"code {record['code']}" in said
    assert "labels T" in said or "labels L" in said
    assert "CHANGED" not in said
    assert "NO RUN RECORD" not in said


def test_an_input_that_changed_since_is_named(config, smallest, tmp_path, capsys) -> None:
    root = copy_of(smallest, tmp_path / "repository").folder
    path = root / f"data/phantom_smallest/geometry/{CASE}.json"
    path.write_bytes(path.read_bytes() + b"\n")
    trace(config=config, root=root, case=CASE)
    assert f"CHANGED since: {CASE}.json" in capsys.readouterr().out


def test_a_number_of_the_tables_is_the_mean_of_the_scans_listed(config, smallest, capsys) -> None:
    results = smallest.folder / "results/smallest"
    with (results / "aggregate/summary.tsv").open(encoding="utf-8") as stream:
        rows = [row for row in csv.DictReader(stream, delimiter="\t") if row["metric"] == "binary_dice"]
    wanted = next(row for row in rows if row["space"] == "work")
    trace(config=config, root=smallest.folder, metric="binary_dice", model="siil")
    said = capsys.readouterr().out
    assert f"mean {float(wanted['mean']):.6g} of {wanted['n']}" in said
    assert str(results / f"evaluate/siil/fold0/{CASE}.tsv") in said


def test_a_case_that_is_not_there_is_named_with_those_that_are(config, smallest) -> None:
    with pytest.raises(InputError, match=f"sub-nobody: no such file, and no case of .*; it has {CASE}"):
        trace(config=config, root=smallest.folder, case="sub-nobody")


def test_every_file_of_a_run_gets_one_line_that_names_its_step(config, smallest) -> None:
    step = {"raw": "fetch", "folds": "split", "img": "preprocess", "msk": "preprocess", "geometry": "preprocess"}
    for top in ("data", "results/smallest"):
        for path in (smallest.folder / top).rglob("*"):
            parts = path.relative_to(smallest.folder).parts
            if not path.is_file() or path.name.startswith("."):
                continue
            name = parts[1] if parts[1] == "raw" else "index" if len(parts) == 3 else parts[2]
            line = line_of(path)
            assert f"`siil {step.get(name, name)}`" in line, line
            assert "CHANGED" not in line
            assert "\n" not in line
