"""Two planes of a spine with the names of its vertebrae between them, and a line from each name to its bone.

Nothing stands on the bone, no name on another: names that would are moved apart, and their lines lean. Used by the
preview of a scan and by the picture that the README begins with.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patheffects import withStroke
from scipy import ndimage
from scipy.optimize import isotonic_regression

from siil.anatomy import BY_INDEX
from siil.report.sheet import EDGE_IN, WIDTH_IN, Block, fold, line_in, picture, scale_bar, write
from siil.report.style import INK, vertebra_colour

NAME_PT, SMALL_PT = 12.0, 11.0
_CHIP_IN, _REMARK_IN, _LINE_IN = 0.46, 0.42, 0.22
_TALLEST_IN = 10.0
_GAP_IN = line_in(NAME_PT) * 1.25
_SHARE = 1 / 3
"""The piece of a vertebra that a line goes to is the nearest of those that have this share of the largest: its body
before its process, but no speck."""


@dataclass(frozen=True, slots=True)
class Plane:
    """hu, labels: [rows, columns], the foot end first; HU and internal indices. title: above it; may be empty."""

    hu: np.ndarray
    labels: np.ndarray
    spacing_mm: float
    title: str = ""

    @property
    def width_mm(self) -> float:
        """Across."""
        return self.hu.shape[1] * self.spacing_mm

    @property
    def height_mm(self) -> float:
        """Along the spine."""
        return self.hu.shape[0] * self.spacing_mm


def pair(left: Plane, right: Plane, *, remarks: Mapping[int, tuple[str, str]] | None = None) -> Block:
    """Both at one scale, as large as the sheet allows, at the heights at which their vertebrae agree best.

    remarks: internal index -> words (four letters) and their colour, behind the name.
    """
    remarks = remarks or {}
    names_in = 2 * _LINE_IN + _CHIP_IN + (_REMARK_IN if remarks else 0.0)
    here, there = targets(left, nearest="right"), targets(right, nearest="left")
    both = here.keys() & there.keys()
    up_mm = float(np.mean([here[index][1] - there[index][1] for index in both])) if both else 0.0  # of the right one
    low_mm, high_mm = min(0.0, up_mm), max(left.height_mm, right.height_mm + up_mm)
    room_in = WIDTH_IN - 2 * EDGE_IN - names_in
    scale = min(room_in / (left.width_mm + right.width_mm), _TALLEST_IN / (high_mm - low_mm))
    left_in = 0.5 * (WIDTH_IN - names_in - scale * (left.width_mm + right.width_mm))
    between_in = left_in + scale * left.width_mm
    right_in = between_in + names_in
    titles = [fold(plane.title, width_in=scale * plane.width_mm, size_pt=SMALL_PT) for plane in (left, right)]
    title_in = line_in(SMALL_PT) * max(len(lines) if lines != [""] else 0 for lines in titles)
    indices = here.keys() | there.keys()
    height_in = max(scale * (high_mm - low_mm), _GAP_IN * len(indices))

    def draw(figure: Figure, top_in: float) -> None:
        below_in = top_in - title_in - height_in
        floor_in = below_in + height_in - scale * high_mm
        floors = floor_in, floor_in + scale * up_mm
        for plane, x_in, y_in, lines in zip((left, right), (left_in, right_in), floors, titles, strict=True):
            axis = picture(figure, (x_in, y_in), scale, plane.hu, plane.labels, plane.spacing_mm)
            write(figure, x_in, top_in, "\n".join(lines), size_pt=SMALL_PT, va="top")
        scale_bar(axis, mm=right.spacing_mm, size_pt=SMALL_PT)
        ends = {
            index: [
                (x_in + scale * at[index][0], y_in + scale * at[index][1]) if index in at else None
                for at, x_in, y_in in zip((here, there), (left_in, right_in), floors, strict=True)
            ]
            for index in indices
        }
        _names(figure, ends, remarks, across_in=(between_in, right_in), along_in=(below_in, below_in + height_in))

    return Block(title_in + height_in, draw)


def _names(
    figure: Figure,
    ends: Mapping[int, list[tuple[float, float] | None]],
    remarks: Mapping[int, tuple[str, str]],
    *,
    across_in: tuple[float, float],
    along_in: tuple[float, float],
) -> None:
    """The column of names: each at the mean height of the places that its lines go to, or as near as there is room."""
    wanted = {index: float(np.mean([end[1] for end in two if end])) for index, two in ends.items()}
    order = sorted(wanted, key=lambda index: wanted[index])
    low, high = along_in[0] + 0.5 * _GAP_IN, along_in[1] - 0.5 * _GAP_IN
    heights = spread([wanted[index] for index in order], gap=_GAP_IN, low=low, high=high)
    edge = [withStroke(linewidth=2.4, foreground="white", alpha=0.8)]
    for index, y_in in zip(order, heights.tolist(), strict=True):
        colour = vertebra_colour(index)
        for end, x_in in zip(ends[index], (across_in[0] + _LINE_IN, across_in[1] - _LINE_IN), strict=True):
            if end:
                figure.add_artist(Line2D([x_in, end[0]], [y_in, end[1]], color=colour, linewidth=1.2, marker="o",
                                         markersize=3.6, markevery=[1], path_effects=edge,
                                         transform=figure.dpi_scale_trans))  # fmt: skip
        middle_in = across_in[0] + _LINE_IN + 0.5 * _CHIP_IN
        name_chip(figure, middle_in, y_in, index, ha="center", va="center_baseline")
        if index in remarks:
            said, ink = remarks[index]
            x_in = across_in[0] + _LINE_IN + _CHIP_IN + 0.05
            write(figure, x_in, y_in, said, size_pt=SMALL_PT, color=ink, va="center_baseline")


def name_chip(figure: Figure, x_in: float, y_in: float, index: int, *, ha: str, va: str) -> None:
    """The name of a vertebra on its colour, at a place of the sheet (ha, va: as matplotlib aligns text)."""
    colour = vertebra_colour(index)
    light = float(np.dot(colour, (0.299, 0.587, 0.114))) > 0.55
    write(figure, x_in, y_in, BY_INDEX[index].name, size_pt=NAME_PT, weight="bold", ha=ha, va=va,
          color=INK if light else "white",
          bbox={"boxstyle": "round,pad=0.14", "facecolor": colour, "edgecolor": "none"})  # fmt: skip


def targets(plane: Plane, *, nearest: str) -> dict[int, tuple[float, float]]:
    """Internal index -> (across, along) in mm of the plane: where the line from its name ends.

    nearest: the edge of the plane, `left` or `right`, at which the names stand.
    """
    found = {}
    for index in np.unique(plane.labels[plane.labels > 0]).tolist():
        pieces, count = ndimage.label(plane.labels == index)
        sizes = np.bincount(pieces.ravel(), minlength=count + 1)[1:]
        sites = [np.argwhere(pieces == n + 1) for n in np.flatnonzero(sizes >= _SHARE * sizes.max())]
        middles = [float(site[:, 1].mean()) for site in sites]
        site = sites[int(np.argmin(middles) if nearest == "left" else np.argmax(middles))]
        row = int(site[np.abs(site[:, 0] - site[:, 0].mean()).argmin(), 0])
        columns = site[site[:, 0] == row, 1]
        column = columns.min() + 1 if nearest == "left" else columns.max()
        found[index] = (float(column) * plane.spacing_mm, (row + 0.5) * plane.spacing_mm)
    return found


def spread(heights: list[float], *, gap: float, low: float, high: float) -> np.ndarray:
    """Places nearest to `heights` (ascending; least squares) that are `gap` apart, from `low` to `high`."""
    if not heights:
        return np.zeros(0)
    steps = gap * np.arange(len(heights))
    return np.clip(isotonic_regression(np.array(heights) - steps).x, low, high - steps[-1]) + steps
