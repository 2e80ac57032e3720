"""Where the wall time of a run went: work, the start of processes, Snakemake itself. `python scripts/overhead.py`.

Reads the newest log of .snakemake/log (when each job ran), the benchmark files of these jobs (logs/**/*.tsv) and the
run records (data, results). Of a job's seconds, those within its run record are work; the rest is its process starting:
the interpreter, imports, reading its inputs' digests. Time in which no job ran is Snakemake's. Seconds of jobs that ran
side by side count by their share of the wall time.
"""

import json
import re
import sys
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

RECORDS = {
    "fetch": "data/raw/{2}.run.json",
    "index": "data/{0}/cases.run.json",
    "preprocess": "data/{0}/img/{2}.run.json",
    "pap": "data/{0}/pap/{2}.run.json",
    "split": "data/{0}/folds/0/training.run.json",
    "train": "results/{0}/train/{2}/{3}/run.json",
    "test": "results/{0}/test/{2}/{3}/{4}_seg.run.json",
    "evaluate": "results/{0}/evaluate/{2}/{3}/{4}.run.json",
    "aggregate": "results/{0}/aggregate/vertebrae.run.json",
    "tables": "results/{0}/tables/comparison.run.json",
    "figures": "results/{0}/figures/run.json",
    "report": "results/{0}/report/run.json",
}
"""Step -> run record of the job with the benchmark file logs/{0}/{1}/….tsv, by the parts of that path."""
STAMP = re.compile(r"^\[(\w{3} \w{3} [ \d]\d \d\d:\d\d:\d\d \d{4})\]$")
ENTRY = re.compile(r"^(?:local)?(?:rule|checkpoint) (?!all)(\w+):$")
FIELD = re.compile(r"^    (jobid|benchmark): (.*)$")
FINISHED = re.compile(r"^Finished jobid: (\d+)")
ELAPSED = re.compile(r"^Elapsed time: (?:(\d+) days?, )?(\d+):(\d+):([\d.]+)$")


@dataclass
class Job:
    """A job of the log: when it ran, and its benchmark file."""

    rule: str
    begin: float
    end: float = float("nan")
    benchmark: str = ""


@dataclass
class Run:
    """A run of Snakemake: its wall time and its finished jobs."""

    wall_s: float = float("nan")
    jobs: dict[str, Job] = field(default_factory=dict)


def read(lines: Iterator[str]) -> Run:
    """The run that a log of Snakemake tells of."""
    run, now, job = Run(), 0.0, None
    for line in lines:
        if found := STAMP.match(line):
            now, job = datetime.strptime(found[1], "%a %b %d %H:%M:%S %Y").timestamp(), None
        elif found := ENTRY.match(line):
            job = Job(found[1], begin=now)
        elif job and (found := FIELD.match(line)):
            if found[1] == "jobid":
                run.jobs[found[2]] = job
            else:
                job.benchmark = found[2]
        elif (found := FINISHED.match(line)) and found[1] in run.jobs:
            run.jobs[found[1]].end = now
        elif found := ELAPSED.match(line):
            days, hours, minutes, seconds = found.groups(default="0")
            run.wall_s = int(days) * 86400 + int(hours) * 3600 + int(minutes) * 60 + float(seconds)
    run.jobs = {number: job for number, job in run.jobs.items() if job.end == job.end}
    return run


def covered(jobs: list[Job]) -> float:
    """Seconds in which at least one job ran."""
    total, until = 0.0, float("-inf")
    for job in sorted(jobs, key=lambda job: job.begin):
        total += max(0.0, job.end - max(job.begin, until))
        until = max(until, job.end)
    return total


def seconds(job: Job, root: Path) -> tuple[float, float]:
    """(of the whole job, of its work), from its benchmark file and its run record."""
    table = root / job.benchmark
    if not job.benchmark or not table.is_file():
        return job.end - job.begin, job.end - job.begin
    whole = float(table.read_text(encoding="utf-8").splitlines()[1].split("\t")[0])
    parts = Path(job.benchmark).with_suffix("").parts[1:]
    record = root / RECORDS[job.rule].format(*parts)
    work = json.loads(record.read_text(encoding="utf-8"))["seconds"] if record.is_file() else whole
    return whole, min(work, whole)


def report(root: Path, log: Path) -> str:
    """The table: a row per step, then the shares of the wall time."""
    with log.open(encoding="utf-8") as stream:
        run = read(line.rstrip("\n") for line in stream)
    if not run.jobs:
        return f"ERROR: {log}: no finished job; give the log of a run that did something"
    jobs = list(run.jobs.values())
    running = covered(jobs)
    wall = max(run.wall_s, running)
    spent: dict[str, list[float]] = defaultdict(lambda: [0, 0.0, 0.0])
    for job in jobs:
        whole, work = seconds(job, root)
        row = spent[job.rule]
        row[0], row[1], row[2] = row[0] + 1, row[1] + work, row[2] + whole - work
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
