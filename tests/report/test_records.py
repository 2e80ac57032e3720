from pathlib import Path

import pytest

from siil.report.records import duration, find_records, read_record, summarise
from tests.report.synthetic import CASES, FOLDS, Tree


def test_only_records_of_configured_models_folds_and_tested_cases_are_found(tree: Tree) -> None:
    options = {"results": tree.results, "data": tree.data, "cases": list(CASES)}
    every = find_records(models=["siil", "unet"], folds=FOLDS, **options)
    assert len(every) == 2 * (2 + 3)
    some = find_records(models=["siil"], folds=[1], **options)
    assert sorted(path.name for _, _, path in some) == ["run.json", "spine_b_seg.run.json", "spine_c_seg.run.json"]
    none = find_records(models=["siil"], folds=[1], results=tree.results, data=tree.data, cases=["spine"])
    assert [path.name for _, _, path in none] == ["run.json"]


def test_records_of_scans_are_added_up() -> None:
    entry = {"stage": "test", "seconds": 2.5, "code": "abc", "started": "2025-01-01", "device": "cpu", "seed": None}
    later = entry | {"seconds": 4, "code": "def", "started": "2025-01-02", "revision": "0123456789abcdef+"}
    (row,) = summarise([("siil", "0", entry), ("siil", "0", later), ("siil", "0", {})])
    assert (row.stage, row.records, row.seconds, row.code, row.last) == ("test", 2, 6.5, "abc, def", "2025-01-02")
    assert row.short_revision == "0123456789+"
    assert row.seed == ""


def test_an_unreadable_record_is_an_empty_one(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text("{", encoding="utf-8")
    assert read_record(tmp_path / "run.json") == {}
    assert read_record(tmp_path / "absent.json") == {}


@pytest.mark.parametrize(("seconds", "words"), [(41.7, "42 s"), (185, "3 min 5 s"), (7800, "2 h 10 min")])
def test_durations_are_words(seconds: float, words: str) -> None:
    assert duration(seconds) == words
