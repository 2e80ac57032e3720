"""Training curves: loss terms per epoch and validation scores, a row per model, a colour per fold.

Figure of the stage `figures`; input is aggregate/history.tsv (one row per epoch and one per validation).
"""

from __future__ import annotations

from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from siil.metrics import pool
from siil.report.style import MUTED, blank, model_colour, nothing_to_show, styled

TERMS = ("spine", "vertebrae", "instance", "semantic", "localisation", "presence", "contrast")
SCORES = {"dice": "mean Dice per vertebra", "binary_dice": "binary Dice", "id_rate": "identification rate"}
_SCORE_STYLE = {"dice": "-", "binary_dice": "--", "id_rate": ":"}


@styled
def training_curves(history: pd.DataFrame) -> Figure:
    """Three panels per model: total loss by fold, loss terms (mean over folds, log scale), validation by fold.

    The repeats of a training are lines of the same colour.

    Args:
        history: columns model, repeat, fold, epoch, phase (train or validation), total, one per loss term and score.
    """
    if history.empty:
        return nothing_to_show("No training history: no model of this experiment was trained here.")
    models = list(dict.fromkeys(history["model"]))
    figure = blank(height_in=3.2 * len(models))
    panels = figure.subplots(len(models), 3, squeeze=False)
    for row, model in zip(panels, models, strict=True):
        here = history[history["model"] == model]
        _losses(row[0], here, title=f"{model}: total loss")
        _terms(row[1], here)
        _validation(row[2], here)
    return figure


def _losses(axis: Axes, history: pd.DataFrame, *, title: str) -> None:
    axis.set_title(title)
    train = history[history["phase"] == "train"]
    for position, (fold, of_fold) in enumerate(train.groupby("fold")):
        for repeat, rows in of_fold.groupby("repeat"):
            label = f"fold {fold}" if repeat == 0 else None
            axis.plot(rows["epoch"], rows["total"], color=model_colour(position), label=label, **_look(history))
    _finish(axis, legend=not train.empty)


def _terms(axis: Axes, history: pd.DataFrame) -> None:
    axis.set_title("loss terms, mean " + ("over folds" if pool.repeats(history) == 1 else "of trainings"))
    train = history[history["phase"] == "train"]
    shown = [term for term in TERMS if term in train and (train[term].fillna(0) > 0).any()]
    means = train.groupby("epoch")[shown].mean() if shown else pd.DataFrame()
    for position, term in enumerate(shown):
        values = means[term].where(means[term] > 0)
        axis.plot(means.index, values, color=model_colour(position), label=term, lw=1.1)
    if shown:
        axis.set_yscale("log")
    _finish(axis, legend=bool(shown), columns=3)


def _validation(axis: Axes, history: pd.DataFrame) -> None:
    axis.set_title("validation")
    rows = history[history["phase"] == "validation"]
    for position, (_, of_fold) in enumerate(rows.groupby("fold")):
        for score, dashes in _SCORE_STYLE.items():
            for _, line in of_fold.groupby("repeat") if score in of_fold else ():
                axis.plot(line["epoch"], line[score], dashes, color=model_colour(position), **_look(history))
    for score, dashes in _SCORE_STYLE.items():
        axis.plot([], [], dashes, color=MUTED, label=SCORES[score])
    axis.set_ylim(0, 1.02)
    _finish(axis, legend=not rows.empty)
    if rows.empty:
        axis.text(0.5, 0.5, "no validation", ha="center", va="center", color=MUTED, transform=axis.transAxes)
        axis.set_xticks([])


def _look(history: pd.DataFrame) -> dict[str, Any]:
    """Thin lines where trainings were repeated."""
    return {"marker": ".", "ms": 3} if pool.repeats(history) == 1 else {"marker": ".", "ms": 2, "lw": 0.7}


def _finish(axis: Axes, *, legend: bool, columns: int = 1) -> None:
    axis.set_xlabel("epoch")
    axis.xaxis.set_major_locator(MaxNLocator(integer=True))
    axis.grid(True, axis="y")
    axis.set_axisbelow(True)
    if legend:
        place = (0.5, -0.24)  # below the axis' name, where no curve runs
        axis.legend(loc="upper center", bbox_to_anchor=place, ncols=columns, handlelength=1.8, columnspacing=1.0)
