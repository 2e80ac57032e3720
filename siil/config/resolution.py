"""From an experiment's name to its configuration: the layers, which wins over which, and what must fit together.

Layers, later ones win: config/config.yaml (every key) < config/datasets/{dataset}.yaml < config/experiments/
{experiment}.yaml (after the one that it `extends`, if any) < config/models/{model}.yaml < `per_model` of the experiment
< overrides of the command line. A stage receives only the sections that it declares in `siil.run.pipeline.STAGES`, so
a changed value reruns exactly the stages that use it.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from siil.config.configuration import Config, split_run, validate
from siil.config.layers import CONFIG_DIR, load, overlay, read, stack
from siil.config.sizes import check_sizes
from siil.errors import ConfigError


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


def _repeated(config: Config, repeat: int) -> Config:
    """`config` with the seed of a repeat of its trainings."""
    if repeat >= config.repeats:
        raise ConfigError(f"repeat {repeat} does not exist; there are 0 to {config.repeats - 1}, set repeats for more")
    train = config.train.model_copy(update={"seed": config.train.seed + repeat})
    return config.model_copy(update={"train": train})


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
