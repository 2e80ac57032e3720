"""A small results tree as the stages before figures leave it: 3 scans, 2 folds, 2 models, 32 x 20 x 20 voxels.

Scan `spine_a` is segmented well, `spine_b` is called one level too low, in `spine_c` one vertebra is missed. The second
model is a baseline: no instance stream.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from safetensors.numpy import save_file

from siil.anatomy import BY_INDEX, BY_NAME, CLASSES, indices_to_codes
from siil.scan.volume import Grid, Volume, write_volume

SHAPE = (32, 20, 20)
SPACING_MM = 6.0
MODELS = ("siil", "unet")
FOLDS = (0, 1)
CASES = {"spine_a": ("T11", 0), "spine_b": ("L1", 1), "spine_c": ("T12", 1)}
"""case -> (uppermost vertebra, fold that tests it)"""
SPACES = ("work", "raw", "input", "ceiling")


@dataclass(frozen=True)
class Tree:
    """Folders of one experiment."""

    results: Path
    data: Path

    @property
    def aggregate(self) -> Path:
        return self.results / "aggregate"


def truth_of(case: str) -> np.ndarray:
    """Four vertebrae of 5 slices with discs of 1 between them, from the top down; the spine leans to one side."""
    first = BY_NAME[CASES[case][0]].index
    labels = np.zeros(SHAPE, np.uint8)
    index = first
    for number in range(4):
        while BY_INDEX[index].name == "T13":
            index += 1
        top = 29 - 7 * number
        lean = number // 2
        labels[top - 5 : top, 7:13, 7 + lean : 13 + lean] = index
        labels[top - 4 : top - 2, 13:17, 9 + lean : 11 + lean] = index
        index += 1
    return labels


def prediction_of(case: str) -> np.ndarray:
    """The truth with the faults of the module's docstring."""
    truth = truth_of(case)
    found = truth.copy()
    if case == "spine_b":
        found[truth > 0] += 1
    if case == "spine_c":
        found[found == found.max()] = 0
    found[:, 7, :] = 0
    return found


def ct_of(case: str) -> np.ndarray:
    """int16 HU: soft tissue in air, bone where the truth is."""
    rng = np.random.default_rng(sorted(CASES).index(case))
    _, y, x = np.indices(SHAPE)
    body = (y - 10) ** 2 + (x - 10) ** 2 < 81
    ct = np.where(body, 40, -500) + np.where(truth_of(case) > 0, 300, 0) + rng.normal(0, 20, SHAPE)
    return ct.astype(np.int16)


def make_results(root: Path) -> Tree:
    """Write the tree under `root`."""
    tree = Tree(root / "results" / "demo", root / "data" / "phantom_demo")
    tree.aggregate.mkdir(parents=True)
    grid = Grid(SHAPE, (SPACING_MM,) * 3)
    for case in CASES:
        write_volume(tree.data / "img" / f"{case}.nii.gz", Volume(ct_of(case), grid))
        write_volume(tree.data / "msk" / f"{case}.nii.gz", Volume(indices_to_codes(truth_of(case)), grid))
    for model in MODELS:
        for case, (_, fold) in CASES.items():
            folder = tree.results / "test" / model / f"fold{fold}"
            work = Volume(indices_to_codes(prediction_of(case)), grid)
            write_volume(folder / f"{case}_work.nii.gz", work)
            _core(folder / f"{case}_core.npz", case, empty=model == "unet")
            _run(folder / f"{case}_seg.run.json", "test", seconds=3.5)
        for fold in FOLDS:
            folder = tree.results / "train" / model / f"fold{fold}"
            folder.mkdir(parents=True, exist_ok=True)
            _weights(folder / "weights.safetensors", with_core=model == "siil")
            _run(folder / "run.json", "train", seconds=185.0, seed=0)
    vertebrae = pd.DataFrame(_vertebra_rows())
    scans = pd.DataFrame(_scan_rows(vertebrae))
    tables = {"vertebrae": vertebrae, "scans": scans, "summary": _summary(scans), "history": _history()}
    for name, frame in tables.items():
        frame.to_csv(tree.aggregate / f"{name}.tsv", sep="\t", index=False)
    return tree


def _core(path: Path, case: str, *, empty: bool) -> None:
    rng = np.random.default_rng(7)
    rows = np.zeros((CLASSES, SHAPE[0]), np.float32)
    if empty:
        np.savez(path, localisation=rows, embeddings=np.zeros((0, 0), np.float32), classes=np.zeros(0, np.int64))
        return
    truth = truth_of(case)
    for index in np.unique(truth[truth > 0]):
        rows[index] = 0.9 * (truth == index).any(axis=(1, 2))
    classes = np.repeat(np.unique(truth[truth > 0]), 3).astype(np.int64)
    centres = np.random.default_rng(1).normal(size=(CLASSES, 8))
    embeddings = (centres[classes] + rng.normal(0, 0.2, (len(classes), 8))).astype(np.float32)
    np.savez(path, localisation=rows, embeddings=embeddings, classes=classes)


def _weights(path: Path, *, with_core: bool) -> None:
    tensors = {"encoder.weight": np.zeros((2, 2), np.float32)}
    if with_core:
        centres = np.random.default_rng(1).normal(size=(CLASSES, 1, 8))
        tensors["core.ocpl.prototypes"] = np.repeat(centres, 4, axis=1).astype(np.float32)
    save_file(tensors, str(path))


def _run(path: Path, stage: str, *, seconds: float, seed: int | None = None) -> None:
    entry = {
        "stage": stage,
        "config": {stage: {"learning_rate": 0.002}},
        "code": "0123456789ab",
        "revision": "f" * 40,
        "versions": {"python": "3.11.7", "torch": "2.13.0"},
        "device": "cpu",
        "seed": seed,
        "inputs": {},
        "started": "2025-01-02T03:04:05Z",
        "seconds": seconds,
    }
    path.write_text(json.dumps(entry), encoding="utf-8")


def _vertebra_rows() -> list[dict]:
    rows = []
    for model in MODELS:
        for case, (_, fold) in CASES.items():
            truth, found = truth_of(case), prediction_of(case)
            for space in SPACES:
                shown = truth if space == "ceiling" else found
                for index in sorted({*np.unique(truth), *np.unique(shown)} - {0}):
                    rows.append(
                        _vertebra_row(model, fold, case, space, int(index), truth == index, shown == index, truth)
                    )
    return rows


def _vertebra_row(
    model: str, fold: int, case: str, space: str, index: int, truth: np.ndarray, found: np.ndarray, labels: np.ndarray
) -> dict:
    loss = {"work": 1.0, "raw": 0.9, "input": 0.85, "ceiling": 0.92}[space] * (0.9 if model == "unet" else 1.0)
    dice = 2 * (truth & found).sum() / max(truth.sum() + found.sum(), 1) * loss
    below = np.bincount(labels[found], minlength=CLASSES)[1:]
    near = BY_INDEX[int(below.argmax()) + 1].name if below.any() else ""
    hit = bool(truth.any() and found.any() and near == BY_INDEX[index].name)
    return {
        "model": model, "repeat": 0, "fold": fold, "case": case, "patient": case, "space": space,
        "scope": "vertebra", "label": BY_INDEX[index].name,
        "truth": bool(truth.any()), "predicted": bool(found.any()), "complete": True,
        "dice": dice if truth.any() and found.any() else (0.0 if truth.any() else np.nan),
        "hit_verse": hit if truth.any() else np.nan, "hit_strict": hit if truth.any() else np.nan,
        "nearest_label": near,
    }  # fmt: skip


def _scan_rows(vertebrae: pd.DataFrame) -> list[dict]:
    rows = []
    for (model, fold, case, space), group in vertebrae.groupby(["model", "fold", "case", "space"]):
        truth = group[group["truth"]]
        rate = float(truth["hit_verse"].mean())
        rows.append({
            "model": model, "repeat": 0, "fold": fold, "case": case, "patient": case, "space": space,
            "scope": "scan", "label": "",
            "dice": truth["dice"].mean(), "binary_dice": 0.93, "id_rate_verse": rate, "id_rate_strict": rate,
            "precision": rate, "f1": rate, "d_mean_mm": 2.5, "n_truth": len(truth),
            "n_predicted": int(group["predicted"].sum()), "all_right": rate == 1, "shift": 1 if rate == 0 else 0,
            "flagged": rate == 0,
        })  # fmt: skip
    return rows


def _summary(scans: pd.DataFrame) -> pd.DataFrame:
    rows = []
    for (model, space), group in scans.groupby(["model", "space"]):
        for metric in ("dice", "binary_dice", "id_rate_verse"):
            mean = group[metric].mean()
            rows.append({"model": model, "space": space, "metric": metric, "mean": mean, "sd": group[metric].std(),
                         "low": mean - 0.1, "high": min(mean + 0.1, 1), "n": len(group)})  # fmt: skip
    return pd.DataFrame(rows)


def _history() -> pd.DataFrame:
    rows = []
    for model in MODELS:
        for fold in FOLDS:
            for epoch in range(6):
                loss = 3.0 * 0.8**epoch + 0.1 * fold
                terms = {"spine": loss / 4, "vertebrae": loss / 2, "localisation": 0 if model == "unet" else loss / 8}
                rows.append({"model": model, "repeat": 0, "fold": fold, "epoch": epoch, "step": 100 * epoch,
                             "phase": "train", "lr": 1e-3, "seconds": 20.0, **terms, "total": loss})  # fmt: skip
                if epoch % 2:
                    rows.append({"model": model, "repeat": 0, "fold": fold, "epoch": epoch, "step": 100 * epoch,
                                 "phase": "validation", "dice": 0.1 * epoch, "binary_dice": 0.15 * epoch,
                                 "id_rate": 0.12 * epoch})  # fmt: skip
    return pd.DataFrame(rows)
