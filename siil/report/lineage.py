"""What lies behind a result: every file of a case with the run record that tells how it was made, and the rows that a
mean of the tables was made from. For `siil trace`; reads, and writes nothing.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from siil.anatomy import BY_CODE
from siil.config import Config, runs, split_run
from siil.datasets.cases import Case
from siil.datasets.folds import read_list
from siil.errors import InputError
from siil.run import files
from siil.run.provenance import run_path
from siil.run.tsv import read_table
from siil.scan import volume
from siil.scan.labels import labels_present

LABELLED = ("msk", "_msk", "_seg", "_first", "_work", "_raw")
"""Folders and ends of names of the volumes whose voxels are VerSe codes."""


@dataclass(frozen=True, slots=True)
class Made:
    """What one run of a stage made for a case. `record`: the path of its run.json."""

    stage: str
    record: Path
    paths: tuple[Path, ...]


def made_for(case: Case, *, config: Config, root: Path = Path()) -> list[Made]:
    """The files of a case that are there, in the order of the pipeline, from the released scan to its scores.

    root: folder with data/ and results/; paths are below it as the workflow names them.
    """
    data, results = root / "data" / config.dataset.name, root / "results" / config.experiment
    sidecar = case.image.removesuffix(".nii.gz") + ".json"
    truth = case.mask.removesuffix("_seg-vert_msk.nii.gz") + "_truth.json"
    raw = [Path(path) for path in (case.image, case.mask, case.centroids, sidecar, truth) if path]
    manifest = Path("data/raw") / f"{case.source}.tsv"
    work = [data / "img" / f"{case.case}.nii.gz", data / "msk" / f"{case.case}.nii.gz"]
    pap = data / "pap" / f"{case.case}.nii.gz"
    found = [
        Made("fetch", root / run_path(manifest), tuple(root / path for path in [*raw, manifest])),
        Made("index", run_path(data / "cases.tsv"), (data / "cases.tsv",)),
        Made("preprocess", run_path(work[0]), (*work, data / "geometry" / f"{case.case}.json")),
        Made("pap", run_path(pap), (pap,)),
    ]
    for run in runs(config):
        for fold in config.folds:
            if case.case in _list(data / "folds" / str(fold) / "testing.txt"):
                found += _tested(results, f"{run}/fold{fold}", case.case)
    there = [Made(item.stage, item.record, tuple(p for p in item.paths if p.is_file())) for item in found]
    return [item for item in there if item.paths]


def _list(path: Path) -> tuple[str, ...]:
    return read_list(path) if path.is_file() else ()


def _tested(results: Path, place: str, case: str) -> list[Made]:
    """The weights that a case was tested with, what came out, and its scores."""
    weights = results / "train" / place / "weights.safetensors"
    scores = results / "evaluate" / place / f"{case}.tsv"
    of_case = sorted((results / "test" / place).glob(f"{case}_*"))
    record = results / "test" / place / f"{case}_seg.run.json"
    return [
        Made("train", weights.with_name("run.json"), (weights, weights.with_name("history.tsv"))),
        Made("test", record, tuple(path for path in of_case if path != record)),
        Made("evaluate", run_path(scores), (scores,)),
    ]


def describe(path: Path) -> str:
    """Shape and labels of a volume, arrays of an archive, size of anything else."""
    if path.name.endswith(".nii.gz"):
        labelled = _is_labelled(path)
        read = volume.read_mask(path) if labelled else volume.read_volume(path)
        shape = "x".join(map(str, read.grid.shape))
        if not labelled:
            return f"{shape} {read.array.dtype}"
        present = labels_present(read.array)
        names = [about.name for code, about in BY_CODE.items() if code in present]
        return f"{shape} labels {' '.join(names) or 'none'}"
    if path.suffix == ".npz":
        with np.load(path) as arrays:
            return ", ".join(f"{name} {'x'.join(map(str, arrays[name].shape))}" for name in arrays.files)
    return f"{path.stat().st_size} bytes"


def _is_labelled(path: Path) -> bool:
    return path.parent.name in LABELLED or path.name.removesuffix(".nii.gz").endswith(LABELLED)


def read_record(path: Path) -> dict[str, Any]:
    """A run record; empty where there is none."""
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}


def changed(record: dict[str, Any], known: dict[Path, str]) -> list[str]:
    """Inputs of a record whose file, among the `known` (path -> SHA-256), is another one now."""
    stale = []
    for name, digest in record.get("inputs", {}).items():
        parts = Path(name).parts
        fitting = [sha for path, sha in known.items() if path.parts[-len(parts) :] == parts]
        if fitting and digest not in fitting:
            stale.append(name)
    return stale


def digests(paths: Iterable[Path]) -> dict[Path, str]:
    """Path -> SHA-256."""
    return {path: files.sha256(path) for path in paths}


def rows_behind(
    results: Path, *, metric: str, model: str, space: str, label: str
) -> Iterator[tuple[str, str, float, Path]]:
    """(run, case, value, file of the scores) of every row that a mean is made of; with `label` of one vertebra.

    Raises InputError when nothing has this metric, model, space or label, or when it has several models and none is
    named; it says what there is.
    """
    table = results / "aggregate" / ("vertebrae.tsv" if label else "scans.tsv")
    yield from _placed(_chosen(table, metric=metric, model=model, space=space, label=label), metric, results)


def levels_behind(results: Path, *, metric: str, model: str, space: str) -> list[tuple[str, float, int]]:
    """(level, mean over its vertebrae, how many have a value) for a table that averages per level.

    Empty for a metric that single vertebrae do not have. Raises InputError as `rows_behind`.
    """
    table = results / "aggregate" / "vertebrae.tsv"
    if table.is_file() and metric not in read_table(table).columns:
        return []
    frame = _chosen(table, metric=metric, model=model, space=space, label="")
    known = frame.dropna(subset=[metric]).groupby("label", sort=True)[metric]
    return [(str(label), float(values.mean()), len(values)) for label, values in known]


def _chosen(table: Path, *, metric: str, model: str, space: str, label: str) -> pd.DataFrame:
    if not table.is_file():
        raise InputError(f"{table}: not there; run the workflow up to aggregate first, or name the --experiment")
    frame = read_table(table)
    numbers = [name for name in frame.select_dtypes("number").columns if name not in ("repeat", "fold")]
    if metric not in numbers:
        raise InputError(f"{table}: no numbers {metric}; it has {', '.join(numbers)}")
    models = sorted(set(frame["model"]))
    if not model and len(models) > 1:
        raise InputError(
            f"{table}: several models, and no number of the tables is over all; give one: {', '.join(models)}"
        )
    for column, value in (("model", model), ("space", space), ("label", label)):
        if not value:
            continue
        if value not in set(frame[column]):
            there = ", ".join(sorted(set(frame[column].astype(str))))
            raise InputError(f"{table}: no {column} {value}; it has {there}")
        frame = frame[frame[column] == value]
    return frame


def _placed(frame: pd.DataFrame, metric: str, results: Path) -> Iterator[tuple[str, str, float, Path]]:
    for row in frame.to_dict("records"):
        run = row["model"] if row["repeat"] == 0 else f"{row['model']}@{row['repeat']}"
        assert split_run(run)[0] == row["model"]
        path = results / "evaluate" / run / f"fold{row['fold']}" / f"{row['case']}.tsv"
        yield f"{run}/fold{row['fold']}", row["case"], row[metric], path
