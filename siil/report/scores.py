"""Figures of scores: Dice by region and grid, scores per vertebra, models side by side, scores against their ceiling.

Figures of the stage `figures`; input are the rows of aggregate/vertebrae.tsv and scans.tsv. Only vertebrae of the truth
count here: a missed one has Dice 0; invented ones show in the confusion matrix and in precision.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from siil.anatomy import REGIONS, VERTEBRAE
from siil.config.schema.report import Report
from siil.metrics import pool
from siil.report.style import (
    INK,
    MUTED,
    REGION_COLOURS,
    SPACE_COLOURS,
    SPACE_NAMES,
    blank,
    model_colour,
    nothing_to_show,
    styled,
)

SCAN_SCORES = {
    "dice": "mean Dice per vertebra",
    "binary_dice": "binary Dice",
    "id_rate_verse": "identification, VerSe",
    "id_rate_strict": "identification, strict",
    "f1": "F1 of detection",
}


def truth_rows(vertebrae: pd.DataFrame, *, model: str, space: str) -> pd.DataFrame:
    """Rows of the truth's vertebrae in one space, Dice of missed ones set to 0, with a column `region` (C, T, L)."""
    chosen = (vertebrae["model"] == model) & (vertebrae["space"] == space) & vertebrae["truth"].fillna(False)
    rows = vertebrae[chosen.astype(bool)].copy()
    rows["dice"] = rows["dice"].fillna(0.0)
    rows["region"] = rows["label"].str[0]
    return rows


@styled
def dice_box(vertebrae: pd.DataFrame, *, models: Sequence[str]) -> Figure:
    """Box plots of Dice by region, one box per grid, one panel per model, every vertebra of every training a dot."""
    spaces = [space for space in SPACE_NAMES if (vertebrae["space"] == space).any()]
    if not spaces:
        return nothing_to_show("No vertebra was scored.")
    figure = blank(height_in=2.7 * len(models) + 0.5)
    panels = figure.subplots(len(models), 1, squeeze=False)[:, 0]
    groups = {"all": "all", **REGIONS}
    step = 0.8 / max(4, len(spaces))
    for axis, model in zip(panels, models, strict=True):
        for offset, space in enumerate(spaces):
            rows = truth_rows(vertebrae, model=model, space=space)
            values = [rows["dice"] if key == "all" else rows.loc[rows["region"] == key, "dice"] for key in groups]
            places = np.arange(len(groups)) + (offset - (len(spaces) - 1) / 2) * step
            _boxes(axis, values, places, step=step, colour=SPACE_COLOURS[space], label=SPACE_NAMES[space])
        counts = pool.once(truth_rows(vertebrae, model=model, space=spaces[0]))["region"].value_counts()
        names = [f"{name}\nn = {counts.get(key, 0) if key != 'all' else counts.sum()}" for key, name in groups.items()]
        axis.set_xticks(range(len(groups)), names)
        axis.set(title=model, ylabel="Dice per vertebra", ylim=(-0.02, 1.02))
        axis.grid(True, axis="y")
        axis.set_axisbelow(True)
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper right", ncols=3)  # as many as the page is wide
    return figure


def _boxes(axis: Axes, values: list[pd.Series], places: np.ndarray, *, step: float, colour: str, label: str) -> None:
    for place, series in zip(places, values, strict=True):
        if series.empty:
            continue
        spread = np.random.default_rng(len(series)).uniform(-0.3 * step, 0.3 * step, len(series))
        axis.scatter(place + spread, series, s=3, color=INK, alpha=0.28, linewidths=0, zorder=3)
        axis.boxplot(
            [series.to_numpy(float)],
            positions=[place],
            widths=0.85 * step,
            showfliers=False,
            patch_artist=True,
            boxprops={"facecolor": colour, "edgecolor": INK, "linewidth": 0.6, "alpha": 0.9},
            medianprops={"color": INK, "linewidth": 1.3},
            whiskerprops={"color": MUTED, "linewidth": 0.7},
            capprops={"color": MUTED, "linewidth": 0.7},
            manage_ticks=False,
        )
    axis.bar([np.nan], [np.nan], color=colour, edgecolor=INK, linewidth=0.6, label=label)


@styled
def per_vertebra(vertebrae: pd.DataFrame, *, models: Sequence[str], settings: Report) -> Figure:
    """Bars per level on the working grid: mean Dice and identification rate (VerSe), with their intervals."""
    rows = pd.concat([truth_rows(vertebrae, model=model, space="work") for model in models])
    levels = [vertebra.name for vertebra in VERTEBRAE if (rows["label"] == vertebra.name).any()]
    if not levels:
        return nothing_to_show("No vertebra of the truth was scored on the working grid.")
    rows["identified"] = rows["hit_verse"].fillna(False).astype(float)
    pooled = pool.summarise(rows, by=["model", "label"], metrics=["dice", "identified"], settings=settings)
    figure = blank(height_in=4.6)
    upper, lower = figure.subplots(2, 1, sharex=True)
    for axis, metric in ((upper, "dice"), (lower, "identified")):
        _bars(axis, pooled[pooled["metric"] == metric], models=models, levels=levels)
    once = pool.once(rows)
    counts = once.loc[once["model"] == models[0], "label"].value_counts()
    lower.set_xticks(range(len(levels)), [f"{level}\n{counts.get(level, 0)}" for level in levels])
    lower.set_xlabel("vertebra, and how many the scans hold")
    upper.set(title=f"working grid; bars: mean, lines: {settings.confidence:.0%} interval", ylabel="Dice")
    lower.set(ylabel="identification rate")
    if len(models) > 1:
        handles, labels = upper.get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper right", ncols=min(len(models), 5))
    return figure


def _bars(axis: Axes, pooled: pd.DataFrame, *, models: Sequence[str], levels: list[str]) -> None:
    width = 0.82 / len(models)
    for position, model in enumerate(models):
        rows = pooled[pooled["model"] == model].set_index("label").reindex(levels)
        place = np.arange(len(levels)) + (position - (len(models) - 1) / 2) * width
        colours = [REGION_COLOURS[level[0]] for level in levels] if len(models) == 1 else model_colour(position)
        axis.bar(place, rows["mean"], width, color=colours, alpha=0.85, linewidth=0, label=model)
        axis.vlines(place, rows["low"], rows["high"], color=INK, lw=1.0)
    axis.set_ylim(0, 1.03)
    axis.grid(True, axis="y")
    axis.set_axisbelow(True)


@styled
def comparison(scans: pd.DataFrame, *, models: Sequence[str], settings: Report) -> Figure:
    """Models side by side, working grid: mean over scans of each score with its bootstrap interval; dots: scans."""
    shown = {name: title for name, title in SCAN_SCORES.items() if name in scans and scans[name].notna().any()}
    work = scans[scans["space"] == "work"]
    if not shown or work.empty:
        return nothing_to_show("No scan was scored on the working grid.")
    pooled = pool.summarise(work, by=["model"], metrics=list(shown), settings=settings).set_index(["model", "metric"])
    figure = blank(height_in=0.42 * len(models) + 1.3)
    panels = figure.subplots(1, len(shown), sharey=True, squeeze=False)[0]
    for axis, (score, title) in zip(panels, shown.items(), strict=True):
        for position, model in enumerate(models):
            of_scan = work[work["model"] == model].groupby(["fold", "case"], sort=False)[score].mean()
            values = of_scan.dropna().to_numpy(float)  # of a scan, over its repeats
            if not len(values):
                continue
            mean, low, high = pooled.loc[(model, score), ["mean", "low", "high"]].astype(float)
            spread = np.random.default_rng(position).uniform(-0.16, 0.16, len(values))
            axis.scatter(values, position + spread, s=6, color=model_colour(position), alpha=0.4, linewidths=0)
            axis.plot([low, high], [position, position], color=INK, lw=1.4)
            axis.plot(mean, position, "o", color=model_colour(position), mec=INK, mew=0.8, ms=6.5)
            axis.annotate(f"{mean:.3f}", (mean, position), xytext=(0, 8), size=7, textcoords="offset points",
                          ha="center")  # fmt: skip
        axis.set_title(title, fontsize=8)
        axis.set(yticks=range(len(models)), yticklabels=models, ylim=(len(models) - 0.4, -0.7))
        axis.xaxis.set_major_locator(MaxNLocator(4))
        axis.grid(True, axis="x")
        axis.margins(x=0.14)
    return figure


@styled
def ceiling(vertebrae: pd.DataFrame, *, model: str) -> Figure:
    """Dice on the input's own grid against what a perfect map reaches there, a dot per vertebra and training."""
    keys = ["repeat", "fold", "case", "label"]
    reached = truth_rows(vertebrae, model=model, space="input")
    best = truth_rows(vertebrae, model=model, space="ceiling")[[*keys, "dice"]].rename(columns={"dice": "ceiling"})
    rows = reached.merge(best, on=keys)
    if rows.empty:
        return nothing_to_show("Scores on the input's own grid were not asked for (evaluate.input_grid: false).")
    figure = blank(width_in=5.2, height_in=4.2)
    axis = figure.subplots()
    for region, name in REGIONS.items():
        part = rows[rows["region"] == region]
        label = f"{name}: {part['dice'].mean():.3f} of {part['ceiling'].mean():.3f}" if len(part) else f"{name}: none"
        axis.scatter(part["ceiling"], part["dice"], s=14, color=REGION_COLOURS[region], alpha=0.7, lw=0, label=label)
    low = min(rows["ceiling"].min(), 0.95) - 0.02
    axis.plot([0, 1], [0, 1], color=MUTED, lw=0.8, ls="--")
    axis.text(1.0, 0.985, "ceiling ", ha="right", va="top", fontsize=7, color=MUTED)
    axis.set(xlim=(low, 1.005), ylim=(-0.02, 1.02), title=f"{model}: input's own grid")
    axis.set(xlabel="Dice of the truth put through the working grid", ylabel="Dice of the prediction")
    axis.grid(True)
    axis.set_axisbelow(True)
    axis.legend(loc="lower left")
    return figure
