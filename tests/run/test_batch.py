"""Batches of scans: made when not up to date, none takes the others with it, alone and in several processes."""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import pytest

from siil.errors import InputError
from siil.run import checksums, files
from siil.run.batch import Piece, run_batch
from siil.run.provenance import run_path


def upper(scan: Path, made: Path, entry: dict[str, Any]) -> None:
    """What stands for a stage: the text in capitals. It refuses `bad`, breaks at `broken` and dies at `killed`."""
    text = scan.read_text()
    if text == "bad":
        raise InputError(f"{scan}: expected a good scan")
    if text == "broken":
        raise ZeroDivisionError(text)
    if text == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    logging.getLogger("stage").warning("made %s", scan.name)
    files.write_text(made, text.upper())
    entry["process"] = os.getpid()


def endless(note: Path, entry: dict[str, Any]) -> None:
    note.write_text(str(os.getpid()))
    time.sleep(600)


def run_endless(folder: Path) -> None:
    """Two scans that take for ever, in two processes."""
    pieces = [Piece(n, folder / f"{n}.run.json", (), (), {}, partial(endless, folder / n)) for n in ("one", "two")]
    run_batch("evaluate", pieces, manifest=folder / "list.sha256", processes=2)


def batch(folder: Path, processes: int = 1, value: int = 1, **texts: str) -> None:
    """Write the scans that are given, then run `evaluate` over all that lie there."""
    for name, text in texts.items():
        files.write_text(folder / f"in/{name}.txt", text)
    pieces = []
    for scan in sorted((folder / "in").glob("*.txt")):
        made = folder / "out" / scan.name
        make = partial(upper, scan, made)
        pieces.append(Piece(scan.stem, run_path(made), (scan,), (made,), {"value": value}, make))
    run_batch("evaluate", pieces, manifest=folder / "list.sha256", processes=processes)


def times(folder: Path) -> dict[str, int]:
    return {path.name: path.stat().st_mtime_ns for path in (folder / "out").glob("*.txt")}


def changed(folder: Path, before: dict[str, int]) -> set[str]:
    now = times(folder)
    return {name for name in now if now[name] != before.get(name)}


@pytest.mark.parametrize("processes", [1, 2])
def test_every_scan_is_made_and_listed_and_has_its_record(tmp_path, processes, caplog):
    batch(tmp_path, processes, a="x", b="y", c="z")
    assert [(tmp_path / f"out/{name}.txt").read_text() for name in "abc"] == ["X", "Y", "Z"]
    listed = checksums.read(tmp_path / "list.sha256")
    assert list(listed) == [tmp_path / f"out/{name}.txt" for name in "abc"]
    assert listed[tmp_path / "out/a.txt"] == files.sha256(tmp_path / "out/a.txt")
    records = [json.loads((tmp_path / f"out/{name}.run.json").read_text()) for name in "abc"]
    assert records[0]["inputs"] == {"a.txt": files.sha256(tmp_path / "in/a.txt")}
    assert records[0]["outputs"] == {"a.txt": files.sha256(tmp_path / "out/a.txt")}
    assert ({record["process"] for record in records} == {os.getpid()}) == (processes == 1)
    about = json.loads((tmp_path / "list.run.json").read_text())
    assert (about["scans"], about["made"], about["processes"]) == (3, 3, processes)
    assert {line.getMessage() for line in caplog.records} >= {"made a.txt", "made b.txt", "made c.txt"}


def test_a_second_time_nothing_is_made(tmp_path):
    batch(tmp_path, a="x", b="y")
    before = times(tmp_path)
    batch(tmp_path)
    assert changed(tmp_path, before) == set()
    assert json.loads((tmp_path / "list.run.json").read_text())["made"] == 0


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda folder: files.write_text(folder / "in/a.txt", "new"), {"a.txt"}),
        (lambda folder: files.write_text(folder / "in/d.txt", "one more"), {"d.txt"}),
        (lambda folder: (folder / "out/b.txt").unlink(), {"b.txt"}),
        (lambda folder: (folder / "out/b.txt").write_text("edited"), {"b.txt"}),
        (lambda folder: (folder / "out/b.run.json").unlink(), {"b.txt"}),
        (lambda folder: (folder / "out/b.run.json").write_text("{"), {"b.txt"}),
        (lambda folder: os.utime(folder / "in/a.txt"), set()),
    ],
    ids=["changed", "new", "deleted", "edited", "no record", "half a record", "new time"],
)
def test_a_change_costs_only_the_scan_that_it_is_of(tmp_path, change, expected):
    batch(tmp_path, a="x", b="y", c="z")
    before = times(tmp_path)
    change(tmp_path)
    batch(tmp_path)
    assert changed(tmp_path, before) == expected
    assert (tmp_path / "out/b.txt").read_text() == "Y"


def test_other_values_and_other_code_make_all_again(tmp_path, monkeypatch):
    batch(tmp_path, a="x", b="y")
    before = times(tmp_path)
    batch(tmp_path, value=2)
    assert changed(tmp_path, before) == {"a.txt", "b.txt"}
    before = times(tmp_path)
    monkeypatch.setattr("siil.run.provenance.code_digest", lambda stage: "another code")
    batch(tmp_path, value=2)
    assert changed(tmp_path, before) == {"a.txt", "b.txt"}


@pytest.mark.parametrize("processes", [1, 2])
def test_scans_that_fail_are_named_and_the_others_kept_and_not_made_again(tmp_path, processes, caplog):
    with pytest.raises(InputError) as refused:
        batch(tmp_path, processes, a="x", b="bad", c="broken", d="y")
    said = str(refused.value)
    assert "evaluate: 2 of 4 scans failed: " in said
    assert "b.txt: expected a good scan)" in said
    assert "c (ZeroDivisionError: broken)" in said
    assert "\n" not in said
    assert "Traceback" in caplog.text  # of the bug alone
    assert "in upper" in caplog.text
    assert not (tmp_path / "list.sha256").exists()
    before = times(tmp_path)
    assert set(before) == {"a.txt", "d.txt"}
    batch(tmp_path, processes, b="good", c="fine")
    assert changed(tmp_path, before) == {"b.txt", "c.txt"}
    assert (tmp_path / "list.sha256").is_file()


def test_what_failed_has_no_record_of_the_time_before(tmp_path):
    batch(tmp_path, a="x")
    with pytest.raises(InputError):
        batch(tmp_path, a="bad")
    assert not (tmp_path / "out/a.run.json").exists()


def test_a_process_that_is_killed_takes_nothing_that_is_done(tmp_path):
    batch(tmp_path, a="x", b="y")
    before = times(tmp_path)
    with pytest.raises(InputError, match="perhaps for want of memory"):
        batch(tmp_path, 2, c="killed", d="killed")
    assert changed(tmp_path, before) == set()


def test_a_job_that_is_killed_goes_on_with_the_scan_it_was_at(tmp_path):
    for name, text in (("a", "x"), ("b", "killed"), ("c", "z")):
        files.write_text(tmp_path / f"in/{name}.txt", text)
    code = "import pathlib, sys; from tests.run.test_batch import batch; batch(pathlib.Path(sys.argv[1]))"
    died = subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=False)
    assert died.returncode == -signal.SIGKILL
    before = times(tmp_path)
    assert set(before) == {"a.txt"}
    assert not (tmp_path / "list.sha256").exists()
    batch(tmp_path, b="y")
    assert changed(tmp_path, before) == {"b.txt", "c.txt"}


def test_when_the_first_process_is_killed_the_others_end_too(tmp_path):
    code = (
        f"from pathlib import Path; from tests.run.test_batch import run_endless; run_endless(Path({str(tmp_path)!r}))"
    )
    with subprocess.Popen([sys.executable, "-c", code]) as process:
        wait_for(lambda: all((tmp_path / name).is_file() and (tmp_path / name).read_text() for name in ("one", "two")))
        process.kill()
    numbers = [int((tmp_path / name).read_text()) for name in ("one", "two")]
    wait_for(lambda: not any(psutil.pid_exists(number) for number in numbers))


def wait_for(condition) -> None:
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_many_failures_stay_one_short_line(tmp_path):
    with pytest.raises(InputError) as refused:
        batch(tmp_path, **{f"s{number}": "bad" for number in range(9)})
    assert str(refused.value).count("expected a good scan") == 5
    assert ", s7, s8; what the others made is kept" in str(refused.value)
