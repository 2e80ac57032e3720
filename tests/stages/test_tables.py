"""Stage tables: files of all tables in all formats from the pooled rows."""

from __future__ import annotations

from pathlib import Path

import pytest

from siil.config import partial
from siil.errors import DatasetError
from siil.metrics import rows
from siil.report.tables import NAMES
from siil.run import files
from siil.run.provenance import RESEARCH_USE
from siil.stages.tables import tables
from tests.report.rows_by_hand import history, scans, vertebrae


def run(folder: Path) -> Path:
    report = {"bootstrap": 1000, "confidence": 0.95, "seed": 0, "averaging": "scans"}
    tables(config=partial({"report": report}), aggregate=folder / "aggregate", output=folder / "tables")
    return folder / "tables"


@pytest.fixture
def pooled(tmp_path: Path) -> Path:
    models = ("siil", "no_gru")
    files.write_text(tmp_path / "aggregate/vertebrae.tsv", rows.to_text(vertebrae(*models)))
    files.write_text(tmp_path / "aggregate/scans.tsv", rows.to_text(scans(*models)))
    files.write_text(tmp_path / "aggregate/history.tsv", rows.to_text(history(*models)))
    return tmp_path


def test_every_table_is_written_in_every_format(pooled: Path) -> None:
    out = run(pooled)
    assert {path.name for path in out.glob("*.*") if path.suffix != ".json"} == {
        f"{name}.{kind}" for name in NAMES for kind in ("csv", "md", "tex")
    }
    assert (out / "comparison.run.json").is_file()


def test_what_is_meant_for_reading_says_research_use_only(pooled: Path) -> None:
    out = run(pooled)
    for name in NAMES:
        assert RESEARCH_USE in (out / f"{name}.md").read_text()
        assert RESEARCH_USE in (out / f"{name}.tex").read_text()


def test_numbers_survive_the_way_through_the_files(pooled: Path) -> None:
    text = (run(pooled) / "comparison.md").read_text()
    assert "0.800 ± 0.100 [" in text
    assert "-0.100 [-0.200, +0.000] (p = " in (run(pooled) / "ablation.csv").read_text()


def test_the_same_rows_give_the_same_bytes(pooled: Path) -> None:
    first = {path.name: path.read_bytes() for path in run(pooled).iterdir() if path.suffix != ".json"}
    assert first == {path.name: path.read_bytes() for path in run(pooled).iterdir() if path.suffix != ".json"}


def test_missing_rows_are_named(pooled: Path) -> None:
    (pooled / "aggregate/scans.tsv").unlink()
    with pytest.raises(DatasetError, match=r"scans\.tsv: expected the pooled rows"):
        run(pooled)


def test_an_experiment_without_cases_is_refused(pooled: Path) -> None:
    files.write_text(pooled / "aggregate/scans.tsv", rows.to_text(scans("siil").iloc[:0]))
    with pytest.raises(DatasetError, match="at least one row"):
        run(pooled)
