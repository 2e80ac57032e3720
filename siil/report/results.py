"""What figures and report read of an experiment: the aggregated tables, and the volumes of single scans on demand.

Written by the stages preprocess, train, test and aggregate.
Tables are pandas frames with typed columns; volumes are (Z, Y, X) on the working grid with internal class indices.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from siil.anatomy import BY_CODE, codes_to_indices
from siil.config.schema.report import Report
from siil.errors import DatasetError
from siil.metrics import pool
from siil.run.tsv import read_table
from siil.scan.volume import Volume, read_volume

FLAGS = ("truth", "predicted", "complete", "hit_verse", "hit_strict", "all_right", "flagged")
"""Columns that hold yes or no; a cell may be empty where the question does not arise."""


@dataclass(frozen=True, slots=True)
class Scan:
    """A tested scan on the working grid, (Z, Y, X): `ct_hu` int16, `truth` and `prediction` uint8 internal indices."""

    case: str
    ct_hu: np.ndarray
    truth: np.ndarray
    prediction: np.ndarray
    spacing_mm: float


@dataclass(frozen=True, slots=True)
class CoreTrace:
    """What the instance stream left of one scan: {case}_core.npz of the test stage.

    localisation: [K, Z] sigma(L^) blended along the scan; zeros for a baseline.
    embeddings: [n, E]; classes: [n] internal indices.
    """

    localisation: np.ndarray
    embeddings: np.ndarray
    classes: np.ndarray

    @property
    def empty(self) -> bool:
        """Whether the network had no instance stream."""
        return not self.localisation.any() and self.embeddings.size == 0


@dataclass(frozen=True, slots=True)
class Results:
    """One experiment. `models` and `folds` are those of the configuration, in its order; the first model is the method
    that single-scan figures show, in its first training."""

    vertebrae: pd.DataFrame
    scans: pd.DataFrame
    summary: pd.DataFrame
    history: pd.DataFrame
    models: tuple[str, ...]
    folds: tuple[int, ...]
    results: Path
    data: Path
    settings: Report

    @property
    def method(self) -> str:
        """The model that single-scan figures show."""
        return self.models[0]

    @property
    def repeats(self) -> int:
        """Trainings of each model on each fold."""
        return pool.repeats(self.scans)

    def test_folder(self, model: str, fold: int) -> Path:
        """Where the test stage wrote the scans of one fold."""
        return self.results / "test" / model / f"fold{fold}"

    def volumes(self, model: str, fold: int, case: str) -> dict[str, Volume]:
        """CT, truth and decoded prediction of a scan as volumes with VerSe codes, on the working grid. What is no
        vertebra is drawn as background."""
        truth = read_volume(_there(self.data / "msk" / f"{case}.nii.gz", "preprocess"))
        return {
            "ct": read_volume(_there(self.data / "img" / f"{case}.nii.gz", "preprocess")),
            "truth": replace(truth, array=np.where(np.isin(truth.array, list(BY_CODE)), truth.array, np.uint8(0))),
            "prediction": read_volume(_there(self.test_folder(model, fold) / f"{case}_work.nii.gz", "test")),
        }

    def scan(self, model: str, fold: int, case: str) -> Scan:
        """A scan's arrays, ready to draw. Raises DatasetError where a file is missing or the sizes differ."""
        found = self.volumes(model, fold, case)
        shapes = {name: volume.array.shape for name, volume in found.items()}
        if len(set(shapes.values())) != 1:
            raise DatasetError(f"{case}: CT, truth and prediction differ in size {shapes}; run the test step again")
        truth, prediction = (codes_to_indices(found[name].array) for name in ("truth", "prediction"))
        spacing_mm = float(found["ct"].grid.spacing_mm[0])
        return Scan(case, found["ct"].array, truth, prediction, spacing_mm)

    def core(self, model: str, fold: int, case: str) -> CoreTrace:
        """The instance stream's traces of a scan."""
        path = _there(self.test_folder(model, fold) / f"{case}_core.npz", "test")
        with np.load(path, allow_pickle=False) as stored:
            return CoreTrace(stored["localisation"], stored["embeddings"], stored["classes"])

    def prototypes(self, model: str, fold: int) -> np.ndarray | None:
        """[K, k, E] prototypes P of the weights file; None where the model has none or they are still empty."""
        from safetensors import safe_open

        path = _there(self.results / "train" / model / f"fold{fold}" / "weights.safetensors", "train")
        with safe_open(str(path), framework="numpy") as stored:
            names = [name for name in stored.keys() if name.split(".")[-1] == "prototypes"]  # noqa: SIM118
            found = stored.get_tensor(names[0]) if names else None
        return found if found is not None and found.ndim == 3 and found.any() else None

    def ranking(self, model: str, space: str = "work") -> pd.DataFrame:
        """`scans` of a model's first trainings, worst mean Dice first, equal scores in the order of case ids."""
        once = pool.once(self.scans)
        rows = once[(once["model"] == model) & (once["space"] == space)]
        return rows.sort_values(["dice", "case"], kind="stable", na_position="first").reset_index(drop=True)


def read_results(
    *,
    aggregate: Path,
    results: Path,
    data: Path,
    models: Sequence[str],
    folds: Sequence[int],
    settings: Report,
) -> Results:
    """Read the tables of `aggregate`. Raises DatasetError when one is missing or has no case."""
    tables = {name: _table(aggregate / f"{name}.tsv") for name in ("vertebrae", "scans", "summary", "history")}
    if tables["scans"].empty:
        raise DatasetError(f"{aggregate / 'scans.tsv'}: no scan was scored; run the test and evaluate steps")
    return Results(
        **tables,
        models=tuple(models),
        folds=tuple(folds),
        results=Path(results),
        data=Path(data),
        settings=settings,
    )


def _table(path: Path) -> pd.DataFrame:
    frame = read_table(_there(path, "aggregate"))
    for name in FLAGS:
        if name in frame:
            frame[name] = frame[name].map(_flag).astype("boolean")
    return frame


def _flag(value: object) -> bool | None:
    text = str(value).strip().lower()
    return {"true": True, "1": True, "1.0": True, "false": False, "0": False, "0.0": False}.get(text)


def _there(path: Path, stage: str) -> Path:
    if not path.is_file():
        raise DatasetError(f"{path}: not found; run the {stage} step first")
    return path
