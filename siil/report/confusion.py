"""Confusion matrix of labels: what each predicted vertebra was called, against the vertebra that it covers.

Figure of the stage `figures`; input is aggregate/vertebrae.tsv, space work.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from siil.anatomy import VERTEBRAE
from siil.metrics import pool
from siil.report.style import INK, MUTED, blank, nothing_to_show, styled

NONE = "none"
"""Row of predictions that cover no vertebra, column of vertebrae that no prediction covers."""


def confusion_counts(rows: pd.DataFrame) -> pd.DataFrame:
    """Counts [truth, predicted label] from the rows of one model and space.

    A predicted vertebra counts once, in the row of the truth vertebra that it overlaps most (`nearest_label`). A truth
    vertebra that is nobody's nearest counts in column `none`. Only levels that occur appear, in anatomical order.
    """
    predicted = rows[rows["predicted"].fillna(False).astype(bool)]
    truth = rows[rows["truth"].fillna(False).astype(bool)]
    pairs = [(near or NONE, label) for near, label in zip(predicted["nearest_label"], predicted["label"], strict=True)]
    scan = ["repeat", "fold", "case"]
    covered = set(predicted[[*scan, "nearest_label"]].itertuples(index=False, name=None))
    missed = [key[-1] for key in truth[[*scan, "label"]].itertuples(index=False, name=None) if key not in covered]
    pairs += [(label, NONE) for label in missed]
    seen = {name for pair in pairs for name in pair}
    order = [vertebra.name for vertebra in VERTEBRAE if vertebra.name in seen] + [NONE]
    counts = pd.DataFrame(0, index=order, columns=order)
    for row, column in pairs:
        counts.loc[row, column] += 1
    return counts


@styled
def confusion(vertebrae: pd.DataFrame, *, models: Sequence[str]) -> Figure:
    """One matrix per model; colour: share of the row, number: count, mean over the repeats."""
    work = vertebrae[vertebrae["space"] == "work"]
    if work.empty:
        return nothing_to_show("No vertebra was scored on the working grid.")
    columns = min(2, len(models))
    height = -(-len(models) // columns)
    size = 5.6 if columns == 1 else 4.6
    figure = blank(width_in=size * columns + 0.4, height_in=size * height)
    panels = figure.subplots(height, columns, squeeze=False).ravel()
    for axis, model in zip(panels, models, strict=False):
        here = work[work["model"] == model]
        _matrix(axis, confusion_counts(here) / pool.repeats(here), title=model)
    for axis in panels[len(models) :]:
        axis.set_axis_off()
    return figure


def _matrix(axis: Axes, counts: pd.DataFrame, *, title: str) -> None:
    values = counts.to_numpy()
    total = values.sum(axis=1, keepdims=True)
    share = values / np.where(total > 0, total, 1)
    axis.imshow(share, cmap="Blues", vmin=0, vmax=1, aspect="equal")
    size = 7 if len(counts) <= 16 else 5.5
    for row, column in zip(*np.nonzero(values), strict=True):
        right = row == column
        colour = "white" if share[row, column] > 0.55 else (INK if right else "#b3261e")
        axis.text(
            column, row, f"{round(values[row, column], 1):g}", ha="center", va="center", fontsize=size, color=colour
        )
    axis.set_xticks(range(len(counts)), counts.columns, rotation=90, fontsize=size)
    axis.set_yticks(range(len(counts)), counts.index, fontsize=size)
    axis.axhline(len(counts) - 1.5, color=MUTED, lw=0.6)
    axis.axvline(len(counts) - 1.5, color=MUTED, lw=0.6)
    labelled = values[:-1].sum()
    correct = np.trace(values[:-1, :-1])
    share_right = f"{correct / labelled:.0%} of {round(labelled, 1):g}" if labelled else "none"
    axis.set(title=f"{title}: {share_right} called right", xlabel="predicted label", ylabel="vertebra of the truth")
    axis.tick_params(length=0)
