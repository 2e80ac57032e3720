"""Figures of the instance stream: the localisation matrix L along a scan, and the embeddings with their prototypes.

Figures of the stage `figures`; paper: sections on MILL (L) and OCPL (embeddings e_j, prototypes P). Input is
{case}_core.npz of the test stage and the prototypes of the weights file. Baselines have neither.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke

from siil.anatomy import BY_INDEX, CLASSES
from siil.report.overlays import draw_plane
from siil.report.results import CoreTrace, Scan
from siil.report.style import INK, MUTED, WIDTH_IN, blank, nothing_to_show, styled, vertebra_colour

NO_CORE = "The models of this experiment have no instance stream: no localisation matrix, no embeddings."


@dataclass(frozen=True, slots=True)
class Localised:
    """A scan, its trace, and the words above it."""

    scan: Scan
    trace: CoreTrace
    title: str


@dataclass(frozen=True, slots=True)
class Embedded:
    """Embeddings [n, E] of the scans of one fold, their classes [n], and the fold's prototypes [K, k, E] or None."""

    embeddings: np.ndarray
    classes: np.ndarray
    prototypes: np.ndarray | None
    title: str


@styled
def localisation(items: Sequence[Localised]) -> Figure:
    """Per scan: sagittal CT, predicted L (probability of each class in each axial slice), rows of the truth."""
    items = [item for item in items if not item.trace.empty]
    if not items:
        return nothing_to_show(NO_CORE)
    figure = blank(width_in=WIDTH_IN + 1, height_in=4.0 * len(items))
    panels = figure.subplots(len(items), 3, squeeze=False, gridspec_kw={"width_ratios": [0.95, 1.3, 1.3]})
    for (picture, predicted, truth), item in zip(panels, items, strict=True):
        _localised(picture, predicted, truth, item)
    return figure


def truth_localisation(truth: np.ndarray) -> np.ndarray:
    """[K, Z] bool: does axial slice z of `truth` [Z, Y, X] (internal indices) hold class j? Row 0 is False."""
    rows = np.zeros((CLASSES, truth.shape[0]), bool)
    for z, plane in enumerate(truth):
        rows[np.unique(plane), z] = True
    rows[0] = False
    return rows


def _localised(picture: Axes, predicted: Axes, truth: Axes, item: Localised) -> None:
    spacing_mm = item.scan.spacing_mm
    target = truth_localisation(item.scan.truth)
    found = item.trace.localisation.copy()
    found[0] = 0
    used = np.flatnonzero(target.any(axis=1) | (found > 0.25).any(axis=1))
    low, high = (max(1, int(used[0]) - 1), min(CLASSES - 1, int(used[-1]) + 1)) if len(used) else (1, CLASSES - 1)
    classes = range(low, high + 1)
    height_mm = item.scan.truth.shape[0] * spacing_mm
    extent = (-0.5, len(classes) - 0.5, 0.0, height_mm)
    draw_plane(picture, item.scan, view="sagittal", names=False)
    width_mm = picture.get_xlim()[1]
    half_mm = min(width_mm, 0.62 * height_mm) / 2  # narrow enough to fill the height: z lines up with the matrices
    picture.set(xlim=(width_mm / 2 - half_mm, width_mm / 2 + half_mm), xticks=[])
    picture.set_ylabel(f"{item.title}\nheight in the scan, mm")
    shade = predicted.imshow(found[low : high + 1].T, cmap="cividis", vmin=0, vmax=1, origin="lower", extent=extent,
                             aspect="auto")  # fmt: skip
    predicted.figure.colorbar(shade, ax=predicted, fraction=0.04, pad=0.02)
    predicted.set_title("predicted L, before the threshold")
    truth.set_facecolor("#f3f4f6")
    for axis in (predicted, truth):
        for column, index in enumerate(classes):
            _run(axis, target[index], column, index, spacing_mm=spacing_mm, filled=axis is truth)
        axis.set_xticks(range(len(classes)), [BY_INDEX[index].name for index in classes], rotation=90)
        axis.set(xlim=extent[:2], ylim=extent[2:], xlabel="vertebra")
    truth.set_title("truth")


def _run(axis: Axes, row: np.ndarray, column: int, index: int, *, spacing_mm: float, filled: bool) -> None:
    """The slices of one class of the truth: a filled box, or an outline over the prediction."""
    slices = np.flatnonzero(row)
    if not len(slices):
        return
    bottom_mm, top_mm = slices[0] * spacing_mm, (slices[-1] + 1) * spacing_mm
    look = {"color": vertebra_colour(index)} if filled else {"fill": False, "ec": "white", "lw": 0.8}
    axis.bar(column, top_mm - bottom_mm, 0.86, bottom=bottom_mm, **look)


@styled
def embeddings(groups: Sequence[Embedded]) -> Figure:
    """Instance embeddings of all tested scans in 2D (principal components of unit vectors), prototypes as diamonds.

    One panel per fold: each fold is another network with another embedding space.
    """
    groups = [group for group in groups if len(group.classes) >= 3]
    if not groups:
        return nothing_to_show(NO_CORE)
    columns = min(2, len(groups))
    rows = -(-len(groups) // columns)
    size = 5.4 if columns == 1 else 4.8
    figure = blank(width_in=size * columns, height_in=size * 0.9 * rows)
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    for axis, group in zip(panels, groups, strict=False):
        _embedded(axis, group)
    for axis in panels[len(groups) :]:
        axis.set_axis_off()
    return figure


def _embedded(axis: Axes, group: Embedded) -> None:
    from sklearn.decomposition import PCA

    pca = PCA(n_components=2, svd_solver="full").fit(_unit(group.embeddings))
    flat = pca.transform(_unit(group.embeddings))
    colours = [vertebra_colour(int(index)) for index in group.classes]
    axis.scatter(*flat.T, s=16, c=colours, alpha=0.75, linewidths=0)
    if group.prototypes is not None:
        for index in sorted({int(c) for c in group.classes}):
            filled = group.prototypes[index][group.prototypes[index].any(axis=1)]
            if len(filled):
                x, y = pca.transform(_unit(filled)).T
                axis.scatter(x, y, s=34, marker="D", color=[vertebra_colour(index)], ec=INK, lw=0.8, zorder=3)
    for index in sorted({int(c) for c in group.classes}):
        x, y = flat[group.classes == index].mean(axis=0)
        axis.text(x, y, BY_INDEX[index].name, fontsize=7, weight="bold", ha="center", va="center", zorder=4,
                  path_effects=[withStroke(linewidth=2, foreground="white")])  # fmt: skip
    first, second = pca.explained_variance_ratio_
    kept = "diamonds: prototypes" if group.prototypes is not None else "no prototypes in the weights"
    axis.set(title=group.title, xlabel=f"first component, {first:.0%}", ylabel=f"second component, {second:.0%}")
    axis.text(0.01, 0.01, kept, fontsize=6.5, color=MUTED,
              transform=axis.transAxes)  # fmt: skip
    axis.set(xticks=[], yticks=[])
    axis.margins(0.08)


def _unit(vectors: np.ndarray) -> np.ndarray:
    values = vectors.astype(np.float64)
    return values / np.maximum(np.linalg.norm(values, axis=1, keepdims=True), 1e-12)
