"""Which run made a file: the run record that names it, or that lies with it. For `siil trace`; reads, writes nothing.

Batches name what they made with its digest, `predict` by the names of its files. Of the other steps a record lies in
the folder of their files, or beside that folder, and no more than this is said.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from siil.errors import InputError
from siil.inference.results import result_names
from siil.report.records import read_record
from siil.run import files
from siil.run.provenance import run_path
from siil.run.swap import BEFORE

_TOLD = ("code", "revision", "device")


@dataclass(frozen=True, slots=True)
class Told:
    """A record, and what it says of a file: made it, made it as other bytes, or lies with it."""

    record: Path
    entry: dict[str, Any]
    says: str


def line_of(path: Path) -> str:
    """One line: which run made a file (or the result in a folder), when, of which code, and where its record lies.

    Raises:
        InputError: no run record lies with it.
    """
    told = _told(path)
    if told is None:
        raise InputError(
            f"{path}: expected a file that siil made, got one that no run record speaks of; give a case, a file of a "
            "step's folder, or one of a result of predict"
        )
    about = [f"{name} {told.entry[name]}" for name in _TOLD if told.entry.get(name) is not None]
    about += [f"from {', '.join(told.entry['inputs'])}"] if 0 < len(told.entry.get("inputs", {})) < 5 else []
    steps = [step["by"] for step in told.entry.get("relabelled", [])]
    about += [f"relabelled since: {' then '.join(steps)}"] if steps else []
    when = told.entry.get("started", "at a time that it does not say")
    return f"{path}: {told.says}, {when}: {', '.join(about)}; run record {told.record}"


def _told(path: Path) -> Told | None:
    if path.is_dir():
        entry = read_record(path / "run.json")
        return Told(path / "run.json", entry, f"files of {_verb(entry)}") if entry else None
    if path.name.endswith("run.json"):
        entry = read_record(path)
        return Told(path, entry, f"the run record of {_verb(entry)}") if entry.get("stage") else None
    return _of_outputs(path) or _of_predict(path) or _of_place(path)


def _of_outputs(path: Path) -> Told | None:
    """By a record of a batch, in its folder or in img/ beside that, which names the file."""
    for folder in (path.parent, path.parent.parent / "img"):
        for record in sorted(folder.glob("*.run.json")):
            entry = read_record(record)
            for name, digest in entry.get("outputs", {}).items():
                parts = Path(name).parts
                if path.resolve().parts[-len(parts) :] == parts and (len(parts) > 1 or folder == path.parent):
                    same = files.sha256(path) == digest
                    return Told(record, entry, f"made by {_verb(entry)}" + ("" if same else " and CHANGED since"))
    return None


def _of_predict(path: Path) -> Told | None:
    record = path.with_name("run.json")
    entry = read_record(record)
    if entry.get("stage") != "predict":
        return None
    name = path.name.removesuffix(BEFORE)
    if name in result_names(str(entry.get("scan"))):
        kept = " and kept by `siil relabel`" if path.name.endswith(BEFORE) else ""
        return Told(record, entry, f"made by {_verb(entry)}{kept}")
    for facts in path.parent.glob("*_scan.json"):
        scan = facts.name.removesuffix("_scan.json")
        if name in result_names(scan):
            told = f"of scan {scan}; the record beside it is of a later `siil predict` into this folder, of"
            return Told(record, {"started": entry.get("started")}, f"{told} {entry.get('scan')}")
    return None


def _of_place(path: Path) -> Told | None:
    for record in _near(path):
        entry = read_record(record)
        if entry.get("stage") and entry["stage"] != "predict" and not entry.get("outputs"):
            return Told(record, entry, f"lies with what {_verb(entry)} made")
    return None


def _near(path: Path) -> Iterator[Path]:
    """Records of whole steps, from the file's own outwards."""
    yield run_path(path)
    yield path.with_suffix(".run.json")
    yield path.with_name("run.json")
    yield from sorted(path.parent.glob("*.run.json"))
    for place in list(path.resolve().parents)[:3]:
        yield place.with_name(f"{place.name}.run.json")
        yield place.with_name("run.json")
    yield path.resolve().parents[1] / "0" / "training.run.json"


def _verb(entry: dict[str, Any]) -> str:
    return f"`siil {entry.get('stage')}`"
