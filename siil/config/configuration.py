"""The configuration of one run as one typed, frozen value, and what it says when a key or a value is wrong.

Its sections are the classes of siil/config/schema, one module each; `known_keys` is what the reference of every key
and the messages are made from.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field, StringConstraints, ValidationError

from siil.config.schema.base import Section
from siil.config.schema.dataset import Dataset
from siil.config.schema.inference import Inference
from siil.config.schema.model import Loss, Model, Patch
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
    inference: Inference
    evaluate: Evaluate
    report: Report


def validate(values: Mapping[str, Any], *, where: str) -> Config:
    """`values` as a Config. Raises ConfigError with one line for the first problem."""
    try:
        return Config.model_validate(values)
    except ValidationError as error:
        raise ConfigError(f"{where}: {_explain(error, values)}") from None


def _explain(error: ValidationError, values: Mapping[str, Any]) -> str:
    first = error.errors()[0]
    place = [str(part) for part in first["loc"] if part not in ("phantom", "verse", "ctspine1k", "custom")]
    key = ".".join(place)
    if first["type"] == "extra_forbidden":
        close = difflib.get_close_matches(key, list(known_keys()), n=1, cutoff=0.5)
        return f"unknown key {key}" + (f"; did you mean {close[0]}?" if close else "")
    if first["type"] == "missing":
        return f"key {key} is missing"
    return f"{key}: {first['msg']}, got {first['input']!r}"


def known_keys(section: type[Section] = Config, prefix: str = "") -> dict[str, Any]:
    """Every dotted key -> its pydantic FieldInfo, in order (what config/README.md and the messages are made from)."""
    keys: dict[str, Any] = {}
    for name, field in section.model_fields.items():
        keys[prefix + name] = field
        annotation = field.annotation
        if isinstance(annotation, type) and issubclass(annotation, Section):
            keys |= known_keys(annotation, f"{prefix}{name}.")
    return keys


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
