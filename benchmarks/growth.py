"""How the numbers grow with what was spent: phantoms seen and steps trained, on logarithmic axes.

    python -m benchmarks.growth runs.tsv --output docs/figures

runs.tsv has a row per training: series, phantoms, steps, and of id_rate, dice, all_right what was measured (the row
`phantoms` of benchmarks/labels.py). Writes growth.png and growth.pdf.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from siil.errors import DatasetError, SiilError
from siil.report.style import blank, model_colour, nothing_to_show, save, styled
from siil.run.tsv import read_table

METRICS = {
    "id_rate": "identification rate",
    "dice": "Dice per vertebra",
    "all_right": "scans all right",
}
_SPENT = {"phantoms": "phantoms seen", "steps": "steps trained"}


@styled
def growth_figure(runs: pd.DataFrame, metrics: Sequence[str] = tuple(METRICS)) -> Figure:
    """A row of panels over the phantoms seen, one over the steps trained; a colour per series.

    Args:
        runs: a row per training, with the columns `series` (what else differs), `phantoms`, `steps`, and of `metrics`
            those that were measured; an absent value is left out. A line joins the rows of a series that differ only in
            what the axis shows: over phantoms those of equal steps, over steps those of equal phantoms; where no two
            rows are alike in either, one training went on from the other, and a line joins them all.
        metrics: columns, a column of panels each.
    """
    missing = {"series", *_SPENT} - set(runs.columns)
    if missing:
        raise DatasetError(f"table of runs: columns {sorted(missing)} are missing")
    shown = [name for name in metrics if name in runs and runs[name].notna().any()]
    if not shown:
        return nothing_to_show("No run was measured.")
    figure = blank(height_in=5.2)
    panels = figure.subplots(len(_SPENT), len(shown), squeeze=False, sharey="col")
    for row, spent in zip(panels, _SPENT, strict=True):
        for axis, name in zip(row, shown, strict=True):
            _panel(axis, runs, spent, name)
            axis.set(xlabel=_SPENT[spent], title=METRICS.get(name, name))
    drawn = [panel.get_legend_handles_labels() for panel in panels.flat]
    series = {label: handle for handles, labels in drawn for handle, label in zip(handles, labels, strict=True)}
    figure.legend(list(series.values()), list(series), loc="outside upper right", ncols=2)
    return figure


def _panel(axis: Axes, runs: pd.DataFrame, spent: str, metric: str) -> None:
    other = next(name for name in _SPENT if name != spent)
    named: set[str] = set()
    for number, series in enumerate(dict.fromkeys(runs["series"])):
        known = runs[(runs["series"] == series) & runs[metric].notna()]
        chain = known["phantoms"].is_unique and known["steps"].is_unique
        for line in [known] if chain else [rows for _, rows in known.groupby(other)]:
            line = line.sort_values(spent)
            label = "" if series in named else str(series)
            named.add(series)
            axis.plot(line[spent], line[metric], color=model_colour(number), marker="o", markersize=3.5, label=label)
    axis.set_xscale("log")
    axis.xaxis.set_major_formatter(lambda value, _: f"{value:,g}")
    axis.minorticks_off()
    axis.grid(visible=True, axis="y")


def main() -> None:
    """Read the table, draw the figure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", type=Path)
    parser.add_argument("--output", type=Path, required=True)
    options = parser.parse_args()
    try:
        save(growth_figure(read_table(options.runs)), options.output, "growth")
    except (OSError, ValueError, SiilError) as error:
        raise SystemExit(f"ERROR: {options.runs}: {error}") from None


if __name__ == "__main__":
    main()
