"""Of a file: one line that says which run made it, and nothing that its record does not say."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from siil.errors import InputError
from siil.inference.results import result_names
from siil.report.file_records import line_of
from siil.run import provenance


@pytest.fixture
def result(tmp_path) -> Path:
    """Files as `predict` names them, of scan a and, before, b."""
    for name in (*result_names("a"), *result_names("b"), "notes.txt", "scan.nii.gz"):
        (tmp_path / name).write_text(name)
    with provenance.record(
        tmp_path / "run.json", stage="predict", config={}, inputs=[tmp_path / "scan.nii.gz"]
    ) as entry:
        entry["scan"] = "a"
    return tmp_path


def test_every_file_of_a_prediction_names_its_run(result):
    entry = json.loads((result / "run.json").read_text())
    for name in result_names("a"):
        line = line_of(result / name)
        assert line.startswith(f"{result / name}: made by `siil predict`, {entry['started']}: code {entry['code']}")
        assert "from scan.nii.gz" in line
        assert line.endswith(f"run record {result / 'run.json'}")
    assert line_of(result).startswith(f"{result}: files of `siil predict`")
    assert ": the run record of `siil predict`" in line_of(result / "run.json")


def test_a_relabelling_is_said_of_what_is_and_of_what_was(result):
    entry = json.loads((result / "run.json").read_text())
    (result / "run.json").write_text(json.dumps({**entry, "relabelled": [{"by": "--first T9"}, {"by": "--shift 1"}]}))
    (result / "a_seg.nii.gz.before").touch()
    assert "relabelled since: --first T9 then --shift 1" in line_of(result / "a_seg.nii.gz")
    assert "made by `siil predict` and kept by `siil relabel`" in line_of(result / "a_seg.nii.gz.before")


def test_a_scan_that_was_predicted_before_has_no_record_any_more(result):
    line = line_of(result / "b_seg.nii.gz")
    assert "of scan b; the record beside it is of a later `siil predict` into this folder, of a" in line
    assert "code" not in line


@pytest.mark.parametrize("name", ["notes.txt", "scan.nii.gz"])
def test_what_no_run_speaks_of_is_refused(result, name):
    with pytest.raises(InputError, match="expected a file that siil made, got one that no run record speaks of"):
        line_of(result / name)


def test_what_a_batch_made_is_known_by_its_digest(tmp_path):
    made = [tmp_path / "img/a.nii.gz", tmp_path / "msk/a.nii.gz", tmp_path / "msk/b.nii.gz"]
    for path in made:
        path.parent.mkdir(exist_ok=True)
        path.write_text(str(path))
    with provenance.record(tmp_path / "img/a.run.json", stage="preprocess", config={}, outputs=made[:2]):
        pass
    for path in made[:2]:
        assert line_of(path).startswith(f"{path}: made by `siil preprocess`, ")
    made[1].write_text("another")
    assert ": made by `siil preprocess` and CHANGED since, " in line_of(made[1])
    with pytest.raises(InputError):
        line_of(made[2])


def test_what_lies_with_a_step_is_no_more_than_that(tmp_path):
    (tmp_path / "tables").mkdir()
    (tmp_path / "tables/paired.md").touch()
    with provenance.record(tmp_path / "tables/comparison.run.json", stage="tables", config={}):
        pass
    assert ": lies with what `siil tables` made, " in line_of(tmp_path / "tables/paired.md")
