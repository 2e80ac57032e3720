"""In how many scans is every label right? From rows of benchmarks/labels.py to a row per scan and to its table.

`all right`: every vertebra of the truth found under its name, and no other (siil.metrics.case). `names right`: no
vertebra that was found is called by the name of another, and at least one is right: a sliver at the border that is
missed is no wrong name.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd

from siil.errors import DatasetError
from siil.run.provenance import RESEARCH_USE
from siil.run.tsv import read_table

SPACES: Final = ("raw", "work", "first", "input", "ceiling")
METRICS: Final = ("id_rate_verse", "id_rate_strict", "dice", "binary_dice", "all_right", "names_right")
_FACTS: Final = ("enumeration", "runner_up", "margin", "renamed", "patient_scale", "reason")
_SCANS: Final = ("scans of", "n", "id. rate, VerSe", "id. rate, strict", "Dice", "binary Dice", "all right")
_TRUE: Final = {"True": True, "False": False}


def read_scan_rows(path: Path) -> pd.DataFrame:
    """The rows of one scan as benchmarks/labels.py wrote them; flags are booleans."""
    flags = ("truth", "predicted", "complete", "all_right", "flagged")
    frame = read_table(path)
    for name in flags:
        frame[name] = frame[name].astype(str).map(_TRUE)
    return frame


def rarity(labels: set[str]) -> str:
    """What is rare among the vertebrae in view."""
    found = [name for name in ("T13", "L6") if name in labels]
    return " ".join([*found, *(["no T12"] if {"T11", "L1"} <= labels and "T12" not in labels else [])])


def hidden(labels: set[str], whole: set[str]) -> bool:
    """Is what is rare among the vertebrae in view nothing that the scan can show? See siil/inference/view.py.

    A border is in view where the vertebra at it is whole or another lies beyond it. whole: labels that nothing cuts.
    """
    neck = "T1" in labels and ("C6" in labels or "C7" in whole)
    loin = any(name[0] == "T" for name in labels) and ("L2" in labels or "L1" in whole)
    kinds = rarity(labels)
    return ("L6" in kinds and not loin) or (("T13" in kinds or "no T12" in kinds) and not (neck and loin))


def scan_row(rows: pd.DataFrame) -> dict[str, object]:
    """One scan as one row: what it is, what decoding says of itself, {space}_{metric}."""
    scans = rows[rows["scope"] == "scan"].set_index("space")
    vertebrae = rows[rows["scope"] == "vertebra"]
    whole = scans.loc["work"]
    true = vertebrae[(vertebrae["space"] == "work") & vertebrae["truth"].eq(True)]
    there, uncut = set(true["label"]), set(true[true["complete"].eq(True)]["label"])
    row: dict[str, object] = {name: whole[name] for name in ("case", "group", "field")}
    row |= {"rare": rarity(there), "hidden": hidden(there, uncut)}
    row |= {"n_truth": int(whole["n_truth"]), "n_predicted": int(whole["n_predicted"])}
    row |= {"flagged": bool(whole["flagged"]), **{name: whole[name] for name in _FACTS}}
    for space in (space for space in SPACES if space in scans.index):
        here = vertebrae[vertebrae["space"] == space]
        hits = here["hit_strict"] == 1
        misnamed = here["detected"].eq(1) & ~hits
        row |= {f"{space}_{name}": scans.loc[space, name] for name in METRICS if name in scans}
        row[f"{space}_all_right"] = bool(scans.loc[space, "all_right"])
        row[f"{space}_names_right"] = not misnamed.any() and bool(hits.any() or not scans.loc[space, "n_truth"])
    return row


def one_row_per_scan(folder: Path) -> pd.DataFrame:
    """scans.tsv from scans/*.tsv."""
    paths = sorted(folder.glob("*.tsv"))
    if not paths:
        raise DatasetError(f"{folder}: no scan was measured; run benchmarks.labels with --weights first")
    return pd.DataFrame([scan_row(read_scan_rows(path)) for path in paths])


def vertebra_rows(folder: Path) -> pd.DataFrame:
    """Decoded vertebrae of all scans: case, label, raw_confidence, confidence, right (found under its own name)."""
    frames = []
    for path in sorted(folder.glob("*.tsv")):
        rows = read_scan_rows(path)
        mine = rows[(rows["scope"] == "vertebra") & (rows["space"] == "work") & rows["predicted"].eq(True)]
        frames.append(mine.assign(right=mine["hit_strict"] == 1))
    columns = ["case", "label", "raw_confidence", "confidence", "right"]
    return pd.concat(frames, ignore_index=True)[columns].dropna(subset="raw_confidence")


def groups(scans: pd.DataFrame) -> list[tuple[str, pd.DataFrame]]:
    """The rows of the table: all phantoms, by field of view, ordinary and rare, then each real scan."""
    phantoms, real = (scans[scans["group"] == name] for name in ("phantom", "real"))
    found = [("phantoms", phantoms)]
    found += [(f"phantoms, {field}", part) for field, part in phantoms.groupby("field") if field]
    found += [("phantoms, ordinary anatomy", phantoms[phantoms["rare"] == ""])]
    found += [("phantoms, rare anatomy", phantoms[phantoms["rare"] != ""])]
    found += [("phantoms, rare anatomy that the scan cannot show", phantoms[phantoms["hidden"]])]
    found += [(f"phantoms, {kind}", phantoms[phantoms["rare"].str.contains(kind)]) for kind in ("T13", "L6", "no T12")]
    found += [("real", real)] if len(real) > 1 else []
    found += [(f"real, {case}", part) for case, part in real.groupby("case")]
    return [(name, part) for name, part in found if len(part)]


def table(scans: pd.DataFrame) -> str:
    """Two tables as Markdown: network alone → decoded on the working grid, and decoded on the input's; means over
    scans."""
    head = ["names right", "flagged", "all right or flagged", "names right or flagged", "names wrong, not flagged"]
    parts = groups(scans)
    lines = _markdown([*_SCANS, *head], [_cells(name, part) for name, part in parts])
    native = _markdown([*_SCANS, "Dice, first look"], [_input_cells(name, part) for name, part in parts])
    notes = (
        "Pairs: network alone → decoded, working grid; means over scans. Input's grid: decoded, of what a perfect "
        "working-grid map reaches there. Names right: no vertebra carries another's name. Flagged: the enumeration is "
        f"said to be uncertain. Dice, first look: what it is there without a second. {RESEARCH_USE}"
    )
    return "\n".join([*lines, "", *native, "", notes, ""])


def _markdown(head: Sequence[str], rows: list[list[str]]) -> list[str]:
    lines = [head, ["---"] * len(head), *rows]
    return [f"| {' | '.join(cells)} |" for cells in lines]


def _cells(name: str, part: pd.DataFrame) -> list[str]:
    pairs = [f"{_mean(part[f'raw_{metric}'])} → {_mean(part[f'work_{metric}'])}" for metric in METRICS]
    flagged = part["flagged"].to_numpy(bool)
    right, named = part["work_all_right"].to_numpy(bool), part["work_names_right"].to_numpy(bool)
    unsaid = int((~named & ~flagged).sum())
    of_passed = f"{unsaid} of {int((~flagged).sum())}"
    sure = [_mean(flagged), _mean(right | flagged), _mean(named | flagged), of_passed]
    return [name, str(len(part)), *pairs, *sure]


def _input_cells(name: str, part: pd.DataFrame) -> list[str]:
    """The decoded labels on the input's grid, each number beside the one that a perfect working-grid map reaches."""
    pairs = [f"{_mean(part[f'input_{metric}'])} of {_mean(part[f'ceiling_{metric}'])}" for metric in METRICS[:5]]
    first = _mean(part["first_dice"]) if "first_dice" in part else "–"
    return [f"{name}, input's grid", str(len(part)), *pairs, first]


def _mean(values: pd.Series | np.ndarray) -> str:
    known = np.asarray(values, float)
    known = known[~np.isnan(known)]
    return f"{known.mean():.3f}" if len(known) else "–"
