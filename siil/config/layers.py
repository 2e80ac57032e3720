"""The files of the configuration: what an experiment extends, and one layer over another.

Values are plain here; `siil.config` lays the layers and validates what comes of them.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

from siil.config import yaml_text
from siil.errors import ConfigError

CONFIG_DIR = Path(__file__).resolve().parents[2] / "config"


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
            raise ConfigError(f"experiments/{names[0]}.yaml: extends {following!r}, which is no other experiment")
        names.insert(0, following)
    return names


def overlay(folder: Path, experiment: str) -> dict[str, Any]:
    """The keys of an experiment, over those that it extends."""
    merged = stack(load(folder, name) for name in lineage(experiment, folder))
    merged.pop("extends", None)
    return merged


def load(folder: Path, name: str) -> dict[str, Any]:
    """The file of this name in `folder`. Raises ConfigError, with the nearest name, when there is none."""
    path = folder / f"{name}.yaml"
    if not path.is_file():
        known = sorted(p.stem for p in folder.glob("*.yaml"))
        close = difflib.get_close_matches(str(name), known, n=1)
        hint = f"; did you mean {close[0]}?" if close else ""
        raise ConfigError(f"no {folder.name}/{name}.yaml in {folder.parent}; there are {', '.join(known)}{hint}")
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


def stack(layers: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Each layer laid on those before it."""
    merged: dict[str, Any] = {}
    for layer in layers:
        merged = merge(merged, layer)
    return merged


def merge(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """`over` laid on `base`, key by key; `sources` are replaced as a whole."""
    merged = dict(base)
    for key, value in over.items():
        old = merged.get(key)
        nested = isinstance(old, Mapping) and isinstance(value, Mapping) and key != "sources"
        merged[key] = merge(old, value) if nested else value  # type: ignore[arg-type]
    return merged
