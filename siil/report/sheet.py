"""A sheet that a phone can show: blocks of words and pictures, one under the other, measured in inches.

Used by the preview of a scan. Nothing is laid out by chance: words are folded by the measured width of their letters,
and a block says how high it is before anything is drawn. A sheet of WIDTH_IN has letters of 9 pixels or more when it is
shown 400 pixels wide.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.patheffects import withStroke
from matplotlib.textpath import text_to_path

from siil.anatomy import CLASSES
from siil.report.style import vertebra_map

WIDTH_IN = 6.4
EDGE_IN = 0.1
WINDOW_HU = (-200.0, 700.0)
WRONG = "#c0261c"
_OPACITY = 0.45
_LINE = 1.25
"""Height of a line in letters."""


class Block(NamedTuple):
    """height_in: what it takes. draw: onto a figure, its upper edge that many inches above the figure's lower one."""

    height_in: float
    draw: Callable[[Figure, float], None]


def stacked(blocks: Sequence[Block]) -> Figure:
    """A figure of WIDTH_IN that is as high as its blocks; 0.2 inches below them stay free."""
    height_in = sum(block.height_in for block in blocks) + EDGE_IN + 0.2
    figure = Figure(figsize=(WIDTH_IN, height_in))
    top_in = height_in - EDGE_IN
    for block in blocks:
        block.draw(figure, top_in)
        top_in -= block.height_in
    return figure


def space(height_in: float) -> Block:
    """Nothing."""
    return Block(height_in, lambda figure, top_in: None)


def words(text: str, *, size_pt: float, colour: str, **font: Any) -> Block:
    """A paragraph, folded to the sheet. font: of matplotlib's FontProperties (family, weight)."""
    lines = fold(text, width_in=WIDTH_IN - 2 * EDGE_IN, size_pt=size_pt, **font)

    def draw(figure: Figure, top_in: float) -> None:
        write(figure, EDGE_IN, top_in, "\n".join(lines), size_pt=size_pt, color=colour, va="top", **font)

    return Block(len(lines) * line_in(size_pt), draw)


def line_in(size_pt: float) -> float:
    """Height of a line in inches."""
    return _LINE * size_pt / 72


def write(figure: Figure, x_in: float, y_in: float, text: str, *, size_pt: float, **style: Any) -> None:
    """Words at a place of the sheet, as they are: no mathematics between two dollars of a file's name."""
    figure.text(x_in, y_in, text, fontsize=size_pt, transform=figure.dpi_scale_trans, linespacing=_LINE / 1.17,
                parse_math=False, **style)  # fmt: skip


def fold(text: str, *, width_in: float, size_pt: float, **font: Any) -> list[str]:
    """Lines of at most this width; what is too long for a line, such as a path, goes on in the next."""
    drawn = FontProperties(size=size_pt, **font)

    def fits(said: str) -> bool:
        return bool(text_to_path.get_text_width_height_descent(said, drawn, False)[0] <= 72 * width_in)

    lines = [""]
    for word in text.split():
        if lines[-1] and fits(f"{lines[-1]} {word}"):
            lines[-1] += f" {word}"
            continue
        lines += [""] if lines[-1] else []
        for letter in word:
            if lines[-1] and not fits(lines[-1] + letter):
                lines.append("")
            lines[-1] += letter
    return lines


def picture(
    figure: Figure, corner_in: tuple[float, float], inch_per_mm: float, hu: np.ndarray, labels: np.ndarray, mm: float
) -> Axes:
    """A plane and the colours of its vertebrae.

    Args:
        corner_in: left and lower edge. inch_per_mm: how large.
        hu, labels: [rows, columns], the lowest row first; HU and internal indices. mm: spacing.
    """
    (x, y), (rows, columns) = corner_in, hu.shape
    width, height = figure.get_size_inches()
    size = columns * mm * inch_per_mm / width, rows * mm * inch_per_mm / height
    axis = figure.add_axes((x / width, y / height, *size))
    axis.imshow(hu, cmap="gray", vmin=WINDOW_HU[0], vmax=WINDOW_HU[1], origin="lower", interpolation="bilinear",
                aspect="auto")  # fmt: skip
    axis.imshow(labels, cmap=vertebra_map(), vmin=0, vmax=CLASSES - 1, alpha=_OPACITY, origin="lower", aspect="auto")
    axis.set_axis_off()
    return axis


def scale_bar(axis: Axes, *, mm: float, size_pt: float) -> None:
    """A white bar of 20 mm with its length, at the lower left, too short to lie on the spine."""
    rows = axis.get_ylim()[1]
    edge = [withStroke(linewidth=size_pt / 3, foreground="black")]
    axis.plot([3 / mm, 23 / mm], [0.02 * rows] * 2, color="white", linewidth=2, path_effects=edge)
    axis.text(3 / mm, 0.035 * rows, "20 mm", color="white", fontsize=size_pt, va="bottom", path_effects=edge)
