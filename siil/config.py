"""The configuration: typed, frozen, resolved from layers; unknown keys are an error that names the nearest key.

Layers, later ones win: config/config.yaml (every key) < config/datasets/{dataset}.yaml < config/experiments/
{experiment}.yaml (after the one that it `extends`, if any) < config/models/{model}.yaml < `per_model` of the experiment
< overrides of the command line. A stage receives only the sections that it declares in `siil.pipeline.STAGES`, so a
changed value reruns exactly the stages that use it.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import Field, StringConstraints, TypeAdapter, ValidationError

from siil.errors import ConfigError
from siil.layers import CONFIG_DIR, load, overlay, read, stack
from siil.schema.base import Section
from siil.schema.dataset import Dataset
from siil.schema.inference import Inference
from siil.schema.model import Loss, Model, Patch
from siil.schema.report import Evaluate, Report
from siil.schema.training import Train
from siil.sizes import check_sizes

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


def resolve(
    experiment: str, *, model: str | None = None, overrides: Mapping[str, Any] | None = None, root: Path = CONFIG_DIR
) -> Config:
    """The configuration of `experiment` (and of one of its models), validated.

    Args:
        experiment: name of root/experiments/*.yaml.
        model: name of root/models/*.yaml, or a run of it (`runs`: `siil@2` adds 2 to train.seed); None leaves the model
            section as config.yaml and the experiment have it, and resolves each of the experiment's models too, so that
            a wrong one is said now and not after hours.
        overrides: nested mapping that wins over every file.
        root: the config folder.

    Raises:
        ConfigError: unknown file, unknown key (the nearest is named), wrong type, fold or repeat that does not
            exist, sizes of a model that do not fit.
    """
    experiment_layer = overlay(root / "experiments", experiment)
    dataset = (overrides or {}).get("dataset", experiment_layer.pop("dataset", None))
    if isinstance(dataset, Mapping):
        raise ConfigError(
            f"experiments/{experiment}.yaml: dataset must be the name of a file in config/datasets; an experiment "
            "changes nothing in a dataset (another spacing or count is another dataset)"
        )
    rest = {key: value for key, value in (overrides or {}).items() if key != "dataset"}
    layers = [read(root / "config.yaml"), load(root / "datasets", str(dataset)), experiment_layer]
    name, repeat = split_run(model) if model is not None else ("", 0)
    if model is not None:
        layers.append(load(root / "models", name))
    merged = stack([*layers, rest])
    own = merged.get("per_model")
    if isinstance(own, Mapping) and isinstance(own.get(name), Mapping):
        merged = stack([*layers, own[name], rest])
    merged["experiment"] = experiment
    config = validate(merged, where=f"experiment {experiment}")
    _check_lists(config)
    if model is not None:
        check_sizes(config.model, config.patch.size_vox)
    for other in {**dict.fromkeys(config.models), **config.per_model} if model is None else ():
        resolve(experiment, model=other, overrides=overrides, root=root)
    return _repeated(config, repeat) if repeat else config


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


def _repeated(config: Config, repeat: int) -> Config:
    """`config` with the seed of a repeat of its trainings."""
    if repeat >= config.repeats:
        raise ConfigError(f"repeat {repeat} does not exist; there are 0 to {config.repeats - 1}, set repeats for more")
    train = config.train.model_copy(update={"seed": config.train.seed + repeat})
    return config.model_copy(update={"train": train})


def validate(values: Mapping[str, Any], *, where: str) -> Config:
    """`values` as a Config. Raises ConfigError with one line for the first problem."""
    try:
        return Config.model_validate(values)
    except ValidationError as error:
        raise ConfigError(f"{where}: {_explain(error, values)}") from None


def _check_lists(config: Config) -> None:
    values: tuple[Any, ...]
    for key, values in (("models", config.models), ("folds", config.folds)):
        twice = [value for value in values if values.count(value) > 1]
        if twice:
            raise ConfigError(f"{key}: {twice[0]} stands twice; its rows would count twice, keep one of them")
    count = config.dataset.split.folds
    for fold in config.folds:
        if not 0 <= fold < count:
            raise ConfigError(
                f"folds: fold {fold} does not exist; dataset {config.dataset.name} has folds 0 to {count - 1}"
            )


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


def sections(config: Config, names: Iterable[str]) -> dict[str, Any]:
    """The named (dotted) sections of `config` as plain values: what a stage sees, and its rule holds in `params`."""
    picked: dict[str, Any] = {}
    for name in sorted(names):
        value: Any = config
        for part in name.split("."):
            value = value[part] if isinstance(value, Mapping) else getattr(value, part)
        target = picked
        *path, last = name.split(".")
        for part in path:
            target = target.setdefault(part, {})
        target[last] = json.loads(value.model_dump_json()) if isinstance(value, Section) else _plain(value)
    return picked


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    return json.loads(value.model_dump_json()) if isinstance(value, Section) else value


def partial(values: Mapping[str, Any], section: type[Section] = Config, where: str = "--config") -> Any:
    """The inverse of `sections`: a `section` that holds only what `values` holds.

    Reading a field that was not given raises AttributeError, so that a stage cannot use what it does not declare.
    """
    fields: dict[str, Any] = {}
    for key, value in values.items():
        field = section.model_fields.get(key)
        if field is None:
            raise ConfigError(f"{where}: unknown key {key}")
        annotation = field.annotation
        is_section = isinstance(annotation, type) and issubclass(annotation, Section)
        if is_section and isinstance(value, Mapping) and set(value) != set(annotation.model_fields):  # type: ignore[union-attr]
            fields[key] = partial(value, annotation, f"{where}: {key}")  # type: ignore[arg-type]
        else:
            fields[key] = _field(section, key, value, where)
    made = section.model_construct(_fields_set=set(fields))
    for name in section.model_fields:
        made.__dict__.pop(name, None)
    made.__dict__.update(fields)
    return made


def _field(section: type[Section], key: str, value: Any, where: str) -> Any:
    annotation: Any = section.model_fields[key].annotation
    try:
        return TypeAdapter(annotation).validate_python(value)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join([key, *(str(part) for part in first["loc"])])
        raise ConfigError(f"{where}: {place}: {first['msg']}, got {first['input']!r}") from None


def parse_overrides(pairs: Iterable[str]) -> dict[str, Any]:
    """`["train.epochs=3"]` to `{"train": {"epochs": 3}}`; values are YAML. Raises ConfigError for another form."""
    nested: dict[str, Any] = {}
    for pair in pairs:
        key, equals, text = pair.partition("=")
        if not equals:
            raise ConfigError(f"--set {pair}: expected KEY=VALUE, for example --set train.epochs=3")
        target = nested
        *path, last = key.strip().split(".")
        for part in path:
            target = target.setdefault(part, {})
            if not isinstance(target, dict):
                raise ConfigError(f"--set {pair}: {part} was set to {target!r} before; give one of the two")
        if isinstance(target.get(last), dict):
            raise ConfigError(f"--set {pair}: {last} was set to {target[last]!r} before; give one of the two")
        try:
            target[last] = yaml.safe_load(text)
        except (yaml.YAMLError, ValueError) as error:
            raise ConfigError(f"--set {pair}: the value is no YAML: {' '.join(str(error).split())}") from None
    return nested
