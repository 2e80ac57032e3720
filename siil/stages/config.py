"""`siil config`: which values a run would use, and which file says so. No step of the pipeline: it writes nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Annotated, Any

import typer
import yaml

from siil import config as configuration
from siil.config import Config, origins
from siil.config.layers import Layer, said
from siil.run.pipeline import STAGES

_WIDE = 30
"""Characters; longer values push their source to the right."""


def config(
    *,
    key: Annotated[str, typer.Argument(metavar="KEY", help="only this key or section: train, train.epochs")] = "",
    experiment: Annotated[str, typer.Option(help="default: the one that config.yaml names")] = "",
    model: Annotated[str, typer.Option("--model-config", "--model", help="as this model or run has it: siil@1")] = "",
    sets: Annotated[list[str] | None, typer.Option("--set", help="KEY=VALUE over the files, repeatable")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="the values alone, as JSON")] = False,
    as_yaml: Annotated[bool, typer.Option("--yaml", help="the values alone, as YAML")] = False,
) -> None:
    """Show the configuration that a run would use: every key, its value, and where the value comes from.

    Of a single key (`siil config train.epochs`) also what it means, its unit, its default and the steps that read it.
    An experiment of one model is shown as that model has it, one of several as they have it in common.
    """
    name, overrides = experiment or configuration.default_experiment(), configuration.parse_overrides(sets or [])
    resolved, laid = origins.explain(name, model=model or None, overrides=overrides)
    if not model and len(resolved.models) == 1:
        model = resolved.models[0]
        resolved, laid = origins.explain(name, model=model, overrides=overrides)
    plain = configuration.sections(resolved, Config.model_fields)
    values = {name: plain[name] for name in Config.model_fields}
    values = origins.below(values, key) if key else values
    found = dict(origins.leaves(values))
    if as_json:
        typer.echo(json.dumps(values, indent=2))
    elif as_yaml:
        typer.echo(yaml.safe_dump(values, sort_keys=False, allow_unicode=True).rstrip())
    elif list(found) == [key]:
        typer.echo("\n".join(_key(key, found[key], laid)))
    else:
        of = f"model {model}" if model else "what its models have in common; --model NAME shows one"
        typer.echo("\n".join([f"experiment {name}, {of}", *_table(found, laid)]))


def _table(found: Mapping[str, Any], laid: list[Layer]) -> Iterator[str]:
    """A line per key: its name, its value, its source."""
    shown = {key: _shown(value) for key, value in found.items()}
    name_width, value_width = max(map(len, shown)), min(_WIDE, max(map(len, shown.values())))
    for key, value in shown.items():
        yield f"{key:{name_width}}  {value:{value_width}}  {origins.source(laid, key)}"


def _key(key: str, value: Any, laid: list[Layer]) -> Iterator[str]:
    """Everything about one key, a line each."""
    base = origins.default(laid, key)
    below = [f"{_shown(low)} ({source})" for source, low in said(laid, key)[:-1] if source != "config.yaml"]
    readers = [stage.name for stage in STAGES if any(_within(key, section) for section in stage.sections)]
    rows = origins.about(key) | {
        "default": f"{_shown(base[0])} ({base[1]})" if base else "none: every dataset says its own",
        "overruled": ", ".join(below),
        "value": _shown(value),
        "source": origins.source(laid, key),
        "read by": ", ".join(readers),
    }
    yield key
    for name, text in rows.items():
        if text:
            yield f"  {name:9}  {text}"


def _within(key: str, section: str) -> bool:
    return f"{key}.".startswith(f"{section}.")


def _shown(value: Any) -> str:
    """A value as one would write it after `--set KEY=`."""
    value = list(value) if isinstance(value, tuple) else value
    dumped = yaml.safe_dump(value, default_flow_style=True, sort_keys=False, allow_unicode=True, width=10**6)
    return dumped.removesuffix("\n").removesuffix("\n...")
