"""One look for every figure: fonts, sizes, colours, the research-use line, and files that are the same bytes each time.

Used by every module of siil.report that draws; knows nothing of what is drawn. Figures are plain `matplotlib.figure.
Figure` objects (no pyplot, no global state). Colours are Okabe and Ito's, safe for colour-blind readers; vertebrae have
the colours of siil.anatomy.
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import matplotlib
import numpy as np
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure

from siil.anatomy import BY_INDEX, VERTEBRAE
from siil.run import files
from siil.run.provenance import RESEARCH_USE

logging.getLogger("fontTools").setLevel(logging.WARNING)  # it logs every glyph that goes into a PDF

DPI: Final = 160
WIDTH_IN: Final = 9.0
INK: Final = "#22272e"
MUTED: Final = "#6b7480"
PALETTE: Final = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#B8A800", "#5B5B5B")
REGION_COLOURS: Final = {"C": "#0072B2", "T": "#E69F00", "L": "#009E73"}
SPACE_COLOURS: Final = {
    "raw": "#9AA5B1",
    "work": "#0072B2",
    "first": "#56B4E9",
    "input": "#E69F00",
    "ceiling": "#D9DEE4",
}
SPACE_NAMES: Final = {
    "raw": "network alone, working grid",
    "work": "decoded, working grid",
    "first": "first look, input's own grid",
    "input": "decoded, input's own grid",
    "ceiling": "ceiling of the input's own grid",
}
_RC: Final[Any] = {
    "font.family": "DejaVu Sans",
    "font.size": 8.5,
    "axes.titlesize": 9.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.labelsize": 8.5,
    "axes.labelcolor": INK,
    "axes.edgecolor": "#9aa3ad",
    "axes.linewidth": 0.7,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": False,
    "grid.color": "#e6e9ed",
    "grid.linewidth": 0.6,
    "text.color": INK,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelsize": 7.5,
    "ytick.labelsize": 7.5,
    "legend.fontsize": 7.5,
    "legend.frameon": False,
    "lines.linewidth": 1.4,
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    "image.interpolation": "nearest",
    "pdf.fonttype": 42,
    "pdf.compression": 6,
}


def styled(draw: Callable[..., Figure]) -> Callable[..., Figure]:
    """Run a drawing function under the house's settings and write the research-use line on its figure."""

    @functools.wraps(draw)
    def run(*args: Any, **options: Any) -> Figure:
        with matplotlib.rc_context(_RC):
            figure = draw(*args, **options)
            figure.text(0.995, 0.004, RESEARCH_USE, ha="right", va="bottom", fontsize=8, color=MUTED)
        return figure

    return run


def blank(*, width_in: float = WIDTH_IN, height_in: float, below_in: float = 0.0) -> Figure:
    """An empty figure with constrained layout that leaves room for the research-use line, and for more below."""
    figure = Figure(figsize=(width_in, height_in), layout="constrained")
    room = (0.16 + below_in) / height_in
    figure.get_layout_engine().set(rect=(0, room, 1, 1 - room))  # type: ignore[union-attr, call-arg]
    return figure


def nothing_to_show(why: str) -> Figure:
    """A figure that says in words why it is empty (the workflow declares every figure, so each must exist)."""
    figure = blank(height_in=1.6)
    figure.text(0.5, 0.55, why, ha="center", va="center", fontsize=9, color=MUTED, wrap=True)
    return figure


def save(figure: Figure, folder: Path, name: str) -> tuple[Path, Path]:
    """Write `figure` as PNG and PDF into `folder`, atomically and without dates or versions: same data, same bytes."""
    png, pdf = folder / f"{name}.png", folder / f"{name}.pdf"
    with matplotlib.rc_context(_RC):
        with files.atomic(png) as temporary:
            figure.savefig(temporary, format="png", dpi=DPI, metadata={"Software": None})
        figure.set_layout_engine("none")  # the layout is done: the PDF takes it over
        with files.atomic(pdf) as temporary:
            about = {"CreationDate": None, "Producer": None, "Creator": None}
            figure.savefig(temporary, format="pdf", dpi=300, metadata=about)
    return png, pdf


def model_colour(position: int) -> str:
    """Colour of the model (or fold) at a position of its list."""
    return PALETTE[position % len(PALETTE)]


def vertebra_colour(index: int) -> tuple[float, float, float]:
    """RGB in 0-1 of an internal class index."""
    red, green, blue = BY_INDEX[index].colour
    return red / 255, green / 255, blue / 255


def vertebra_map() -> ListedColormap:
    """Internal class index 0 to K-1 -> colour; background is transparent. Use with vmin=0, vmax=K-1."""
    colours = [(0.0, 0.0, 0.0, 0.0), *((*vertebra_colour(v.index), 1.0) for v in VERTEBRAE)]
    return ListedColormap(np.array(colours), name="vertebrae")
