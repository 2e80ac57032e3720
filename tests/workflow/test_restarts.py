"""kill -9 of the whole process group at random moments, then the same command again with nothing done in between.

What people read and use ends byte for byte as in a run that nobody disturbed: the data, the weights, every prediction,
the scores, the pooled tables. 5 deaths, one in each of the named steps; SIIL_KILLS=30 for more.
"""

from __future__ import annotations

import hashlib
import os
import random
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.workflow.checkout import Checkout

pytestmark = pytest.mark.slow
STEPS = ("fetch", "preprocess", "train", "test", "aggregate")
ORDER = ("fetch", "index", "preprocess", "pap", "split", "train", "test", "evaluate", "aggregate", "tables", "figures")
COMMAND = ("snakemake", "--cores", "2", "--config", "experiment=smallest")
KILLS = int(os.environ.get("SIIL_KILLS", "5"))
TIMED = ("run.json", "history.tsv", "index.html", "last.ckpt", "trainings.", "training_curves.", "events.out", ".pdf")
"""Files that hold seconds or dates of the run."""


def digests(folder: Path) -> dict[str, str]:
    """Path -> SHA-256 of every file that does not say when it was made."""
    found = [path for name in ("data", "results") for path in (folder / name).rglob("*") if path.is_file()]
    kept = [path for path in found if not any(word in path.name for word in TIMED)]
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(kept)}


def history(folder: Path) -> list[list[str]]:
    """history.tsv without its column of seconds."""
    text = (folder / "results/smallest/train/siil/fold0/history.tsv").read_text(encoding="utf-8")
    rows = [line.split("\t") for line in text.splitlines()]
    seconds = rows[0].index("seconds")
    return [row[:seconds] + row[seconds + 1 :] for row in rows]


def lines_of(process: subprocess.Popen[str], log: list[str]) -> Iterator[str]:
    assert process.stdout is not None
    for line in process.stdout:
        log.append(line)
        yield line


def killed(checkout: Checkout, step: str, delay_s: float) -> bool:
    """Start the workflow and kill all of it `delay_s` after a job of `step` (or of a later one) began.

    False where it ended before that, as it should.
    """
    names = "|".join(ORDER[ORDER.index(step) :])
    log: list[str] = []
    with checkout.start(*COMMAND) as process:
        for line in lines_of(process, log):
            if re.match(rf"(?:local)?(?:rule|checkpoint) (?:{names}):", line):
                time.sleep(delay_s)
                os.killpg(process.pid, signal.SIGKILL)
                return process.wait() == -signal.SIGKILL
    assert process.returncode == 0, "".join(log)[-3000:]
    return False


def seconds(folder: Path, step: str) -> float:
    """Of the longest job of a step, from its benchmark file."""
    files = [path for path in (folder / "logs").rglob("*.tsv") if step in path.parts or path.stem == step]
    return max(float(path.read_text(encoding="utf-8").splitlines()[1].split("\t")[0]) for path in files)


def test_a_run_that_is_killed_again_and_again_ends_like_one_that_was_not(smallest: Checkout, tmp_path: Path):
    whole, disturbed = smallest, Checkout(tmp_path / "repository")
    moments = random.Random(20)
    deaths = []
    for step in STEPS:
        for _ in range(KILLS // len(STEPS)):
            delay_s = moments.uniform(0, seconds(whole.folder, step))
            if killed(disturbed, step, delay_s):
                deaths.append((step, round(delay_s, 2)))
    assert len(deaths) >= KILLS - KILLS // 5, deaths
    done = disturbed.call(*COMMAND)
    assert done.returncode == 0, done.stdout[-4000:]
    assert "Nothing to be done" in disturbed.call(*COMMAND, "--dry-run").stdout
    expected, found = digests(whole.folder), digests(disturbed.folder)
    assert found == expected, {name for name in found.keys() | expected.keys() if found.get(name) != expected.get(name)}
    assert history(disturbed.folder) == history(whole.folder)
    assert any(name.endswith("weights.safetensors") for name in found)
    assert "results/smallest/tables/comparison.csv" in found
