"""YAML with tricks in it is refused in one line, at once."""

from __future__ import annotations

import time

import pytest
import yaml

from siil.config import layers, values, yaml_text
from siil.errors import ConfigError

BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{two}: &{two} [{', '.join([f'*{one}'] * 9)}]\n" for one, two in zip("abcdefgh", "bcdefghi", strict=True)
)
TRICKS = {
    "aliases": BOMB,
    "recursion": "a: &a {b: *a}",
    "nesting": "[" * 100_000,
    "python": "a: !!python/object/apply:os.system [touch /tmp/x]",
    "a date that is none": "a: 2001-99-99",
    "a broken file": "a: [1, 2",
    "control characters": "a: \x00",
}


@pytest.mark.parametrize("name", TRICKS)
def test_a_trick_in_a_file_or_a_value_is_refused_in_one_line(tmp_path, name):
    begin = time.monotonic()
    path = tmp_path / "a.yaml"
    path.write_text(TRICKS[name], encoding="utf-8")
    with pytest.raises(ConfigError, match=r"a\.yaml: cannot be read as YAML") as caught:
        layers.read(path)
    assert "\n" not in str(caught.value)
    with pytest.raises(ConfigError, match="the value is no YAML"):
        values.parse_overrides([f"train.epochs={TRICKS[name]}"])
    assert time.monotonic() - begin < 10


def test_plain_values_are_what_yaml_says():
    assert yaml_text.parse("a: [1, 2.5, NA, true]\nb: {c: x}") == yaml.safe_load("a: [1, 2.5, NA, true]\nb: {c: x}")
