"""The reference of the configuration, generated from the code: config/README.md's table and the JSON schema.

`python -m siil.config.keys` writes both, `--check` says whether they are in step (`make schema`, `make check`). The
schema describes a layer, not a whole configuration: no key is required, and `dataset` may be a name. Editors can use
it, and workflow catalogues expect it under workflow/schemas.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

import yaml
from pydantic.fields import FieldInfo

from siil.config import CONFIG_DIR, Config, known_keys
from siil.config.schema.base import Section
from siil.config.schema.dataset import Ctspine1kSource, CustomSource, PhantomSource, VerseSource
from siil.errors import ConfigError
from siil.run import files

README = CONFIG_DIR / "README.md"
SCHEMA = CONFIG_DIR.parent / "workflow" / "schemas" / "config.schema.json"
_SOURCES = (PhantomSource, VerseSource, Ctspine1kSource, CustomSource)
BEGIN, END = "<!-- keys: made by `make schema` -->", "<!-- end of keys -->"


def table(root: Path = CONFIG_DIR) -> str:
    """Markdown: a row per key with its type, its value in config.yaml (the paper's size) and its meaning."""
    values = yaml.safe_load((root / "config.yaml").read_text(encoding="utf-8"))
    rows = ["| key | type | config.yaml | meaning |", "|---|---|---|---|"]
    for key, field in known_keys().items():
        rows.append(_row(key, field, values))
        if key == "dataset.sources":
            for kind in _SOURCES:
                name = kind.model_fields["kind"].annotation
                prefix = f"dataset.sources.<{name.__args__[0]}>."  # type: ignore[union-attr]
                rows += [_row(key, field, values) for key, field in known_keys(kind, prefix).items()]
    return "\n".join(rows)


def _row(key: str, field: FieldInfo, values: dict[str, Any]) -> str:
    if isinstance(field.annotation, type) and issubclass(field.annotation, Section):
        summary = (field.annotation.__doc__ or "").strip().splitlines()[0]
        return f"| **`{key}`** | | | {_cell(summary)} |"
    return f"| `{key}` | {_cell(_type(field))} | {_value(values, key)} | {_cell(field.description or '')} |"


def _type(field: FieldInfo) -> str:
    annotation = field.annotation
    text = annotation.__name__ if isinstance(annotation, type) else str(annotation)
    text = text.replace("typing.", "").replace("Literal", "one of ")
    if text.startswith("dict[str, Annotated"):
        return "mapping of name to source"
    return re.sub(r"Annotated\[(\w+), .*\)\]", r"\1", text)  # without its constraints


def _value(values: dict[str, Any], key: str) -> str:
    found: Any = values
    for part in key.split("."):
        if not isinstance(found, dict) or part not in found:
            return ""
        found = found[part]
    return f"`{_cell(json.dumps(found))}`"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def schema() -> dict[str, Any]:
    """JSON schema (draft 2020-12) of a layer of the configuration."""
    made = Config.model_json_schema()
    for part in (made, *made["$defs"].values()):
        part.pop("required", None)
    made["properties"]["dataset"] = {"anyOf": [{"type": "string"}, {"$ref": "#/$defs/Dataset"}]}
    made["properties"]["extends"] = {"type": "string", "description": "the experiment that lies beneath this one"}
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **made, "title": "SIIL configuration layer"}


def pages() -> dict[Path, str]:
    """What the two files should hold."""
    text = README.read_text(encoding="utf-8")
    if text.count(BEGIN) != 1 or text.count(END) != 1:
        raise ConfigError(f"{README}: expected one line '{BEGIN}' and one line '{END}' around the table; put them back")
    before, _, rest = text.partition(BEGIN)
    after = rest.partition(END)[2]
    return {
        README: f"{before}{BEGIN}\n{table()}\n{END}{after}",
        SCHEMA: json.dumps(schema(), indent=2) + "\n",
    }


def stale() -> list[Path]:
    """Files that are not what the code says they should be."""
    return [path for path, text in pages().items() if not path.is_file() or path.read_text(encoding="utf-8") != text]


def main(arguments: list[str]) -> int:
    """Write both files; with --check only say which are out of step (exit code 1)."""
    if "--check" in arguments:
        for path in stale():
            sys.stderr.write(f"ERROR: {path} is out of step with siil/config/schema; run `make schema`\n")
        return 1 if stale() else 0
    for path, text in pages().items():
        files.write_text(path, text)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
