"""The files of the configuration: what an experiment extends, and one layer over another.

Values are plain here; `siil.config` lays the layers and validates what comes of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from siil.config import yaml_text
from siil.config.names import hint, nearest
from siil.errors import ConfigError

CONFIG_DIR = Path(__file__).resolve().parents[2] / "config"


class Layer(NamedTuple):
    """Values, and where they come from: a file below config/, or the command line."""

    source: str
    values: Mapping[str, Any]


def default_experiment(root: Path = CONFIG_DIR) -> str:
    """The experiment that root/config.yaml names: what runs when nobody asks for another."""
    return str(read(root / "config.yaml").get("experiment", "demo"))


def lineage(experiment: str, folder: Path = CONFIG_DIR / "experiments") -> list[str]:
    """`experiment` after the experiments that it extends, directly or not: the order in which their files are laid.

    Raises ConfigError for an unknown experiment, and for one that extends itself.
    """
    names = [experiment]
    while (following := load(folder, names[0]).get("extends")) is not None:
        if following in names:
            raise ConfigError(f"experiments/{experiment}.yaml: extends itself by way of {', '.join(reversed(names))}")
        if not (folder / f"{following}.yaml").is_file():
            close = nearest(following, (path.stem for path in folder.glob("*.yaml")))
            raise ConfigError(
                f"experiments/{names[0]}.yaml: extends {following!r}, which is no other experiment{hint(close)}"
            )
        names.insert(0, following)
    return names


def experiment_layers(folder: Path, experiment: str) -> list[Layer]:
    """An experiment after those that it extends, each a layer of its own."""
    return [Layer(f"{folder.name}/{name}.yaml", _keys(load(folder, name))) for name in lineage(experiment, folder)]


def _keys(values: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if key != "extends"}


def load(folder: Path, name: str) -> dict[str, Any]:
    """The file of this name in `folder`. Raises ConfigError, with the nearest name, when there is none."""
    path = folder / f"{name}.yaml"
    if not path.is_file():
        known = sorted(p.stem for p in folder.glob("*.yaml"))
        raise ConfigError(
            f"no {folder.name}/{name}.yaml in {folder.parent}; there are {', '.join(known)}{hint(nearest(name, known))}"
        )
    return read(path)


def read(path: Path) -> dict[str, Any]:
    """The mapping in a YAML file; empty for an empty one. Raises ConfigError for anything else."""
    try:
        values = yaml_text.parse(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError(f"{path}: cannot be read as YAML: {' '.join(str(error).split())}") from None
    if values is None:
        return {}
    if not isinstance(values, dict):
        raise ConfigError(f"{path}: expected a mapping of keys, got {type(values).__name__}")
    return values


def stack(layers: Iterable[Layer]) -> dict[str, Any]:
    """Each layer laid on those before it."""
    merged: dict[str, Any] = {}
    for layer in layers:
        merged = merge(merged, layer.values)
    return merged


def said(layers: Iterable[Layer], key: str) -> list[tuple[str, Any]]:
    """Every layer that sets the dotted `key`, as (source, value); the last one is what counts."""
    found: list[tuple[str, Any]] = []
    for source, values in layers:
        value: Any = values
        for part in key.split("."):
            if not isinstance(value, Mapping) or part not in value:
                break
            value = value[part]
        else:
            found.append((source, value))
    return found


_BY_SOURCE = ("sources", "shares")


def merge(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """`over` laid on `base`, key by key; what is keyed by sources is replaced as a whole."""
    merged = dict(base)
    for key, value in over.items():
        old = merged.get(key)
        nested = isinstance(old, Mapping) and isinstance(value, Mapping) and key not in _BY_SOURCE
        merged[key] = merge(old, value) if nested else value  # type: ignore[arg-type]
    return merged
