"""A copy of the code in a folder of its own, in which the workflow can run and files can be edited."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

from siil.provenance import PACKAGE

ROOT = PACKAGE.parent
BIN = Path(sys.executable).parent
NOTHING = "Nothing to be done"


class Checkout:
    """`folder` holds siil, config, workflow and scripts as they are here; nothing runs in this repository itself."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in ("siil", "config", "workflow", "scripts"):
            shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))

    def call(self, *words: str, timeout_s: float = 1200) -> subprocess.CompletedProcess[str]:
        """Run a command of the environment there; standard error comes with standard output."""
        path = os.pathsep.join([str(BIN), os.environ["PATH"]])
        environment = {**os.environ, "PATH": path, "OMP_NUM_THREADS": "1"}
        environment.pop("PYTHONPATH", None)
        return subprocess.run(
            words,
            cwd=self.folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=timeout_s,
            check=False,
        )

    def snakemake(self, *words: str, experiment: str = "tiny", config: tuple[str, ...] = ()) -> str:
        """Output of a run that must succeed."""
        done = self.call("snakemake", "--cores", "2", *words, "--config", f"experiment={experiment}", *config)
        assert done.returncode == 0, done.stdout[-4000:]
        return done.stdout

    def plan(self, *words: str, config: tuple[str, ...] = ()) -> dict[str, int]:
        """Rule -> number of jobs that a dry run lists, without the target; empty: nothing to be done."""
        text = self.snakemake("--dry-run", *words, config=config)
        if NOTHING in text:
            return {}
        table = text.rpartition("Job stats:")[2].partition("\ntotal")[0]
        counts = {name: int(count) for name, count in re.findall(r"^(\w+) +(\d+)$", table, flags=re.M)}
        return {name: count for name, count in counts.items() if not name.startswith("all")}

    def ran(self, *words: str, config: tuple[str, ...] = ()) -> dict[str, int]:
        """Rule -> number of jobs that a run did."""
        text = self.snakemake(*words, config=config)
        counts = Counter(re.findall(r"^(?:local)?(?:rule|checkpoint) (\w+):", text, flags=re.M))
        return {name: count for name, count in counts.items() if not name.startswith("all")}

    def edit(self, name: str, old: str, new: str) -> None:
        """Replace the first `old` in a file, which must be there."""
        path = self.folder / name
        text = path.read_text(encoding="utf-8")
        assert old in text, f"{name} has no {old!r}"
        path.write_text(text.replace(old, new, 1), encoding="utf-8")
