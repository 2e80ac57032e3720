"""The generated reference of the configuration is in step, and describes every shipped layer."""

from __future__ import annotations

import re

import jsonschema
import pytest
import yaml

from siil.config import CONFIG_DIR, keys, known_keys
from siil.errors import ConfigError

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


@pytest.mark.parametrize("path", LAYERS, ids=lambda path: str(path.relative_to(CONFIG_DIR)))
def test_every_file_of_the_configuration_is_named_by_a_page(path):
    folder = CONFIG_DIR.parent
    pages = [folder / "README.md", CONFIG_DIR / "README.md", *sorted((folder / "docs").glob("*.md"))]
    text = "\n".join(page.read_text(encoding="utf-8") for page in pages)
    assert re.search(rf"\b{path.stem}\b", text), f"no page names {path}"
    if path.parent != CONFIG_DIR:
        assert f"| `{path.stem}` |" in keys.files_table().partition(f"| **{path.parent.name}/** |")[2]


def test_nothing_but_layers_and_their_page_lies_in_the_folder_of_the_configuration():
    files = {path for path in CONFIG_DIR.rglob("*") if path.is_file()}
    assert files == {CONFIG_DIR / "README.md", *LAYERS}
    assert {path.name for path in CONFIG_DIR.iterdir() if path.is_dir()} == set(keys.FOLDERS)


def test_a_file_is_described_by_the_first_sentence_of_its_first_comment(tmp_path):
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "two.yaml").write_text(
        "# Two lines | of\n# one. And more.\na: 1\n# other\n", encoding="utf-8"
    )
    (tmp_path / "models" / "one.yaml").write_text("model: {gru: false} # no GRU\n", encoding="utf-8")
    rows = keys.files_table(tmp_path).splitlines()
    assert rows[-2:] == ["| `one` | no GRU |", "| `two` | Two lines \\| of one |"]
    (tmp_path / "models" / "one.yaml").write_text("model: {gru: false}\n# no GRU\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"one\.yaml: expected a comment in its first line"):
        keys.files_table(tmp_path)


def test_every_key_has_a_row_and_a_meaning():
    table = keys.table()
    for key, field in known_keys().items():
        assert f"`{key}`" in table
        assert field.description or key.count(".") == 0 or f"**`{key}`**" in table, f"{key} has no description"
