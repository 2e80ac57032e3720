"""The configuration as plain values: the sections that a stage sees, as its rule holds them, and `--set KEY=VALUE`."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

import yaml
from pydantic import TypeAdapter, ValidationError

from siil.config import yaml_text
from siil.config.configuration import Config
from siil.config.names import hint, nearest
from siil.config.schema.base import Section
from siil.errors import ConfigError


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
            raise ConfigError(f"{where}: unknown key {key}{hint(nearest(key, section.model_fields))}")
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
            target[last] = yaml_text.parse(text)
        except (yaml.YAMLError, ValueError) as error:
            raise ConfigError(f"--set {pair}: the value is no YAML: {' '.join(str(error).split())}") from None
    return nested
