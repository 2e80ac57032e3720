"""Where the time of a run went, on three jobs worked out by hand."""

from __future__ import annotations

import json
import os
from datetime import datetime

import pytest

from tests.workflow.test_scripts import load

LOG = """\
host: here
  Date: 2026-11-24 14:00:00
Finished jobid: 0 (Rule: all)
Elapsed time: 0:00:20.000000
"""


@pytest.fixture
def folder(tmp_path):
    """fetch: 10 s, 9 of them work; two batches of pap side by side in 6 s: 4 s and 6 s, in each of which two processes
    worked, together 2 s and 6 s."""
    begun = datetime(2026, 11, 24, 14).timestamp()
    ran = [("raw/fetch/phantoms", 10, 9, 12), ("phantoms/pap/1.of.2", 4, 1, 18), ("phantoms/pap/2.of.2", 6, 3, 20)]
    for name, whole, work, end in [*ran, ("phantoms/pap/of_a_run_before", 5, 5, -1)]:
        table = tmp_path / "logs" / f"{name}.tsv"
        table.parent.mkdir(parents=True, exist_ok=True)
        table.write_text(f"s\th:m:s\n{whole}\t0:00:10\n", encoding="utf-8")
        os.utime(table, (begun + end, begun + end))
        path = {"raw/fetch/phantoms": "data/raw/phantoms"}.get(name, f"data/{name}")
        record = tmp_path / f"{path}.run.json"
        record.parent.mkdir(parents=True, exist_ok=True)
        entry = {"seconds": whole, "scan_seconds": 2 * work, "processes": 2} if "pap" in name else {"seconds": work}
        record.write_text(json.dumps(entry), encoding="utf-8")
    (tmp_path / "log").write_text(LOG, encoding="utf-8")
    return tmp_path


def test_work_start_and_snakemake_add_up_to_the_wall_time(folder):
    lines = load("overhead").report(folder, folder / "log").splitlines()
    # 16 of 20 s had a job; 20 s of jobs in them count 0.8 each: 13 s work -> 10.4, 7 s start -> 5.6; 4 s had none
    assert lines[-2] == "wall 20.0 s: work 52.0%, start of processes 28.0%, Snakemake 20.0%"
    assert lines[-1] == "overhead 48.0%"
    assert lines[1].split() == ["fetch", "1", "9.0", "1.0", "40.0%"]
    assert lines[2].split() == ["pap", "2", "4.0", "6.0", "40.0%"]


def test_a_job_without_a_run_record_is_all_work(folder):
    (folder / "data/raw/phantoms.run.json").unlink()
    assert load("overhead").report(folder, folder / "log").splitlines()[1].split()[2:4] == ["10.0", "0.0"]


def test_a_log_in_which_nothing_ran_is_refused(folder):
    (folder / "log").write_text("Nothing to be done\n", encoding="utf-8")
    assert load("overhead").report(folder, folder / "log").startswith("ERROR: ")


def test_every_step_has_its_run_record(folder):
    from siil.run.pipeline import VERBS

    assert set(load("overhead").RECORDS) == set(VERBS)
