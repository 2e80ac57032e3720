"""The table of figures: name -> title, caption, and the function that draws it from the results.

The stage `figures` draws all of them, the workflow declares them by name (so the list never depends on the data: a
figure with nothing to show says so), the report shows them in this order. matplotlib is imported when one is drawn.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from siil.report.overlays import Picture
    from siil.report.results import Results

WORST: Final = 8
"""Scans on the sheet of worst cases."""


@dataclass(frozen=True, slots=True)
class FigureSpec:
    """One figure. `caption` is a plain sentence or two; it is also the alternative text of the image."""

    title: str
    caption: str
    draw: Callable[[Results], Figure]


def _training_curves(results: Results) -> Figure:
    from siil.report.curves import training_curves

    return training_curves(results.history)


def _comparison(results: Results) -> Figure:
    from siil.report.scores import comparison

    return comparison(results.scans, models=results.models, settings=results.settings)


def _dice_box(results: Results) -> Figure:
    from siil.report.scores import dice_box

    return dice_box(results.vertebrae, models=results.models)


def _per_vertebra(results: Results) -> Figure:
    from siil.report.scores import per_vertebra

    return per_vertebra(results.vertebrae, models=results.models, settings=results.settings)


def _confusion(results: Results) -> Figure:
    from siil.report.confusion import confusion

    return confusion(results.vertebrae, models=results.models)


def _ceiling(results: Results) -> Figure:
    from siil.report.scores import ceiling

    return ceiling(results.vertebrae, model=results.method)


def _overlays(results: Results) -> Figure:
    from siil.report.overlays import overlays

    ranking = results.ranking(results.method)
    return overlays([_picture(results, row, f"{word}: ") for word, row in _landmarks(ranking)])


def _worst_cases(results: Results) -> Figure:
    from siil.report.overlays import worst_cases

    return worst_cases(
        [_picture(results, row, "") for _, row in results.ranking(results.method).head(WORST).iterrows()]
    )


def _localisation(results: Results) -> Figure:
    from siil.report.traces import Localised, localisation

    model = next((name for name in results.models if _has_core(results, name)), None)
    items = []
    if model is not None:
        for word, row in _landmarks(results.ranking(model)):
            if word != "best":
                fold, case = int(row["fold"]), str(row["case"])
                scan, trace = results.scan(model, fold, case), results.core(model, fold, case)
                items.append(Localised(scan, trace, f"{word}: {case}"))
    return localisation(items)


def _embeddings(results: Results) -> Figure:
    import numpy as np

    from siil.report.traces import Embedded, embeddings

    groups = []
    model = next((name for name in results.models if _has_core(results, name)), None)
    for fold in results.folds if model is not None else ():
        ranking = results.ranking(str(model))
        traces = [results.core(str(model), fold, case) for case in ranking.loc[ranking["fold"] == fold, "case"]]
        traces = [trace for trace in traces if trace.embeddings.size]
        if traces:
            stacked = np.concatenate([trace.embeddings for trace in traces])
            classes = np.concatenate([trace.classes for trace in traces])
            groups.append(Embedded(stacked, classes, results.prototypes(str(model), fold), f"{model}, fold {fold}"))
    return embeddings(groups)


def _has_core(results: Results, model: str) -> bool:
    """Whether any tested scan of the model left a trace of the instance stream."""
    rows = results.ranking(model)
    return any(not results.core(model, int(r["fold"]), str(r["case"])).empty for _, r in rows.iterrows())


def _landmarks(ranking: pd.DataFrame) -> list[tuple[str, pd.Series]]:
    """Worst, median and best row; fewer when there are fewer scans."""
    places = {"worst": 0, "median": len(ranking) // 2, "best": len(ranking) - 1}
    chosen = {place: word for word, place in reversed(places.items()) if 0 <= place < len(ranking)}
    return [(word, ranking.iloc[place]) for place, word in sorted(chosen.items())]


def _picture(results: Results, row: pd.Series, prefix: str) -> Picture:
    from siil.report.overlays import Picture

    fold, case = int(row["fold"]), str(row["case"])
    words = f"{prefix}{case}\nDice {row['dice']:.2f}, identified {row['id_rate_verse']:.2f}"
    return Picture(results.scan(results.method, fold, case), words)


FIGURES: Final[dict[str, FigureSpec]] = {
    "comparison": FigureSpec(
        "Scores of every model",
        "Means over scans on the working grid after decoding, with bootstrap intervals over patients; dots are scans.",
        _comparison,
    ),
    "dice_box": FigureSpec(
        "Dice by region and grid",
        "Dice of every vertebra of the truth (a missed one counts 0) by region: the network alone, after decoding, "
        "and put back on the input's own grid beside the ceiling that a perfect working-grid map reaches there.",
        _dice_box,
    ),
    "per_vertebra": FigureSpec(
        "Scores per vertebra",
        "Mean Dice and identification rate in VerSe's definition of each level on the working grid, with bootstrap "
        "intervals over patients; the number under a name says how many vertebrae that is.",
        _per_vertebra,
    ),
    "confusion": FigureSpec(
        "Confusion of labels",
        "What each predicted vertebra was called, against the vertebra of the truth that it covers most. Column none: "
        "vertebrae that no prediction covers; row none: predictions that cover no vertebra.",
        _confusion,
    ),
    "ceiling": FigureSpec(
        "Input's own grid, and its ceiling",
        "Dice of each vertebra on the input's own grid against the Dice of the truth itself after a way through the "
        "working grid: what lies on the dashed line lost nothing but resolution.",
        _ceiling,
    ),
    "overlays": FigureSpec(
        "Worst, median and best scan",
        "CT in planes that follow the spine (sagittal, coronal). Lines: truth; fill: prediction, each vertebra in its "
        "own colour. Names of the truth on the left, of the prediction on the right, wrong ones in red.",
        _overlays,
    ),
    "worst_cases": FigureSpec(
        "Worst scans",
        "The scans with the lowest mean Dice per vertebra, worst first. Lines: truth; fill: prediction; names of the "
        "truth on the left, of the prediction on the right, wrong ones in red.",
        _worst_cases,
    ),
    "training_curves": FigureSpec(
        "Training",
        "Total loss by fold, loss terms as means over folds, and scores on the validation scans (which choose the "
        "best epoch; the test scans take no part). Repeated trainings are lines of the same colour.",
        _training_curves,
    ),
    "localisation": FigureSpec(
        "Localisation matrix L",
        "Which axial slices each vertebra occupies: the network's probability along the scan, blended over windows, "
        "with the truth outlined, and the rows of the truth. Worst and median scan.",
        _localisation,
    ),
    "embeddings": FigureSpec(
        "Embeddings and prototypes",
        "Embeddings of the vertebrae of all tested scans as unit vectors in their first two principal components, "
        "coloured by vertebra of the prediction; diamonds are the prototypes that the network holds of each class.",
        _embeddings,
    ),
}
NAMES: Final = tuple(FIGURES)
