"""The reference of the configuration, generated: config/README.md's tables of keys and files, and the JSON schema.

`python -m siil.config.keys` writes both, `--check` says whether they are in step (`make schema`, `make check`). The
schema describes a layer, not a whole configuration: no key is required, and `dataset` may be a name. Editors can use
it, and workflow catalogues expect it under workflow/schemas.
"""

from __future__ import annotations

import itertools
import json
import re
import sys
from pathlib import Path
from typing import Any

import yaml
from pydantic.fields import FieldInfo

from siil.config import CONFIG_DIR, Config, known_keys
from siil.config.names import section_of
from siil.errors import ConfigError
from siil.run import files

README = CONFIG_DIR / "README.md"
SCHEMA = CONFIG_DIR.parent / "workflow" / "schemas" / "config.schema.json"
FOLDERS = {
    "experiments": "`snakemake --config experiment=NAME`",
    "datasets": "named by an experiment",
    "models": "named by `models` of an experiment",
}


def table(root: Path = CONFIG_DIR) -> str:
    """Markdown: a row per key with its type, its value in config.yaml (the paper's size) and its meaning."""
    values = yaml.safe_load((root / "config.yaml").read_text(encoding="utf-8"))
    rows = ["| key | type | config.yaml | meaning |", "|---|---|---|---|"]
    return "\n".join([*rows, *(_row(key, field, values) for key, field in known_keys().items())])


def _row(key: str, field: FieldInfo, values: dict[str, Any]) -> str:
    section = section_of(field)
    if section is not None:
        return f"| **`{key}`** | | | {_cell(meaning(field))} |"
    return f"| `{key}` | {_cell(type_of(field))} | {_value(values, key)} | {_cell(meaning(field))} |"


def meaning(field: FieldInfo) -> str:
    """What a key or a section is for, in one line."""
    section = section_of(field)
    summary = (section.__doc__ or "").strip().splitlines()[0] if section is not None else ""
    return " ".join(part for part in (summary, field.description) if part)


def type_of(field: FieldInfo) -> str:
    """The type of a key's value, as a reader would write it."""
    annotation = field.annotation
    text = annotation.__name__ if isinstance(annotation, type) else str(annotation)
    text = text.replace("typing.", "").replace("Literal", "one of ")
    if text.startswith("dict[str, Annotated"):
        return "mapping of name to source"
    return re.sub(r"Annotated\[(\w+), .*\)\]", r"\1", text)  # without its constraints


def files_table(root: Path = CONFIG_DIR) -> str:
    """Markdown: a row per experiment, dataset and model, with the first sentence of the comment that opens its file."""
    rows = ["| file | what it is |", "|---|---|"]
    for folder, how in FOLDERS.items():
        rows.append(f"| **{folder}/** | {how} |")
        rows += [f"| `{path.stem}` | {_cell(_opening(path))} |" for path in sorted((root / folder).glob("*.yaml"))]
    return "\n".join(rows)


def _opening(path: Path) -> str:
    """The first sentence of the first comment of a file. Raises ConfigError where there is none."""
    lines = path.read_text(encoding="utf-8").splitlines()
    comments = [line.partition("#")[2].strip() for line in itertools.takewhile(lambda line: "#" in line, lines)]
    if not comments:
        raise ConfigError(f"{path}: expected a comment in its first line that says what it is (config/README.md)")
    return re.split(r"(?<=\.) ", " ".join(comments))[0].removesuffix(".")


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
    """What the two files should hold. Raises ConfigError where the README lost the lines around a table."""
    text = README.read_text(encoding="utf-8")
    for name, made in (("files", files_table()), ("keys", table())):
        begin, end = f"<!-- {name}: made by `make schema` -->", f"<!-- end of {name} -->"
        if text.count(begin) != 1 or text.count(end) != 1:
            raise ConfigError(
                f"{README}: expected one line '{begin}' and one line '{end}' around a table; put them back"
            )
        before, _, rest = text.partition(begin)
        text = f"{before}{begin}\n{made}\n{end}{rest.partition(end)[2]}"
    return {README: text, SCHEMA: json.dumps(schema(), indent=2) + "\n"}


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
