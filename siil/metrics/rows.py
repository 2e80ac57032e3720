"""The columns of the metric tables and their types: one wide table per case, two pooled ones per experiment.

Written by `evaluate`, read by `aggregate`, which hands on what `tables`, `figures` and `report` read. A flag is true or
false where it always has a value; a rate or hit is a number, so that it can be absent (NaN).
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import pandas as pd

from siil.errors import DatasetError
from siil.run.tsv import read_table

SPACES: Final = {
    "input": "decoded, input's grid",
    "first": "first look alone, input's grid",
    "ceiling": "perfect working-grid map, input's grid",
    "work": "decoded, working grid",
    "raw": "network alone, working grid",
}
"""Where a prediction is compared with the truth, in the order of tables: first the grid that users get."""

KEYS: Final = ("case", "space", "scope", "label")
_FLAGS: Final = {"vertebra": ("truth", "predicted", "complete"), "scan": ("all_right", "flagged")}
_COUNTS: Final = {"vertebra": (), "scan": ("n_truth", "n_predicted")}
_ONLY: Final = {
    "vertebra": (*_FLAGS["vertebra"], "distance_mm", "hit_verse", "hit_strict", "detected", "nearest_label"),
    "scan": (
        *("binary_dice", "dice_complete", "d_mean_mm", "id_rate_verse", "id_rate_strict", "id_rate_complete"),
        *("precision", "f1", "detection_rate", "shift", "shift_accuracy"),
        *_FLAGS["scan"],
        *_COUNTS["scan"],
    ),
}
_TEXT: Final = ("case", "space", "scope", "label", "nearest_label", "model", "patient")


def to_text(frame: pd.DataFrame) -> str:
    """A table as TSV: flags as True or False, absent values empty, numbers with nine digits."""
    plain = frame.copy()
    for name in (*_FLAGS["vertebra"], *_FLAGS["scan"]):
        if name in plain:
            plain[name] = [("" if pd.isna(v) else str(bool(v))) for v in plain[name]]
    for name in ("n_truth", "n_predicted", "shift"):
        if name in plain:
            plain[name] = plain[name].astype("Int64")
    return plain.to_csv(sep="\t", index=False, float_format="%.9g", lineterminator="\n")


def read(paths: Sequence[Path]) -> dict[str, pd.DataFrame]:
    """The rows of many cases by scope, as `split` has them, with a column `file`: the number of the path in `paths`.

    Tables of equal columns are read as one: file by file a thousand cases would take pandas minutes.
    """
    alike: dict[str, list[str]] = {}
    first: dict[str, Path] = {}
    for number, path in enumerate(paths):
        header, *lines = path.read_text(encoding="utf-8").splitlines()
        first.setdefault(header, path)
        alike.setdefault(header, []).extend(f"{number}\t{line}\n" for line in lines)
    parts = []
    for header, lines in alike.items():
        text = io.StringIO(f"file\t{header}\n{''.join(lines)}")
        parts.append(split(read_table(text, text=True), where=str(first[header])))
    whole = {scope: pd.concat([part[scope] for part in parts], ignore_index=True) for scope in ("vertebra", "scan")}
    return {scope: _in_order(frame) for scope, frame in whole.items()}


def _in_order(frame: pd.DataFrame) -> pd.DataFrame:
    frame = frame.assign(file=frame["file"].astype("int64"))
    return frame.sort_values("file", kind="stable", ignore_index=True)


def split(frame: pd.DataFrame, *, where: str) -> dict[str, pd.DataFrame]:
    """The rows of one case, read as text, by scope ("vertebra", "scan"): typed, without the columns of the other.

    Raises DatasetError, naming `where`, when a column is missing.
    """
    parts = {}
    for scope, other in (("vertebra", "scan"), ("scan", "vertebra")):
        missing = {*KEYS, *_ONLY[scope], "dice"} - set(frame.columns)
        if missing:
            raise DatasetError(f"{where}: columns {sorted(missing)} are missing; run the evaluate step again")
        part = frame[frame["scope"] == scope].drop(columns=list(_ONLY[other]))
        for name in part.columns:
            if name in _FLAGS[scope]:
                part[name] = part[name] == "True"
            elif name in _COUNTS[scope]:
                part[name] = pd.to_numeric(part[name]).astype("int64")
            elif name not in _TEXT:
                part[name] = pd.to_numeric(part[name]).astype("float64")
        parts[scope] = part.reset_index(drop=True)
    return parts
