"""The files and folders of one's own that a configuration names: are they there? Asked before anything is made."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from siil.config.configuration import Config
from siil.config.schema.dataset import CustomSource
from siil.errors import ConfigError


def check_places(configs: Iterable[Config], root: Path = Path()) -> None:
    """Raise ConfigError, one line for all of them, where a configuration names what is not there.

    configs: of the runs of an experiment. root: the folder that relative paths start from.
    """
    named = dict.fromkeys(pair for config in configs for pair in _named(config))
    missing = [f"{key}: {path} is not there" for key, path in named if not (root / path).exists()]
    if missing:
        raise ConfigError(f"{'; '.join(missing)}; put it there, or name another place")


def _named(config: Config) -> Iterator[tuple[str, str]]:
    """(key, path) of everything that only the user can put in its place."""
    for name, source in config.dataset.sources.items():
        if isinstance(source, CustomSource):
            yield f"dataset.sources.{name}.path", source.path
    named = {
        "adapt.scans": config.adapt.scans,
        "adapt.levels": config.adapt.scans and config.adapt.levels,
        "train.init_weights": config.train.init_weights,
        "refine.init_weights": config.refine.enabled and config.refine.init_weights,
        "refine.first": config.refine.enabled and config.refine.first,
    }
    yield from ((key, path) for key, path in named.items() if path)
