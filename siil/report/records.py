"""What was run: the run records (run.json) of an experiment, gathered into one row per stage, run and fold.

Read by the report. A run is a model, or a repeat of it (siil@1). Records of scans are pooled: how many, how many
seconds together, which code digests and revisions.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Ran:
    """Records of one stage (and model and fold) together. Several values of a field are joined by a comma."""

    stage: str
    model: str
    fold: str
    records: int
    seconds: float
    code: str
    revision: str
    device: str
    seed: str
    last: str
    """start of the last one, UTC"""

    @property
    def short_revision(self) -> str:
        """The revisions with ten digits of each."""
        parts = [part for part in self.revision.split(", ") if part]
        return ", ".join(part[:10] + "+" * part.endswith("+") for part in parts)


def find_records(
    *, results: Path, data: Path, models: Sequence[str], folds: Sequence[int], cases: Sequence[str]
) -> list[tuple[str, str, Path]]:
    """(run, fold, path) of every run record that belongs to the experiment as configured; none of others."""
    known = set(cases)
    found = [("", "", path) for path in sorted(data.glob("*.run.json"))]
    for folder in ("img", "pap"):
        found += [("", "", path) for path in _of_cases(data / folder, known)]
    for model in models:
        for fold in folds:
            train = results / "train" / model / f"fold{fold}" / "run.json"
            found += [(model, str(fold), train)] if train.is_file() else []
            for step in ("test", "evaluate"):
                paths = _of_cases(results / step / model / f"fold{fold}", known)
                found += [(model, str(fold), path) for path in paths]
    for step in ("aggregate", "tables", "figures"):
        found += [("", "", path) for path in sorted((results / step).glob("*run.json"))]
    return found


def _of_cases(folder: Path, cases: set[str]) -> list[Path]:
    names = {path: path.name.removesuffix(".run.json") for path in sorted(folder.glob("*.run.json"))}
    return [path for path, name in names.items() if name in cases or name.rpartition("_")[0] in cases]


def read_record(path: Path) -> dict[str, Any]:
    """A run record; an empty one when the file cannot be read (a report does not fail for want of a record)."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}


def summarise(records: Iterable[tuple[str, str, dict[str, Any]]]) -> list[Ran]:
    """One row per stage, model and fold, in the order of the pipeline as the records come."""
    groups: dict[tuple[str, str, str], list[dict[str, Any]]] = {}
    for model, fold, entry in records:
        if entry:
            groups.setdefault((str(entry.get("stage", "?")), model, fold), []).append(entry)
    return [
        Ran(
            stage=stage,
            model=model,
            fold=fold,
            records=len(entries),
            seconds=sum(float(entry.get("seconds") or 0) for entry in entries),
            code=_joined(entries, "code"),
            revision=_joined(entries, "revision"),
            device=_joined(entries, "device"),
            seed=_joined(entries, "seed"),
            last=max(str(entry.get("started", "")) for entry in entries),
        )
        for (stage, model, fold), entries in groups.items()
    ]


def _joined(entries: list[dict[str, Any]], key: str) -> str:
    return ", ".join(sorted({str(entry[key]) for entry in entries if entry.get(key) is not None}))


def duration(seconds: float) -> str:
    """Seconds in words: 42 s, 3 min 5 s, 2 h 10 min."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
