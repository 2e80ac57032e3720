"""Qualitative figures: CT with the truth's contours and the prediction's colours, names of both beside the image.

Figures of the stage `figures`. The planes follow the spine (siil.report.planes). Where prediction and truth agree, line
and colour agree; a wrong label shows as a line of another colour, and its name is red.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from siil.anatomy import BY_INDEX, CLASSES
from siil.report import planes
from siil.report.pair import spread
from siil.report.results import Scan
from siil.report.sheet import WRONG
from siil.report.style import INK, MUTED, WIDTH_IN, blank, nothing_to_show, styled, vertebra_colour, vertebra_map

WINDOW_HU = (-200.0, 900.0)
MARGIN_MM = 22.0
NAME = "name"
"""Marks the texts that name vertebrae."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A scan and the words above it."""

    scan: Scan
    title: str


@styled
def overlays(pictures: Sequence[Picture]) -> Figure:
    """Sagittal and coronal plane of each scan, side by side."""
    if not pictures:
        return nothing_to_show("No scan was tested.")
    views = [(picture, view) for picture in pictures for view in ("sagittal", "coronal")]
    return _sheet(views, columns=len(views))


@styled
def worst_cases(pictures: Sequence[Picture], *, columns: int = 4) -> Figure:
    """Sagittal planes of the scans with the lowest scores, worst first."""
    if not pictures:
        return nothing_to_show("No scan was tested.")
    return _sheet([(picture, "sagittal") for picture in pictures], columns=columns)


def _sheet(views: Sequence[tuple[Picture, str]], *, columns: int) -> Figure:
    width_in, rows = WIDTH_IN + 1.5, -(-len(views) // columns)
    tall = [picture.scan.truth.shape[0] / _width_vox(picture.scan, view) for picture, view in views]
    tallest = [min(max(1.2, *tall[row * columns : (row + 1) * columns]), 3.5) for row in range(rows)]
    heights_in = [ratio * 0.78 * width_in / columns + 0.6 for ratio in tallest]
    figure = blank(width_in=width_in, height_in=sum(heights_in))
    panels = figure.subplots(rows, columns, squeeze=False, gridspec_kw={"height_ratios": heights_in}).ravel()
    for axis in panels:
        axis.set_axis_off()
        axis.set_anchor("N")
    for axis, (picture, view) in zip(panels, views, strict=False):
        draw_plane(axis, picture.scan, view=view)
        axis.set_title(picture.title if view == "sagittal" else " \n ", fontsize=7.5, pad=14)
    part_names(figure)
    return figure


def part_names(figure: Figure) -> None:
    """Move names apart that would stand on each other, up or down, now that it is known how large the planes are."""
    figure.draw_without_rendering()
    figure.set_layout_engine("none")  # the layout is done, and names that move must not move the planes
    for axis in figure.axes:
        named = [text for text in axis.texts if text.get_gid() == NAME]
        for side in ("left", "right"):
            column = sorted(
                (text for text in named if text.get_horizontalalignment() == side),
                key=lambda text: text.get_position()[1],
            )
            if not column:
                continue
            gap = max(text.get_window_extent().height for text in column)
            wanted = [float(axis.transData.transform(text.get_position())[1]) for text in column]
            box = axis.get_window_extent()
            for text, height in zip(column, spread(wanted, gap=gap, low=box.y0, high=box.y1), strict=True):
                text.set_y(axis.transData.inverted().transform((0, height))[1])


def _width_vox(scan: Scan, view: str) -> int:
    return _cut(scan, view=view)[0].shape[1]


def _cut(scan: Scan, *, view: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """CT, truth and prediction [Z, W] in the plane that follows the spine, W trimmed to the spine and a margin."""
    both = np.where(scan.truth > 0, scan.truth, scan.prediction)
    y, x = planes.spine_path(both, spacing_mm=scan.spacing_mm)
    cut, line = (planes.sagittal, x) if view == "sagittal" else (planes.coronal, y)
    image, truth, prediction = (cut(volume, line) for volume in (scan.ct_hu, scan.truth, scan.prediction))
    keep = planes.window(np.maximum(truth, prediction), margin_vox=round(MARGIN_MM / scan.spacing_mm))
    return image[:, keep], truth[:, keep], prediction[:, keep]


def draw_plane(axis: Axes, scan: Scan, *, view: str, names: bool = True) -> None:
    """Draw one plane (view: sagittal or coronal) of a scan into `axis`; z in mm grows upwards."""
    image, truth, prediction = _cut(scan, view=view)
    extent = (0.0, image.shape[1] * scan.spacing_mm, 0.0, image.shape[0] * scan.spacing_mm)
    axis.imshow(image, cmap="gray", vmin=WINDOW_HU[0], vmax=WINDOW_HU[1], origin="lower", extent=extent)
    axis.imshow(prediction, cmap=vertebra_map(), vmin=0, vmax=CLASSES - 1, alpha=0.42 * (prediction > 0),
                origin="lower", extent=extent)  # fmt: skip
    _contours(axis, truth, spacing_mm=scan.spacing_mm)
    axis.set(xlim=extent[:2], ylim=extent[2:], aspect="equal")
    if names:
        _names(axis, truth, prediction, spacing_mm=scan.spacing_mm, width_mm=extent[1])


def _contours(axis: Axes, truth: np.ndarray, *, spacing_mm: float) -> None:
    z_mm, across_mm = ((np.arange(-1, size + 1) + 0.5) * spacing_mm for size in truth.shape)
    padded = np.pad(truth, 1)
    for index in np.unique(truth[truth > 0]):
        axis.contour(across_mm, z_mm, (padded == index).astype(float), levels=[0.5],
                     colors=[vertebra_colour(int(index))], linewidths=1.1)  # fmt: skip


def _names(axis: Axes, truth: np.ndarray, prediction: np.ndarray, *, spacing_mm: float, width_mm: float) -> None:
    """Names of the truth left of the image, of the prediction right of it, at the heights of their centres."""
    style: dict[str, Any] = {"fontsize": 6.5, "va": "center", "clip_on": False, "gid": NAME}
    for index in np.unique(truth[truth > 0]):
        height_mm = (np.nonzero(truth == index)[0].mean() + 0.5) * spacing_mm
        axis.text(-3, height_mm, BY_INDEX[int(index)].name, ha="right", color=INK, **style)
    for index in np.unique(prediction[prediction > 0]):
        where = prediction == index
        height_mm = (np.nonzero(where)[0].mean() + 0.5) * spacing_mm
        below = np.bincount(truth[where], minlength=CLASSES)
        right = below[1:].any() and below[1:].argmax() + 1 == index
        weight = "normal" if right else "bold"
        axis.text(width_mm + 3, height_mm, BY_INDEX[int(index)].name, ha="left", color=INK if right else WRONG,
                  weight=weight, **style)  # fmt: skip
    for place, word in ((0.0, "truth"), (1.0, "predicted")):
        axis.text(place, 1.012, word, ha="center", va="bottom", fontsize=5.5, color=MUTED, transform=axis.transAxes)
