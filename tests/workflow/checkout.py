"""A copy of the code in a folder of its own, in which the workflow can run and files can be edited."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import ClassVar, TextIO

from siil.run.provenance import PACKAGE

ROOT = PACKAGE.parent
SMALLEST = Path(__file__).parent / "smallest"
BIN = Path(sys.executable).parent
NOTHING = "Nothing to be done"


def jobs(text: str) -> dict[str, int]:
    """Rule -> number of jobs in what Snakemake said, or DVC that called it; without the targets."""
    counts = Counter(re.findall(r"^(?:local)?(?:rule|checkpoint) (\w+):", text, flags=re.M))
    return {name: count for name, count in counts.items() if not name.startswith("all")}


class Checkout:
    """`folder` holds siil, config, workflow and scripts as they are here; nothing runs in this repository itself.

    To the configuration comes the experiment `smallest`: three phantoms, two of them for a training of eight steps.
    """

    variables: ClassVar[dict[str, str]] = {}
    """More of the environment of the commands, set on an instance."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in ("siil", "config", "workflow", "scripts"):
            shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copytree(SMALLEST, folder / "config", dirs_exist_ok=True)

    def environment(self) -> dict[str, str]:
        """Of the commands: this interpreter's programs first, one thread each."""
        environment = {**os.environ, "OMP_NUM_THREADS": "1", **self.variables}
        environment["PATH"] = os.pathsep.join([str(BIN), environment["PATH"]])
        environment.pop("PYTHONPATH", None)
        return environment

    def call(self, *words: str, timeout_s: float = 1200) -> subprocess.CompletedProcess[str]:
        """Run a command of the environment there; standard error comes with standard output."""
        return subprocess.run(
            words,
            cwd=self.folder,
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=timeout_s,
            check=False,
        )

    def do(self, *words: str) -> str:
        """Output of a command that must succeed."""
        done = self.call(*words)
        assert done.returncode == 0, done.stdout[-4000:]
        return done.stdout

    def start(self, *words: str, stdout: int | TextIO = subprocess.PIPE) -> subprocess.Popen[str]:
        """As `call`, but go on at once; the command leads a process group of its own, and heeds Ctrl-C even where the
        shell that started the tests in the background has taught its children not to."""
        return subprocess.Popen(
            words,
            cwd=self.folder,
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )

    def snakemake(self, *words: str, experiment: str = "tiny", config: tuple[str, ...] = ()) -> str:
        """Output of a run that must succeed."""
        return self.do("snakemake", "--cores", "2", *words, "--config", f"experiment={experiment}", *config)

    def plan(self, *words: str, experiment: str = "tiny", config: tuple[str, ...] = ()) -> dict[str, int]:
        """Rule -> number of jobs that a dry run lists, without the target; empty: nothing to be done."""
        text = self.snakemake("--dry-run", *words, experiment=experiment, config=config)
        if NOTHING in text:
            return {}
        table = text.rpartition("Job stats:")[2].partition("\ntotal")[0]
        counts = {name: int(count) for name, count in re.findall(r"^(\w+) +(\d+)$", table, flags=re.M)}
        return {name: count for name, count in counts.items() if not name.startswith("all")}

    def ran(self, *words: str, config: tuple[str, ...] = ()) -> dict[str, int]:
        """Rule -> number of jobs that a run did."""
        return jobs(self.snakemake(*words, config=config))

    def edit(self, name: str, old: str, new: str) -> None:
        """Replace the first `old` in a file, which must be there."""
        path = self.folder / name
        text = path.read_text(encoding="utf-8")
        assert old in text, f"{name} has no {old!r}"
        path.write_text(text.replace(old, new, 1), encoding="utf-8")
