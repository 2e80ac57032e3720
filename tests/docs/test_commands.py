"""The page of commands holds every verb and every option, as the code has them."""

from __future__ import annotations

import re
import subprocess
import sys

import click
import pytest

from siil.run.pipeline import OWN_VERBS, VERBS
from tests.workflow.checkout import ROOT

PAGE = (ROOT / "docs" / "reference" / "commands.md").read_text(encoding="utf-8")


def test_the_page_is_in_step_with_the_code():
    words = [sys.executable, "scripts/commands.py", "--check"]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_every_verb_has_its_heading_and_a_verb_that_reads_scans_its_argument():
    assert sorted(re.findall(r"^### siil (\w+)$", PAGE, flags=re.M)) == sorted({*VERBS, *OWN_VERBS})
    predict = PAGE.partition("### siil predict\n")[2].partition("\n### ")[0]
    assert "| `SCAN...` | required | NIfTI" in predict
    assert "| `--device` | auto | auto, cpu or cuda |" in predict


@pytest.fixture
def commands(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))
    import commands

    return commands


def test_options_and_files_of_a_docstring_are_code_and_code_is_not_quoted_twice(commands):
    command = click.Command("v", help="Writes _seg.nii.gz with --fast; `siil v --fast` too.", params=[])
    assert commands._command("v", command) == (
        "### siil v\n\nWrites `_seg.nii.gz` with `--fast`; `siil v --fast` too.\n\n"
    )


SHARED = set(re.findall(r"`(--[a-z-]+)", PAGE.partition("## For your own")[0]))


def options(verb: str) -> set[str]:
    """Those of its table."""
    part = PAGE.partition(f"### siil {verb}\n")[2].partition("\n### ")[0]
    return set(re.findall(r"^\| `(--[a-z-]+)`", part, flags=re.M)) | SHARED | {"--help"}


@pytest.mark.parametrize("verb", sorted({*VERBS, *OWN_VERBS}))
def test_what_a_help_says_of_options_is_in_the_table_of_the_command_that_it_names(verb):
    part = PAGE.partition(f"### siil {verb}\n")[2].partition("\n### ")[0].partition("\n| option")[0]
    for code in re.findall(r"`([^`]+)`", part, flags=re.S):
        words = code.split()
        named = words[1] if words[0] == "siil" else "" if words[0] == "snakemake" else verb
        if named == "evaluate" and "--pred" in words:
            named = "score"  # siil.cli hands it on
        if named:
            assert {word for word in words if re.fullmatch("--[a-z-]+", word)} <= options(named), code
