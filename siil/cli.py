"""The command line: one verb per stage of the pipeline, and `adapt`, `audit`, `predict`, `relabel` … beside them.

`siil VERB --help` prints the docstring of the stage. A stage's function takes `config` (the sections that it
declares) and plain paths; this module adds the options by which the configuration arrives, the log file, and the one
`ERROR:` line.
Nothing here imports torch.
"""

from __future__ import annotations

import functools
import importlib
import inspect
import io
import json
import logging
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from siil import config as configuration
from siil.errors import ConfigError, message
from siil.run.files import check_place
from siil.run.pipeline import BY_NAME, OWN_VERBS, VERBS
from siil.run.processes import launched

log = logging.getLogger("siil")
app = typer.Typer(
    name="siil",
    help="SIIL: labels and segments every vertebra in a CT scan. Research use only, not a medical device.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

ConfigJson = Annotated[str, typer.Option("--config", help="resolved sections as JSON (what the workflow passes)")]
Experiment = Annotated[str, typer.Option(help="without --config: its configuration; default: what config.yaml names")]
ModelName = Annotated[str, typer.Option("--model-config", help="model overlay of that configuration")]
Sets = Annotated[list[str], typer.Option("--set", help="KEY=VALUE that wins over the files, repeatable")]
LogFile = Annotated[Path | None, typer.Option("--log", help="also write the log to this file")]


_PLACES = {"output": True, "folder": True, "manifest": False, "manifest_path": False, "log_file": False}
"""Options by which a stage is told where to write -> is it a folder?"""
_FILES = ("index", "report")
"""Stages whose --output is a file."""


@app.callback()
def _group() -> None:
    """With a callback, typer keeps the verb even where only one is registered."""


def _command(stage: Callable[..., None], names: tuple[str, ...]) -> Callable[..., None]:
    """`stage` with its `config` argument replaced by the options that make one."""

    @functools.wraps(stage)
    def command(**options: Any) -> None:
        text, experiment = options.pop("config_json"), options.pop("experiment")
        model, sets, log_file = options.pop("model_config"), options.pop("sets"), options.pop("log_file")
        _check_places(stage.__name__, options | {"log_file": log_file})
        _log_to(log_file)
        if text:
            values = _parse(text)
        else:
            overrides = configuration.parse_overrides(sets)
            experiment = experiment or configuration.default_experiment()
            resolved = configuration.resolve(experiment, model=model or None, overrides=overrides)
            values = configuration.sections(resolved, names)
        stage(config=configuration.partial(values), **options)

    signature = inspect.signature(stage, eval_str=True)
    keep = [p for name, p in signature.parameters.items() if name != "config"]
    keyword = inspect.Parameter.KEYWORD_ONLY
    added = [
        inspect.Parameter("config_json", keyword, default="", annotation=ConfigJson),
        inspect.Parameter("experiment", keyword, default="", annotation=Experiment),
        inspect.Parameter("model_config", keyword, default="", annotation=ModelName),
        inspect.Parameter("sets", keyword, default=[], annotation=Sets),
        inspect.Parameter("log_file", keyword, default=None, annotation=LogFile),
    ]
    parameters = [*keep, *added]
    command.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    command.__annotations__ = {p.name: p.annotation for p in parameters} | {"return": None}
    del command.__wrapped__  # type: ignore[attr-defined]
    return command


def _check_places(verb: str, options: dict[str, Any]) -> None:
    """Refuse where a stage could not write, before it works for minutes."""
    for option, folder in _PLACES.items():
        if options.get(option) is not None and (verb, option) != ("predict", "output"):  # which --json tells too
            check_place(options[option], folder=folder and verb not in _FILES)


def _parse(text: str) -> dict[str, Any]:
    try:
        values = json.loads(text)
    except (json.JSONDecodeError, RecursionError) as error:
        raise ConfigError(f"--config: expected JSON, got {text[:40]!r}: {error}") from None
    if not isinstance(values, dict):
        raise ConfigError(f"--config: expected a JSON object of sections, got {text[:40]!r}")
    return values


def _log_to(path: Path | None) -> None:
    """To `path`, else to standard error. Of several processes the others say to standard error what is amiss."""
    logging.captureWarnings(True)
    handlers: list[logging.Handler] = [logging.StreamHandler()]
    first = launched().first
    if path is not None and first:
        path.parent.mkdir(parents=True, exist_ok=True)
        handlers = [logging.FileHandler(path, mode="w", encoding="utf-8")]
    logging.basicConfig(
        level=logging.WARNING, format="%(asctime)s %(levelname)s %(message)s", handlers=handlers, force=True
    )
    log.setLevel(logging.INFO if first else logging.WARNING)  # our own; what libraries tell at INFO is for nobody


def register(verb: str) -> None:
    """Add a verb to the command line; its module is loaded."""
    module = importlib.import_module(f"siil.stages.{verb}")
    stage = getattr(module, verb)
    if "config" in inspect.signature(stage).parameters:
        stage = _command(stage, BY_NAME[verb].sections if verb in BY_NAME else module.SECTIONS)
    app.command(verb)(stage)


def main() -> None:
    """Run the command line. Exit codes: 0 done, 2 an error that the user can mend, 1 a bug (with its traceback)."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # whatever a terminal cannot write costs no answer
    asked = sys.argv[1] if len(sys.argv) > 1 else ""
    if asked == "evaluate" and any(word.partition("=")[0] == "--pred" for word in sys.argv):
        asked = sys.argv[1] = "score"  # whole folders of label maps instead of one case of the pipeline
    for verb in [asked] if asked in VERBS + OWN_VERBS else VERBS + OWN_VERBS:  # one stage starts faster than all
        register(verb)
    try:
        app()
    except BrokenPipeError:
        sys.exit(1)
    except Exception as error:
        line = message(error)
        if line is not None:
            _refuse(line)
        if _logs_to_file():
            log.exception("a bug, not a mistake of yours")
        raise


def _refuse(line: str) -> None:
    if _logs_to_file():
        log.error("ERROR: %s", line)
    print(f"ERROR: {line}", file=sys.stderr)
    sys.exit(2)


def _logs_to_file() -> bool:
    return any(isinstance(handler, logging.FileHandler) for handler in logging.getLogger().handlers)
