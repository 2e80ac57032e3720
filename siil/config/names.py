"""The names of the configuration: every dotted key with its field, and the nearest to one that nobody knows.

A source's keys depend on its kind, so they stand here as `dataset.sources.<verse>.edition`; `key_of` leads from the
name that a file uses to that one, and from a key below `per_model` to the key that it changes.
"""

from __future__ import annotations

import difflib
import types
import typing
from collections.abc import Iterable, Mapping

from pydantic.fields import FieldInfo

from siil.config.schema.base import Section
from siil.config.schema.dataset import Source

SOURCES: Mapping[str, type[Section]] = {
    typing.get_args(source.model_fields["kind"].annotation)[0]: source
    for source in typing.get_args(typing.get_args(Source)[0])
}
"""Kind of a source -> its section."""


def keys_of(section: type[Section], prefix: str = "") -> dict[str, FieldInfo]:
    """Every dotted key below `section` -> its field, in the order of the schema; a section stands before its keys."""
    keys: dict[str, FieldInfo] = {}
    for name, field in section.model_fields.items():
        key = prefix + name
        keys[key] = field
        inner = section_of(field)
        if inner is not None:
            keys |= keys_of(inner, f"{key}.")
        if key == "dataset.sources":
            for kind, source in SOURCES.items():
                keys |= keys_of(source, f"{key}.<{kind}>.")
    return keys


def section_of(field: FieldInfo) -> type[Section] | None:
    """The section that a field holds, also where it may be null; None for a field that holds a value."""
    union = typing.get_origin(field.annotation) in (types.UnionType, typing.Union)
    for kind in typing.get_args(field.annotation) if union else (field.annotation,):
        if isinstance(kind, type) and issubclass(kind, Section):
            return kind
    return None


def key_of(name: str, keys: Iterable[str]) -> str | None:
    """The one of `keys` that a dotted name of a file means; None where there is none.

    `dataset.sources.verse19.edition` means `dataset.sources.<verse>.edition`, `per_model.unet.train.epochs` means
    `train.epochs`.
    """
    return next((key for key in _meanings(name) if key in keys), None)


def _meanings(name: str) -> list[str]:
    parts = name.split(".")
    if parts[:2] == ["dataset", "sources"] and len(parts) > 3:
        return [".".join([*parts[:2], f"<{kind}>", *parts[3:]]) for kind in SOURCES]
    if parts[0] == "per_model" and len(parts) > 2:
        return _meanings(".".join(parts[2:]))
    return [name]


def nearest_key(name: str, keys: Iterable[str]) -> str | None:
    """The key that an unknown dotted name was meant to be: one beside it, one with its last word, or one like it."""
    keys = list(keys)
    parent, _, last = name.rpartition(".")
    for meaning in _meanings(name):
        above = meaning.rpartition(".")[0]
        siblings = [key.rpartition(".")[2] for key in keys if key.rpartition(".")[0] == above]
        close = nearest(last, siblings)
        if close is not None:
            return f"{parent}.{close}" if parent else close
    elsewhere = [key for key in keys if key.rpartition(".")[2] == last]
    return elsewhere[0] if elsewhere else nearest(name, keys)


def nearest(word: object, known: Iterable[str]) -> str | None:
    """The one of `known` that is most like `word`; None where nothing is."""
    return next(iter(difflib.get_close_matches(str(word), list(known), n=1)), None)


def hint(close: str | None) -> str:
    """The end of a message that names the nearest."""
    return f"; did you mean {close}?" if close else ""
