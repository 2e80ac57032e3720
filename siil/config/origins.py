"""Where each value of a configuration comes from, and what a key is: `siil config` prints it.

Values are plain and nested here, as `siil.config.sections` gives them; a key is their dotted name.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic_core import PydanticUndefined

from siil.config.configuration import Config, known_keys, split_run
from siil.config.keys import meaning, type_of
from siil.config.layers import CONFIG_DIR, Layer, said
from siil.config.names import hint, key_of, nearest_key
from siil.config.resolution import lay, resolve
from siil.errors import ConfigError

UNITS: Mapping[str, str] = {"mm": "mm", "mm3": "mm3", "hu": "HU", "vox": "voxels", "deg": "degrees"}
"""End of a key's name -> its unit."""
SCHEMA = "siil/config/schema"
"""Where a value comes from that no file sets."""


def explain(
    experiment: str, *, model: str | None = None, overrides: Mapping[str, Any] | None = None, root: Path = CONFIG_DIR
) -> tuple[Config, list[Layer]]:
    """The configuration that `resolve` makes of the same arguments, and the layers that it is made of, lowest first."""
    config = resolve(experiment, model=model, overrides=overrides, root=root)
    laid = lay(experiment, model=model, overrides=overrides, root=root)
    _, repeat = split_run(model) if model is not None else ("", 0)
    if repeat:
        laid.append(Layer(f"repeat {repeat}", {"train": {"seed": config.train.seed}}))
    return config, laid


def source(laid: Iterable[Layer], key: str) -> str:
    """Where the value of `key` comes from: the last layer that sets it, else the schema."""
    found = said(laid, key)
    return found[-1][0] if found else SCHEMA


def below(values: Mapping[str, Any], key: str) -> dict[str, Any]:
    """`values` with only what is at `key` or below it. Raises ConfigError, naming the nearest, where nothing is."""
    found: Any = values
    for part in key.split("."):
        if not isinstance(found, Mapping) or part not in found:
            known = [*sections_and_keys(values), *known_keys()]
            raise ConfigError(f"no key {key} in this configuration{hint(nearest_key(key, known))}")
        found = found[part]
    for part in reversed(key.split(".")):
        found = {part: found}
    return dict(found)


def leaves(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Key and value of everything that holds no further keys."""
    for name, value in values.items():
        if isinstance(value, Mapping) and value:
            yield from leaves(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def sections_and_keys(values: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    """Every dotted name in `values`, those that hold further keys too."""
    for name, value in values.items():
        yield f"{prefix}{name}"
        if isinstance(value, Mapping):
            yield from sections_and_keys(value, f"{prefix}{name}.")


def about(key: str) -> dict[str, str]:
    """What the schema says of a key: meaning, type, and unit where its name has one. Of a free name, its mapping's."""
    known = known_keys()
    field = known.get(key_of(key, known) or key_of(key.rpartition(".")[0], known) or "")
    if field is None:
        return {}
    unit = UNITS.get(key.rpartition("_")[2])
    return {"meaning": meaning(field), "type": type_of(field)} | ({"unit": unit} if unit else {})


def default(laid: list[Layer], key: str) -> tuple[Any, str] | None:
    """The value of `key` where no file but config.yaml speaks, and its source; None where each file must say it."""
    base = said(laid[:1], key)
    if base:
        return base[0][1], base[0][0]
    known = known_keys()
    field = known.get(key_of(key, known) or "")
    if field is None or field.default is PydanticUndefined:
        return None
    return field.default, SCHEMA
