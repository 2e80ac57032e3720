"""Where the time of a run went, on a log of three jobs worked out by hand."""

from __future__ import annotations

import json

import pytest

from tests.workflow.test_scripts import load

LOG = """\
host: here
[Tue Nov 24 14:00:02 2026]
localrule fetch:
    output: data/raw/phantoms.tsv
    jobid: 3
    benchmark: logs/raw/fetch/phantoms.tsv
[Tue Nov 24 14:00:12 2026]
Finished jobid: 3 (Rule: fetch)
[Tue Nov 24 14:00:14 2026]
localrule pap:
    jobid: 1
    benchmark: logs/phantoms/pap/a.tsv
[Tue Nov 24 14:00:14 2026]
rule pap:
    jobid: 2
    benchmark: logs/phantoms/pap/b.tsv
[Tue Nov 24 14:00:18 2026]
Finished jobid: 1 (Rule: pap)
[Tue Nov 24 14:00:20 2026]
Finished jobid: 2 (Rule: pap)
[Tue Nov 24 14:00:20 2026]
localrule all:
    jobid: 0
[Tue Nov 24 14:00:20 2026]
Finished jobid: 0 (Rule: all)
Elapsed time: 0:00:20.000000
"""


@pytest.fixture
def folder(tmp_path):
    """fetch: 10 s, 9 of them work; the two pap side by side in 6 s: 4 + 6 s, of which 1 + 3 s work."""
    for name, whole, work in (("raw/fetch/phantoms", 10, 9), ("phantoms/pap/a", 4, 1), ("phantoms/pap/b", 6, 3)):
        table = tmp_path / "logs" / f"{name}.tsv"
        table.parent.mkdir(parents=True, exist_ok=True)
        table.write_text(f"s\th:m:s\n{whole}\t0:00:10\n", encoding="utf-8")
        path = {"raw/fetch/phantoms": "data/raw/phantoms"}.get(name, f"data/{name}")
        record = tmp_path / f"{path}.run.json"
        record.parent.mkdir(parents=True, exist_ok=True)
        record.write_text(json.dumps({"seconds": work}), encoding="utf-8")
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
    from siil.pipeline import VERBS

    assert set(load("overhead").RECORDS) == set(VERBS)
