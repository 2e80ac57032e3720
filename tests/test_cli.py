"""The command line: where a stage's configuration comes from, exit codes, one ERROR line, the log file."""

from __future__ import annotations

import errno
import inspect
import json
import logging
import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Annotated

import pytest
import typer
from typer.testing import CliRunner

from siil import cli
from siil.config import Config, resolve, sections
from siil.errors import InputError, message
from siil.run.pipeline import OWN_VERBS, VERBS
from siil.run.provenance import PACKAGE

SEEN: dict[str, object] = {}


def stage(*, config: Config, output: Annotated[Path, typer.Option(help="where")]) -> None:
    """Do one thing."""
    SEEN.update(epochs=config.train.epochs, output=output)
    logging.getLogger("siil").info("did it")
    logging.getLogger("some_library").info("did it too")
    if output.name == "bad":
        raise InputError(f"{output}: expected good,\n got bad")
    if output.name == "bug":
        raise ZeroDivisionError
    if output.is_absolute():
        output.mkdir()
    if output.name == "full":
        raise OSError(28, "No space left on device", str(output))


@pytest.fixture
def run(monkeypatch):
    """Call main() with words, the verb `pap` being the stage above; gives exit code and what was printed."""

    def register(verb: str) -> None:
        cli.app.command(verb)(cli._command(stage, ("train",)))

    monkeypatch.setattr(cli, "register", register)
    monkeypatch.setattr(cli.app, "registered_commands", [])
    root = logging.getLogger()
    before = root.handlers[:], root.level

    def call(*words: str) -> int:
        monkeypatch.setattr(sys, "argv", ["siil", "pap", *words])
        with pytest.raises(SystemExit) as end:
            cli.main()
        return int(end.value.code or 0)

    yield call
    for handler in root.handlers:
        handler.close()
    root.handlers[:], root.level = before
    logging.captureWarnings(False)


def test_the_workflow_passes_resolved_sections_as_json(run):
    values = sections(resolve("demo", overrides={"train": {"epochs": 77}}), ["train"])
    assert run("--output", "x", "--config", json.dumps(values)) == 0
    assert SEEN["epochs"] == 77
    assert SEEN["output"] == Path("x")


def test_by_hand_the_sections_come_from_an_experiment_and_set(run):
    assert run("--output", "x", "--experiment", "demo", "--set", "train.epochs=5") == 0
    assert SEEN["epochs"] == 5


def test_an_error_of_the_user_is_one_line_and_exit_2(run, capsys):
    assert run("--output", "bad") == 2
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("ERROR")]
    assert lines == ["ERROR: bad: expected good, got bad"]


def test_a_full_disk_is_one_line_and_exit_2(run, capsys):
    assert run("--output", "full") == 2
    assert "ERROR: full: No space left on device" in capsys.readouterr().err


@pytest.mark.parametrize("number", ["EIO", "ESTALE", "ENOTCONN", "ELOOP"])
def test_a_disk_or_a_network_folder_that_went_away_is_one_line(number):
    assert message(OSError(getattr(errno, number), "gone", "out/a")) == (
        "out/a: gone; make room or give a folder that can be written"
    )


def test_an_output_that_is_no_folder_is_one_line_and_exit_2(run, capsys, tmp_path):
    (tmp_path / "file").touch()
    assert run("--output", "x", "--log", str(tmp_path / "file" / "deep" / "log")) == 2
    assert run("--output", str(tmp_path / "file" / "folder")) == 2
    assert run("--output", str(tmp_path / "file")) == 2
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("ERROR")]
    below = f"expected a folder to write into, got a path below the file {tmp_path}/file"
    assert [line.partition(": ")[2].partition(";")[0] for line in lines] == [
        f"{tmp_path}/file/deep/log: {below}",
        f"{tmp_path}/file/folder: {below}",
        f"{tmp_path}/file: expected a folder to write into, got a file",
    ]


WRITERS = {
    verb: function
    for verb in (*VERBS, *OWN_VERBS)
    if set(inspect.signature(function := getattr(import_module(f"siil.stages.{verb}"), verb)).parameters)
    & set(cli._PLACES)
}


@pytest.mark.parametrize("verb", WRITERS)
def test_no_stage_begins_where_it_could_not_end(verb, tmp_path):
    (tmp_path / "file").touch()
    writes = [name for name in inspect.signature(WRITERS[verb]).parameters if name in cli._PLACES]
    command = cli._command(WRITERS[verb], ())
    rest = {"config_json": "", "experiment": "tiny", "model_config": "", "sets": [], "log_file": None}
    if verb == "predict":
        rest |= {"scans": [tmp_path], "weights": None, "fast": False, "second_look": None, "also": [], "as_json": False}
        rest |= {"device": "cpu"}
    for place in (tmp_path / "file/deep/x", Path("/proc/x")):
        for name in writes:
            options = {other: tmp_path / "new" / other for other in writes} | {name: place}
            with pytest.raises(InputError, match=rf"^{place}: (expected a folder to write|cannot be written)"):
                command(**rest, **options)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_predict_tells_it_to_programs_too(tmp_path):
    (tmp_path / "file").touch()
    words = ["predict", str(tmp_path / "a.nii.gz"), "--output", str(tmp_path / "file"), "--json"]
    done = subprocess.run([sys.executable, "-m", "siil", *words], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "expected a folder to write into, got a file" in json.loads(done.stdout)["error"]


def test_a_bug_keeps_its_traceback(monkeypatch, run, tmp_path):
    monkeypatch.setattr(sys, "argv", ["siil", "pap", "--output", "bug", "--log", str(tmp_path / "log")])
    with pytest.raises(ZeroDivisionError):
        cli.main()
    assert "ZeroDivisionError" in (tmp_path / "log").read_text(encoding="utf-8")


def test_the_log_file_holds_the_lines_and_the_error(run, tmp_path):
    assert run("--output", "bad", "--log", str(tmp_path / "deep" / "log")) == 2
    text = (tmp_path / "deep" / "log").read_text(encoding="utf-8")
    assert "INFO did it" in text
    assert "did it too" not in text
    assert "ERROR: bad: expected good, got bad" in text


@pytest.mark.parametrize("text", ["[", "[1]", "3"])
def test_a_configuration_that_is_no_json_object_is_refused(run, capsys, text):
    assert run("--output", "x", "--config", text) == 2
    assert "ERROR: --config: expected" in capsys.readouterr().err


def test_an_unknown_key_is_refused_with_the_nearest(run, capsys):
    assert run("--output", "x", "--set", "train.epoch=5") == 2
    assert "did you mean train.epochs?" in capsys.readouterr().err


def test_help_of_a_stage_is_its_docstring():
    app = typer.Typer()
    app.callback()(lambda: None)
    app.command("pap")(cli._command(stage, ("train",)))
    text = CliRunner().invoke(app, ["pap", "--help"]).output
    assert "Do one thing." in text
    assert "--config" in text


def test_the_real_door_lists_every_verb_in_seconds():
    done = subprocess.run(
        [sys.executable, "-m", "siil", "--help"],
        cwd=PACKAGE.parent,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    for verb in (*cli.VERBS, *cli.OWN_VERBS):
        assert f" {verb} " in done.stdout
    assert "Research use only, not a medical device." in " ".join(done.stdout.split())


@pytest.mark.parametrize(("before", "seen"), [({}, "1"), ({"THP_MEM_ALLOC_ENABLE": "0"}, "0")])
def test_torch_is_asked_to_use_huge_pages_unless_the_user_says_otherwise(before, seen):
    bare = {key: value for key, value in os.environ.items() if key != "THP_MEM_ALLOC_ENABLE"}
    code = "import os, siil; print(os.environ['THP_MEM_ALLOC_ENABLE'])"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=PACKAGE.parent, env=bare | before, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == seen


def test_a_terminal_that_lacks_a_letter_gets_the_answer_all_the_same(tmp_path):
    """The en dash of a span, where only ASCII can be written."""
    code = (
        "import sys; from siil import cli; cli.register = lambda verb: cli.app.command(verb)(lambda: None)\n"
        "try: cli.main()\nexcept SystemExit: print('T9–L5')"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "trace"],
        cwd=PACKAGE.parent,
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "T9?L5\n"
