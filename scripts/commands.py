"""Which commands are there, and which options? Writes docs/reference/commands.md from what the code says of each.

`make schema` runs it; --check says whether the page is in step.
"""

import re
import sys
from pathlib import Path

import click
import typer

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from prose import wrapped

from siil import cli
from siil.run import files
from siil.run.pipeline import OWN_VERBS, VERBS
from siil.run.provenance import PACKAGE

PAGE = PACKAGE.parent / "docs" / "reference" / "commands.md"
OPENING = """\
# Commands

*What can I type, and what does it do?*

Made by `make schema` from the docstrings, as `siil VERB --help` prints them. `siil` lies in `.venv/bin`;
`python -m siil` is the same. Exit codes: 0 done, 2 an error that you can mend (one `ERROR:` line), 1 a bug
(with its traceback).
"""
GROUPS = {
    "For your own scans and folders": OWN_VERBS,
    "The steps of the pipeline, in order": VERBS,
}
SHARED = """\
Steps that read the configuration also take `--experiment NAME`, `--model-config NAME`, `--set KEY=VALUE` (repeatable),
`--config JSON` (what the workflow passes) and `--log FILE`; they are left out of the tables ([every key](keys.md)).
"""
EVERYWHERE = {"config_json", "experiment", "model_config", "sets", "log_file", "help"}


def page() -> str:
    """The whole page."""
    for verb in (*VERBS, *OWN_VERBS):
        cli.register(verb)
    group = typer.main.get_command(cli.app)
    assert isinstance(group, click.Group) or hasattr(group, "commands")
    parts = [OPENING, SHARED]
    for title, verbs in GROUPS.items():
        parts += [f"## {title}\n", *(_command(verb, group.commands[verb]) for verb in verbs)]
    return wrapped("\n".join(parts))


def _command(verb: str, command: click.Command) -> str:
    halves = (command.help or "").split("`")  # every second one is code already
    halves[::2] = [re.sub(r"(?<!\w)(--[a-z][\w-]*|_\w+\.[\w.]+\w)", r"`\1`", half) for half in halves[::2]]
    said = "`".join(halves)
    shown = [_row(parameter) for parameter in command.params if parameter.name not in EVERYWHERE]
    table = "| option | default | meaning |\n|---|---|---|\n" + "".join(shown)
    return f"### siil {verb}\n\n{said.strip()}\n\n{table if shown else ''}"


def _row(parameter: click.Parameter) -> str:
    name = parameter.metavar or parameter.name if parameter.param_type_name == "argument" else parameter.opts[0]
    default = "required" if parameter.required else "" if parameter.default in (None, "", [], ()) else parameter.default
    default = "" if callable(default) else default
    words = (getattr(parameter, "help", None) or "").replace("|", "\\|")
    return f"| `{name}` | {default} | {words} |\n"


def main(arguments: list[str]) -> int:
    """Write the page, or with --check say whether it is out of step (exit code 1)."""
    text = page()
    if "--check" not in arguments:
        files.write_text(PAGE, text)
        return 0
    if PAGE.is_file() and PAGE.read_text(encoding="utf-8") == text:
        return 0
    sys.stderr.write(f"ERROR: {PAGE.relative_to(PACKAGE.parent)} is out of step with siil/stages; run `make schema`\n")
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
