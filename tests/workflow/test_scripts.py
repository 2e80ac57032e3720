"""What stands around Snakemake: the board that a person sees, and unlocking after a death."""

from __future__ import annotations

import importlib.util
import io
import socket
import subprocess
import sys

import pytest

from tests.workflow.checkout import BIN, ROOT

OUTPUT = """\
Building DAG of jobs...
localrule train:
    input: data/a
    log: {log}
    jobid: 5
    wildcards: experiment=tiny, model=siil, fold=1
[Sun Nov 22 19:14:04 2026]
3 of 17 steps (18%) done
"""


def load(name: str):
    spec = importlib.util.spec_from_file_location(name, ROOT / "scripts" / f"{name}.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def shown(board) -> str:
    from rich.console import Console

    console = Console(file=io.StringIO(), width=120)
    console.print(board)
    return console.file.getvalue()


def test_the_board_counts_steps_and_shows_how_long_the_running_job_takes(tmp_path):
    log = tmp_path / "log"
    log.write_text("2026-11-22 19:51:28,482 INFO train: 7 of 20, 21 s gone, about 40 s left\n", encoding="utf-8")
    board = load("watch").Board("tiny")
    for line in OUTPUT.format(log=log).splitlines():
        board.read(line)
    text = shown(board)
    assert "3/17" in text
    assert "train siil fold 1 · train: 7 of 20, 21 s gone, about 40 s left" in text
    board.read("Finished jobid: 5 (Rule: train)")
    assert "about 40 s left" not in shown(board)


def test_the_board_says_which_batch_of_how_many_a_job_prepares():
    board = load("watch").Board("tiny")
    for line in ("rule preprocess:", "    jobid: 8", "    wildcards: dataset=phantom_tiny, batch=3, batches=20"):
        board.read(line)
    assert "  preprocess batch 3 of 20 " in shown(board)


def test_from_the_first_error_on_everything_is_shown():
    board = load("watch").Board("tiny")
    assert not board.read("3 of 17 steps (18%) done")
    assert board.read("Error in rule evaluate:")
    assert board.read("    log: logs/a.log (check log file(s) for error details)")


def unlock(folder) -> int:
    path = {"PATH": f"{BIN}:/usr/bin:/bin"}
    script = str(ROOT / "scripts/unlock.py")
    return subprocess.run([sys.executable, script], cwd=folder, env=path, check=False, timeout=60).returncode


@pytest.fixture
def locked(tmp_path):
    (tmp_path / "Snakefile").write_text("rule all:\n", encoding="utf-8")
    locks = tmp_path / ".snakemake" / "locks"
    locks.mkdir(parents=True)
    (locks / "0.output.lock").write_text("a\n", encoding="utf-8")
    (tmp_path / ".snakemake" / "locked-by").write_text(socket.gethostname(), encoding="utf-8")
    return tmp_path


def locks_of(folder) -> list:
    return list((folder / ".snakemake" / "locks").glob("*"))


def test_the_lock_of_a_dead_snakemake_is_removed(locked):
    assert unlock(locked) == 0
    assert list((locked / ".snakemake" / "locks").glob("*")) == []


def test_the_lock_of_a_living_snakemake_is_left(locked):
    living = locked / "snakemake"
    living.write_text("import time\ntime.sleep(60)\n", encoding="utf-8")
    with subprocess.Popen([sys.executable, str(living)], cwd=locked) as process:
        try:
            assert unlock(locked) == 0
            assert locks_of(locked)
        finally:
            process.kill()


def test_a_lock_is_left_while_a_job_of_the_dead_run_works_on(locked):
    package = locked / "siil"
    package.mkdir()
    (package / "__main__.py").write_text("import time\ntime.sleep(60)\n", encoding="utf-8")
    with subprocess.Popen([sys.executable, "-m", "siil", "train"], cwd=locked) as process:
        try:
            assert unlock(locked) == 0
            assert locks_of(locked)
        finally:
            process.kill()
    assert unlock(locked) == 0
    assert not locks_of(locked)


@pytest.mark.parametrize("owner", [None, "another-machine"])
def test_a_lock_whose_owner_cannot_be_seen_is_left(locked, owner):
    place = locked / ".snakemake" / "locked-by"
    place.unlink() if owner is None else place.write_text(owner, encoding="utf-8")
    assert unlock(locked) == 0
    assert locks_of(locked)


def test_the_environment_can_be_made_anew_from_inside(tmp_path):
    """With it active, the first python on the path is the one whose folder is about to be deleted."""
    folder = tmp_path / ".venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    (tmp_path / "requirements.lock").write_text("# nothing\n")
    words = ["bash", ROOT / "scripts/environment.sh", folder / "bin/python", ".venv"]
    made = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert "No such file" not in made.stderr
    assert subprocess.run([folder / "bin/python", "-m", "pip", "--version"], check=False).returncode == 0
