"""Where did the wall time of a run go: work, the start of processes, Snakemake itself? `python scripts/overhead.py`.

Reads the newest log of .snakemake/log (when the run began, how long it took), the benchmark files that it wrote
(logs/**/*.tsv) and the run records (data, results). Of a job's seconds, those within its run record are work (of a
batch those of its scans, divided by the processes that went through them); the rest is its processes starting: the
interpreter, imports, a look at what is up to date. Time in which no job ran is Snakemake's. Seconds of jobs that ran
side by side count by their share of the wall time.
"""

import json
import re
import sys
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

RECORDS = {
    "fetch": "data/raw/{2}.run.json",
    "index": "data/{0}/cases.run.json",
    "audit": "data/{0}/audit/run.json",
    "preprocess": "data/{0}/preprocess/{2}.run.json",
    "pap": "data/{0}/pap/{2}.run.json",
    "split": "data/{0}/folds/0/training.run.json",
    "train": "results/{0}/train/{2}/{3}/run.json",
    "refine": "results/{0}/refine/{2}/{3}/run.json",
    "adapt": "results/{0}/adapt/{2}/{3}/run.json",
    "test": "results/{0}/test/{2}/{3}.run.json",
    "evaluate": "results/{0}/evaluate/{2}/{3}.run.json",
    "aggregate": "results/{0}/aggregate/vertebrae.run.json",
    "tables": "results/{0}/tables/comparison.run.json",
    "figures": "results/{0}/figures/run.json",
    "report": "results/{0}/report/run.json",
}
"""Step -> run record of the job with the benchmark file logs/{0}/{1}/….tsv, by the parts of that path."""
BEGUN = re.compile(r"^  Date: (\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)$")
ELAPSED = re.compile(r"^Elapsed time: (?:(\d+) days?, )?(\d+):(\d+):([\d.]+)$")


@dataclass(frozen=True)
class Job:
    """A job that ran: seconds since the epoch from its benchmark file, which is written when it ends."""

    rule: str
    begin: float
    end: float
    benchmark: Path


def span(lines: Iterable[str]) -> tuple[float, float] | None:
    """When the run of a log began (seconds since the epoch) and its wall time; None where it did not end."""
    begun = wall_s = None
    for line in lines:
        if found := BEGUN.match(line):
            begun = datetime.strptime(found[1], "%Y-%m-%d %H:%M:%S").timestamp()
        elif found := ELAPSED.match(line):
            days, hours, minutes, seconds = found.groups(default="0")
            wall_s = int(days) * 86400 + int(hours) * 3600 + int(minutes) * 60 + float(seconds)
    return None if begun is None or wall_s is None else (begun, wall_s)


def jobs_of(root: Path, begun: float, wall_s: float) -> list[Job]:
    """The jobs whose benchmark files were written in that time."""
    found = []
    for path in sorted((root / "logs").rglob("*.tsv")):
        end = path.stat().st_mtime
        if begun <= end <= begun + wall_s + 2:
            rule = path.relative_to(root / "logs").with_suffix("").parts[1]
            found.append(
                Job(rule, end - float(path.read_text(encoding="utf-8").splitlines()[1].split("\t")[0]), end, path)
            )
    return sorted(found, key=lambda job: job.begin)


def covered(jobs: list[Job]) -> float:
    """Seconds in which at least one job ran."""
    total, until = 0.0, float("-inf")
    for job in sorted(jobs, key=lambda job: job.begin):
        total += max(0.0, job.end - max(job.begin, until))
        until = max(until, job.end)
    return total


def work_s(job: Job, root: Path) -> float:
    """Seconds within the run record of a job; all of it where there is none."""
    parts = job.benchmark.relative_to(root / "logs").with_suffix("").parts
    record = root / RECORDS[job.rule].format(*parts) if job.rule in RECORDS else None
    whole = job.end - job.begin
    if record is None or not record.is_file():
        return whole
    entry = json.loads(record.read_text(encoding="utf-8"))
    spent = entry["scan_seconds"] / entry["processes"] if "scan_seconds" in entry else entry["seconds"]
    return min(float(spent), whole)


def report(root: Path, log: Path) -> str:
    """The table: a row per step, then the shares of the wall time."""
    with log.open(encoding="utf-8") as stream:
        found = span(line.rstrip("\n") for line in stream)
    jobs = jobs_of(root, *found) if found else []
    if not found or not jobs:
        return f"ERROR: {log}: no finished job; give the log of a run that did something and ended"
    running = covered(jobs)
    wall = max(found[1], running)
    spent: dict[str, list[float]] = defaultdict(lambda: [0, 0.0, 0.0])
    for job in jobs:
        work, row = work_s(job, root), spent[job.rule]
        row[0], row[1], row[2] = row[0] + 1, row[1] + work, row[2] + job.end - job.begin - work
    share = running / sum(work + start for _, work, start in spent.values())
    lines = [f"{'step':<12}{'jobs':>6}{'work s':>10}{'start s':>10}{'of wall':>9}"]
    for rule, (count, work, start) in sorted(spent.items(), key=lambda item: -sum(item[1][1:])):
        lines.append(f"{rule:<12}{count:>6}{work:>10.1f}{start:>10.1f}{(work + start) * share / wall:>9.1%}")
    starting = sum(start for *_, start in spent.values()) * share
    idle = wall - running
    lines += [
        f"wall {wall:.1f} s: work {(running - starting) / wall:.1%}, start of processes {starting / wall:.1%}, "
        f"Snakemake {idle / wall:.1%}",
        f"overhead {(starting + idle) / wall:.1%}",
    ]
    return "\n".join(lines)


def main(words: list[str]) -> int:
    """`overhead.py [LOG]`: of the newest log here, or of LOG."""
    logs = [Path(word) for word in words] or sorted(Path(".snakemake/log").glob("*.snakemake.log"))
    if not logs:
        sys.stderr.write("ERROR: .snakemake/log: no log; run the workflow in this folder first, or give a log\n")
        return 2
    said = report(Path(), logs[-1])
    sys.stdout.write(said + "\n")
    return 2 if said.startswith("ERROR") else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
