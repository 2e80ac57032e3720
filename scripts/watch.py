"""How far is a run? Shows it to a person at a terminal: `snakemake … 2>&1 | python scripts/watch.py TITLE`.

One bar for all steps, one line per running job with the last line of its log (where long work says how much is left).
Whatever Snakemake says from the first error on is shown as it is. Its whole text is in .snakemake/log.
"""

import re
import signal
import sys
from collections.abc import Iterable
from pathlib import Path

from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.text import Text

STEPS = re.compile(r"(\d+) of (\d+) steps")
RULE = re.compile(r"^(?:local)?(?:rule|checkpoint) (\w+):")
FIELD = re.compile(r"^    (log|jobid|wildcards): (.*)")
FINISHED = re.compile(r"^Finished jobid: (\d+)")
TROUBLE = re.compile(r"^(\w*Exception|\w*Error|Error in rule|Exiting because)\b")
IDLE = re.compile(r"^(Nothing to be done|Building DAG)")
WORDS = {"source": "{source}", "model": "{model}", "fold": "fold {fold}", "batch": "batch {batch} of {batches}"}
"""Wildcards that a person is told, and how; the board's title says the rest."""


class Board:
    """What is known of the run: steps done, jobs running."""

    def __init__(self, title: str) -> None:
        columns = (
            TextColumn("[bold]{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("steps"),
            TimeElapsedColumn(),
        )
        self.progress = Progress(*columns)
        self.task = self.progress.add_task(title, total=None)
        self.jobs: dict[str, dict[str, str]] = {}
        self.started: dict[str, str] = {}
        self.trouble = False

    def read(self, line: str) -> bool:
        """Take in a line; whether the person should see it as it is."""
        if self.trouble or TROUBLE.match(line):
            self.trouble = True
        elif found := STEPS.search(line):
            self.progress.update(self.task, completed=int(found[1]), total=int(found[2]))
        elif found := RULE.match(line):
            self.started = {"rule": found[1]}
        elif found := FIELD.match(line):
            self.started[found[1]] = found[2]
            if found[1] == "jobid":
                self.jobs[found[2]] = self.started
        elif found := FINISHED.match(line):
            self.jobs.pop(found[1], None)
        return self.trouble or bool(IDLE.match(line))

    def __rich__(self) -> Group:
        lines = [Text(f"  {_describe(job)}", overflow="ellipsis", no_wrap=True) for job in list(self.jobs.values())]
        return Group(self.progress, *lines[:6])


def _describe(job: dict[str, str]) -> str:
    values = dict(part.split("=", 1) for part in job.get("wildcards", "").split(", ") if "=" in part)
    words = [says.format(**values) for name, says in WORDS.items() if name in values]
    return " ".join([job["rule"], *words, _last_line(job.get("log", ""))])


def _last_line(log: str) -> str:
    path = Path(log.split(" (")[0].split(",")[0])
    if not log or not path.is_file():
        return ""
    with path.open("rb") as stream:
        stream.seek(max(0, path.stat().st_size - 500))
        lines = stream.read().decode(errors="replace").splitlines()
    return f"· {lines[-1].partition('INFO ')[2]}" if lines and "INFO " in lines[-1] else ""


def main(lines: Iterable[str], title: str) -> None:
    """Show the lines until they end."""
    console = Console(stderr=True)
    board = Board(title)
    with Live(board, console=console, refresh_per_second=4, transient=True) as live:
        for line in lines:
            if board.read(line.rstrip("\n")):
                live.console.print(line.rstrip("\n"), markup=False, highlight=False)


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for Snakemake; its last words are shown
    main(sys.stdin, sys.argv[1] if len(sys.argv) > 1 else "snakemake")
