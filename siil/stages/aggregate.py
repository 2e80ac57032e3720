"""`siil aggregate`: the rows of all scored scans of an experiment, pooled (step 10 of the pipeline).

Reads exactly the runs and folds of the configuration and the cases of each fold's testing.txt, so that files of an
earlier configuration are never mixed in. A run is a model and the number of its repeat (siil.config.runs); repeats are
more rows of the same scans and patients. Averages and intervals come from siil.metrics.pool.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Annotated

import pandas as pd
import typer

from siil.config import Config, runs, split_run
from siil.datasets import folds
from siil.datasets.cases import read_cases
from siil.errors import DatasetError
from siil.metrics import pool, rows
from siil.metrics.catalogue import metrics_of
from siil.run import files, provenance
from siil.run.tsv import read_table


def aggregate(
    *,
    config: Config,
    results: Annotated[Path, typer.Option(help="folder of the experiment's results")],
    data: Annotated[Path, typer.Option(help="folder of the dataset")],
    output: Annotated[Path, typer.Option(help="folder for vertebrae, scans, summary, history.tsv and metrics.json")],
) -> None:
    """Pool the scores of all models, repeats, folds and cases of an experiment. Research use only.

    Writes vertebrae.tsv and scans.tsv (every row), summary.tsv (mean, sd, bootstrap interval over patients, count per
    model, space and metric), history.tsv (the trainings) and metrics.json (the means, for DVC).
    """
    used = {"models": config.models, "repeats": config.repeats, "folds": config.folds, "report": _settings(config)}
    tested = list(_tested(config, results, data))
    trained = [(run, fold) for run in runs(config) for fold in config.folds]
    with provenance.record(
        provenance.run_path(output / "vertebrae.tsv"), stage="aggregate", config=used, inputs=[data / "cases.tsv"]
    ) as entry:
        patients = {case.case: case.patient for case in read_cases(data / "cases.tsv")}
        parts = [
            _rows(list(group), run, fold, patients)
            for (run, fold), group in groupby(tested, key=lambda item: (item[0], item[1]))
        ]
        vertebrae, scans = (pd.concat([part[s] for part in parts], ignore_index=True) for s in ("vertebra", "scan"))
        metrics = [metric.name for metric in metrics_of(scans.columns)]
        summary = pool.summarise(scans, by=("model", "space"), metrics=metrics, settings=config.report)
        history = pd.concat([_history(results, run, fold) for run, fold in trained], ignore_index=True)
        for name, frame in {"vertebrae": vertebrae, "scans": scans, "summary": summary, "history": history}.items():
            files.write_text(output / f"{name}.tsv", rows.to_text(frame))
        files.write_json(output / "metrics.json", _nested(summary))
        entry["scored"] = len(tested)


def _settings(config: Config) -> dict[str, float]:
    report = config.report
    return {"bootstrap": report.bootstrap, "confidence": report.confidence, "seed": report.seed}


def _tested(config: Config, results: Path, data: Path) -> Iterator[tuple[str, int, str, Path]]:
    """Run, fold, case and the path of its scores, in the order of the configuration. Raises DatasetError."""
    for run in runs(config):
        for fold in config.folds:
            for case in folds.read_list(data / "folds" / str(fold) / "testing.txt"):
                path = results / "evaluate" / run / f"fold{fold}" / f"{case}.tsv"
                if not path.is_file():
                    raise DatasetError(f"{path}: expected the scores of a tested case, got nothing; run evaluate")
                yield run, fold, case, path


def _rows(
    tested: list[tuple[str, int, str, Path]], run: str, fold: int, patients: dict[str, str]
) -> dict[str, pd.DataFrame]:
    for _, _, case, path in tested:
        if not patients.get(case):
            raise DatasetError(f"{path}: the case is not in cases.tsv; run index and split again")
    parts = rows.read([path for *_, path in tested])
    patient_of = [patients[case] for _, _, case, _ in tested]
    for part in parts.values():
        patient = [patient_of[number] for number in part.pop("file")]
        _lead(part, run, fold)
        part.insert(4, "patient", patient)
    return parts


def _lead(frame: pd.DataFrame, run: str, fold: int) -> None:
    """Put model, repeat and fold in front."""
    model, repeat = split_run(run)
    frame.insert(0, "model", model)
    frame.insert(1, "repeat", repeat)
    frame.insert(2, "fold", fold)


def _history(results: Path, run: str, fold: int) -> pd.DataFrame:
    path = results / "train" / run / f"fold{fold}" / "history.tsv"
    if not path.is_file():
        raise DatasetError(f"{path}: expected the history of a training, got nothing; run train")
    frame = read_table(path)
    _lead(frame, run, fold)
    return frame


def _nested(summary: pd.DataFrame) -> dict[str, dict[str, dict[str, float]]]:
    """{model: {space: {metric: mean}}}, without means that do not exist (JSON has no NaN)."""
    nested: dict[str, dict[str, dict[str, float]]] = {}
    for row in summary.dropna(subset=["mean"]).to_dict("records"):
        nested.setdefault(row["model"], {}).setdefault(row["space"], {})[row["metric"]] = round(row["mean"], 6)
    return nested
