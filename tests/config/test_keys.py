"""The generated reference of the configuration is in step, and describes every shipped layer."""

from __future__ import annotations

import jsonschema
import pytest
import yaml

from siil.config import CONFIG_DIR, keys, known_keys

LAYERS = [CONFIG_DIR / "config.yaml", *sorted(CONFIG_DIR.glob("*/*.yaml"))]


def test_readme_and_schema_are_in_step_with_the_code():
    assert [path.name for path in keys.stale()] == [], "run `make schema`"


@pytest.mark.parametrize("path", LAYERS, ids=lambda path: path.stem)
def test_every_shipped_layer_fits_the_schema(path):
    jsonschema.validate(yaml.safe_load(path.read_text(encoding="utf-8")) or {}, keys.schema())


def test_the_schema_refuses_unknown_keys_and_wrong_types():
    for wrong in ({"tarin": {}}, {"train": {"epochs": "many"}}, {"dataset": {"title": "x"}}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(wrong, keys.schema())


def test_every_key_has_a_row_and_a_meaning():
    table = keys.table()
    for key, field in known_keys().items():
        assert f"`{key}`" in table
        assert field.description or key.count(".") == 0 or f"**`{key}`**" in table, f"{key} has no description"
