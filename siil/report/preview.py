"""The preview of one predicted scan: one picture by which a person sees whether it is right.

Left the sagittal and the coronal plane that follow the spine, with every vertebra's colour and name (siil.report.
planes); right an axial slice through the middle of each body. Flags stand behind the names. Used by the stage
`predict`; figures of many scans are the stage `figures`.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from siil import files
from siil.anatomy import BY_NAME, CLASSES, codes_to_indices
from siil.grid import Volume
from siil.inference.enumeration import span
from siil.inference.vertebrae import Finding
from siil.report import planes
from siil.report.style import DPI, MUTED, blank, styled, vertebra_colour, vertebra_map

WINDOW_HU = (-200.0, 900.0)
_MARGIN_MM = 40.0
_AXIAL_MM = 55.0
_OPACITY = 0.45


@styled
def preview(
    image: Volume, labels: np.ndarray, findings: tuple[Finding, ...], *, title: str, warning: str = ""
) -> Figure:
    """Draw a scan and its labels.

    Args:
        image: HU on the working grid.
        labels: [Z, Y, X] VerSe codes on the same grid.
        findings: what was measured, from the head down.
        title: first line, for example the file's name.
        warning: why the enumeration is uncertain; drawn in red.
    """
    spacing = image.grid.spacing_mm[0]
    indices = codes_to_indices(labels)
    y, x = planes.spine_path(indices, spacing_mm=spacing)
    figure = blank(width_in=12.0, height_in=7.6)
    names = span(tuple(finding.name for finding in findings))
    figure.suptitle(f"{title}: {names}", x=0.01, ha="left", fontsize=11, fontweight="bold")
    if warning:
        figure.text(0.99, 0.985, f"enumeration uncertain: {warning}", ha="right", va="top", color="#c0261c", fontsize=9)
    left, right = figure.subfigures(1, 2, width_ratios=[1.0, 1.25])
    side, front = left.subplots(1, 2)
    _plane(side, planes.sagittal(image.array, x), planes.sagittal(indices, x), spacing, "sagittal, along the spine")
    _plane(front, planes.coronal(image.array, y), planes.coronal(indices, y), spacing, "coronal, along the spine")
    _axials(right, image, indices, findings)
    return figure


def write_preview(path: Path, figure: Figure) -> None:
    """Write the figure as PNG, atomically and without dates or versions."""
    with files.atomic(path) as temporary:
        figure.savefig(temporary, format="png", dpi=DPI, metadata={"Software": None})


def _plane(axis: Axes, hu: np.ndarray, labels: np.ndarray, spacing: float, title: str) -> None:
    keep = planes.window(labels, margin_vox=round(_MARGIN_MM / spacing))
    hu, labels = hu[:, keep], labels[:, keep]
    _show(axis, hu, labels, spacing)
    axis.set_title(title, fontsize=8)
    for index in np.unique(labels[labels > 0]):
        row, column = np.argwhere(labels == index).mean(axis=0)
        name = next(name for name, vertebra in BY_NAME.items() if vertebra.index == index)
        axis.text(column, row, name, color="white", fontsize=7, fontweight="bold", ha="center", va="center")


def _show(axis: Axes, hu: np.ndarray, labels: np.ndarray, spacing: float) -> None:
    axis.imshow(hu, cmap="gray", vmin=WINDOW_HU[0], vmax=WINDOW_HU[1], origin="lower", interpolation="bilinear")
    axis.imshow(labels, cmap=vertebra_map(), vmin=0, vmax=CLASSES - 1, alpha=_OPACITY, origin="lower")
    axis.set_axis_off()
    axis.set_anchor("N")
    bar = min(50.0, 0.5 * hu.shape[1] * spacing)
    axis.plot([1, 1 + bar / spacing], [1, 1], color="white", linewidth=1.5)


def _axials(figure: Figure, image: Volume, labels: np.ndarray, findings: tuple[Finding, ...]) -> None:
    if not findings:
        figure.text(0.5, 0.5, "no vertebra was found", ha="center", va="center", color=MUTED)
        return
    columns = min(len(findings), 5 if len(findings) > 12 else 4)
    rows = -(-len(findings) // columns)
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    back = np.linalg.inv(image.grid.matrix)
    half = round(_AXIAL_MM / image.grid.spacing_mm[0])
    for axis in panels:
        axis.set_axis_off()
        axis.set_anchor("N")
    for axis, finding in zip(panels, findings, strict=False):
        x, y, z = (round(float(v)) for v in (back @ np.append(finding.body_mm, 1.0))[:3])
        z = min(max(z, 0), labels.shape[0] - 1)
        box = (slice(max(0, y - half), y + round(1.4 * half)), slice(max(0, x - half), x + half))
        _show(axis, image.array[z][box], labels[z][box], image.grid.spacing_mm[0])
        axis.invert_yaxis()  # axial images are looked at from the feet: front is up
        flags = "\n" + ", ".join(flag.replace("_", " ") for flag in finding.flags) if finding.flags else ""
        colour = vertebra_colour(BY_NAME[finding.name].index)
        axis.set_title(f"{finding.name}  {finding.confidence:.2f}{flags}", fontsize=6.5, color=colour)
