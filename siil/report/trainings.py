"""The table of what the trainings cost: whether models were compared at equal steps, or at equal time.

Beside the tables of scores (siil.report.tables); input are the rows of aggregate/history.tsv. Pure.
"""

from __future__ import annotations

import pandas as pd

from siil.report.cells import Table


def trainings(history: pd.DataFrame) -> Table:
    """A row per model: trainings (folds times repeats), steps, and wall time with validation, mean over them."""
    ends = history.groupby(["model", "repeat", "fold"], sort=False)[["step", "seconds"]].max()
    rows = []
    for model in history["model"].drop_duplicates():
        of_model = ends.loc[model]
        minutes, steps = of_model["seconds"].mean() / 60, of_model["step"].mean()
        rows.append((model, str(len(of_model)), f"{steps:.0f}", f"{minutes:.1f}", f"{60 * minutes / steps:.3f}"))
    return Table(
        "trainings",
        "What the trainings cost",
        ("Model", "Trainings", "Steps", "Time of one (min)", "Time of a step (s)"),
        tuple(rows),
        (
            "Mean over folds and repeats; wall time with validation, interruptions left out, beside whatever else ran "
            "on the machine. The device is in each training's run.json.",
        ),
    )
