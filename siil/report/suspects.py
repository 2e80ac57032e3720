"""A sheet of pictures of the scans that an audit suspects most: the mask's names on the CT, and the reason.

Used by the stage `audit`. The planes follow the spine as the mask has it (siil.report.planes).
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from siil.anatomy import BY_INDEX
from siil.audit.findings import Finding
from siil.report.overlays import NAME, draw_plane, part_names
from siil.report.results import Scan
from siil.report.style import INK, WIDTH_IN, blank, nothing_to_show, styled

_COLUMNS = 4
_WORDS = 32


@styled
def suspects(pictures: Sequence[tuple[Finding, Scan]]) -> Figure:
    """One sagittal plane for each scan, the most suspicious first, its first reason above it."""
    if not pictures:
        return nothing_to_show("No scan is suspected.")
    rows, columns = -(-len(pictures) // _COLUMNS), min(len(pictures), _COLUMNS)
    figure = blank(width_in=(WIDTH_IN + 1.5) * columns / _COLUMNS, height_in=3.6 * rows)
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    for axis in panels:
        axis.set_axis_off()
    for axis, (finding, scan) in zip(panels, pictures, strict=False):
        draw_plane(axis, scan, view="sagittal", names=False)
        for index in np.unique(scan.truth[scan.truth > 0]).tolist():
            height_mm = (np.nonzero(scan.truth == index)[0].mean() + 0.5) * scan.spacing_mm
            axis.text(-3, height_mm, BY_INDEX[index].name, ha="right", va="center", fontsize=6, color=INK, gid=NAME)
        words = textwrap.fill(f"{finding.kind}, {finding.where}: {finding.words}", _WORDS)
        axis.set_title(f"{finding.case[:_WORDS]}\n{words}", fontsize=6.5, loc="center")
    part_names(figure)
    return figure
