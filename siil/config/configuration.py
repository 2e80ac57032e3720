"""The configuration of one run as one typed, frozen value, and what it says when a key or a value is wrong.

Its sections are the classes of siil/config/schema, one module each.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Annotated, Any

from pydantic import Field, StringConstraints, ValidationError
from pydantic.fields import FieldInfo

from siil.config.names import hint, keys_of, nearest, nearest_key
from siil.config.schema.adapt import Adapt
from siil.config.schema.base import Section
from siil.config.schema.dataset import Dataset
from siil.config.schema.inference import Inference
from siil.config.schema.model import Loss, Model, Patch
from siil.config.schema.refine import Refine
from siil.config.schema.report import Evaluate, Report
from siil.config.schema.training import Train
from siil.errors import ConfigError

ModelName = Annotated[str, StringConstraints(pattern="^[^@]+$")]
"""No @, which stands before the number of a repeat."""


class Config(Section):
    """The whole configuration of one run."""

    experiment: str = Field(pattern=r"^[a-z0-9_]+$", description="folder under results/")
    description: str = Field(description="one sentence for the report")
    models: tuple[ModelName, ...] = Field(min_length=1, description="names of config/models/*.yaml to train and test")
    repeats: int = Field(ge=1, description="trainings of each model on each fold: seeds train.seed, train.seed + 1, …")
    folds: tuple[int, ...] = Field(min_length=1, description="folds to run, out of dataset.split.folds")
    per_model: dict[str, dict[str, Any]] = Field(description="model -> keys that differ for it in this experiment")
    dataset: Dataset
    patch: Patch
    model: Model
    loss: Loss
    train: Train
    refine: Refine
    adapt: Adapt
    inference: Inference
    evaluate: Evaluate
    report: Report


def validate(values: Mapping[str, Any], *, where: str | Callable[[str], str]) -> Config:
    """`values` as a Config. Raises ConfigError with one line for the first problem.

    `where` stands before the problem: words, or what says them of the key that is wrong.
    """
    try:
        return Config.model_validate(values)
    except ValidationError as error:
        key, problem = _explain(error)
        raise ConfigError(f"{where if isinstance(where, str) else where(key)}: {problem}") from None


def known_keys() -> dict[str, FieldInfo]:
    """Every dotted key -> its field, in order (what config/README.md and the messages are made from)."""
    return keys_of(Config)


def _explain(error: ValidationError) -> tuple[str, str]:
    """The key of the first problem, and what is wrong there; a misspelt key before the one that it leaves missing."""
    problems = error.errors()
    first = next((problem for problem in problems if problem["type"] == "extra_forbidden"), problems[0])
    place = [str(part) for part in first["loc"] if part != "[key]"]
    if place[:2] == ["dataset", "sources"]:
        del place[3:4]  # the kind, which pydantic puts after the name
    key, given, allowed = ".".join(place), first["input"], first.get("ctx", {})
    if first["type"] == "extra_forbidden":
        return key, f"unknown key {key}" + hint(nearest_key(key, [*known_keys(), "extends"]))
    if first["type"] == "missing":
        return key, f"key {key} is missing"
    if first["type"] == "union_tag_invalid":
        given, key = allowed["tag"], f"{key}.kind"
    expected = re.findall(r"'(\w+)'", str(allowed.get("expected", "") or allowed.get("expected_tags", "")))
    return key, f"{key}: {first['msg']}, got {given!r}" + hint(nearest(given, expected))


def runs(config: Config) -> tuple[str, ...]:
    """The trainings on each fold: every model, then every model as `{model}@1`, and so on up to `repeats`."""
    return tuple(run_name(model, repeat) for repeat in range(config.repeats) for model in config.models)


def run_name(model: str, repeat: int) -> str:
    """The folder of a training: `siil` for repeat 0, `siil@2` for repeat 2."""
    return f"{model}@{repeat}" if repeat else model


def split_run(run: str) -> tuple[str, int]:
    """The model and the repeat of a run: the inverse of `run_name`. Raises ConfigError for another form."""
    model, at, number = str(run).partition("@")
    repeat = int(number) if number.isdecimal() else 0
    if at and (not model or run_name(model, repeat) != run):
        raise ConfigError(f"model {run}: expected a name, or name@1, name@2, … for a repeat")
    return model, repeat
