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
from siil.config.layers import CONFIG_DIR, Layer, experiment_layers, load, read, said, stack
from siil.config.sizes import check_sizes
from siil.errors import ConfigError

BY_HAND = "command line"
"""Where values come from that stand after --set, or after --config of snakemake."""


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
    laid = lay(experiment, model=model, overrides=overrides, root=root)
    config = validate(stack(laid), where=lambda key: _where(laid, key, experiment))
    _check_lists(config)
    if model is not None:
        check_sizes(config.model, config.patch.size_vox)
    for other in {**dict.fromkeys(config.models), **config.per_model} if model is None else ():
        resolve(experiment, model=other, overrides=overrides, root=root)
    repeat = split_run(model)[1] if model is not None else 0
    return _repeated(config, repeat) if repeat else config


def lay(
    experiment: str, *, model: str | None = None, overrides: Mapping[str, Any] | None = None, root: Path = CONFIG_DIR
) -> list[Layer]:
    """The layers of which `resolve` makes a configuration (the same arguments), lowest first. Nothing is validated.

    Raises ConfigError for an unknown file, an experiment set as a value, and a dataset that is no name.
    """
    experiments = experiment_layers(root / "experiments", experiment)
    given = dict(overrides or {})
    asked = given.pop("experiment", experiment)
    if asked != experiment:
        raise ConfigError(f"experiment={asked}: an experiment is chosen by --experiment, not set as a value")
    dataset = given.pop("dataset", stack(experiments).get("dataset"))
    if isinstance(dataset, Mapping):
        by = BY_HAND if "dataset" in (overrides or {}) else f"experiments/{experiment}.yaml"
        raise ConfigError(
            f"{by}: dataset must be the name of a file in config/datasets; an experiment changes nothing in a dataset "
            "(another spacing or count is another dataset)"
        )
    base = read(root / "config.yaml")
    laid = [Layer("config.yaml", base)]
    if dataset is not None:
        laid.append(Layer(f"datasets/{dataset}.yaml", load(root / "datasets", str(dataset))))
    laid += [Layer(source, {key: values[key] for key in values if key != "dataset"}) for source, values in experiments]
    by_hand = Layer(BY_HAND, given)
    if model is not None:
        name = split_run(model)[0]
        own_keys = [_of_model(layer, name) for layer in (*laid, by_hand)]
        laid += [Layer(f"models/{name}.yaml", load(root / "models", name)), *(one for one in own_keys if one.values)]
    asked_by = "config.yaml" if base.get("experiment") == experiment else "--experiment"
    return [*laid, by_hand, Layer(asked_by, {"experiment": experiment})]


def _of_model(layer: Layer, model: str) -> Layer:
    """What a layer says for one model alone, under `per_model`."""
    everyone = layer.values.get("per_model")
    own = everyone.get(model) if isinstance(everyone, Mapping) else None
    return Layer(f"{layer.source}: per_model.{model}", own if isinstance(own, Mapping) else {})


def _where(laid: list[Layer], key: str, experiment: str) -> str:
    """The layer that says what is wrong; of a key that nobody sets, the experiment."""
    sources = [source for source, _ in said(laid, key)]
    return sources[-1] if sources else f"experiment {experiment}"


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
