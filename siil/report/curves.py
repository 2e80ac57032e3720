"""Training curves: loss terms per epoch and validation scores, a row per model, a colour per fold.

Figure of the stage `figures`; input is aggregate/history.tsv (one row per epoch and one per validation).
"""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from siil.report.style import MUTED, blank, model_colour, nothing_to_show, styled

TERMS = ("spine", "vertebrae", "instance", "semantic", "localisation", "presence", "contrast")
SCORES = {"dice": "mean Dice per vertebra", "binary_dice": "binary Dice", "id_rate": "identification rate"}
_SCORE_STYLE = {"dice": "-", "binary_dice": "--", "id_rate": ":"}


@styled
def training_curves(history: pd.DataFrame) -> Figure:
    """Three panels per model: total loss by fold, loss terms (mean over folds, log scale), validation by fold.

    Args:
        history: columns model, fold, epoch, phase (train or validation), total, one per loss term and per score.
    """
    if history.empty:
        return nothing_to_show("No training history: no model of this experiment was trained here.")
    models = list(dict.fromkeys(history["model"]))
    figure = blank(height_in=2.5 * len(models) + 0.3)
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
    for position, (fold, rows) in enumerate(train.groupby("fold")):
        axis.plot(rows["epoch"], rows["total"], color=model_colour(position), label=f"fold {fold}", marker=".", ms=3)
    _finish(axis, legend=not train.empty)


def _terms(axis: Axes, history: pd.DataFrame) -> None:
    axis.set_title("loss terms, mean over folds")
    train = history[history["phase"] == "train"]
    shown = [term for term in TERMS if term in train and (train[term].fillna(0) > 0).any()]
    means = train.groupby("epoch")[shown].mean() if shown else pd.DataFrame()
    for position, term in enumerate(shown):
        values = means[term].where(means[term] > 0)
        axis.plot(means.index, values, color=model_colour(position), label=term, lw=1.1)
    if shown:
        axis.set_yscale("log")
    _finish(axis, legend=bool(shown), columns=2)


def _validation(axis: Axes, history: pd.DataFrame) -> None:
    axis.set_title("validation")
    rows = history[history["phase"] == "validation"]
    for position, (_, fold_rows) in enumerate(rows.groupby("fold")):
        for score, dashes in _SCORE_STYLE.items():
            if score in fold_rows:
                axis.plot(fold_rows["epoch"], fold_rows[score], dashes, color=model_colour(position), marker=".", ms=3)
    for score, dashes in _SCORE_STYLE.items():
        axis.plot([], [], dashes, color=MUTED, label=SCORES[score])
    axis.set_ylim(0, 1.02)
    if rows.empty:
        axis.text(0.5, 0.5, "no validation", ha="center", va="center", color=MUTED, transform=axis.transAxes)
    _finish(axis, legend=not rows.empty)


def _finish(axis: Axes, *, legend: bool, columns: int = 1) -> None:
    axis.set_xlabel("epoch")
    axis.xaxis.set_major_locator(MaxNLocator(integer=True))
    axis.grid(True, axis="y")
    axis.set_axisbelow(True)
    if legend:
        axis.legend(ncols=columns, handlelength=1.8, columnspacing=1.0)
