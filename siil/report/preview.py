"""The preview of one predicted scan: one picture by which a person sees whether it is right.

Left the sagittal plane along the centreline, straightened (siil.report.straight), with the confidence and the flags of
each vertebra beside it, and the coronal plane that follows the spine in place (siil.report.planes); right an axial
slice through the middle of each body. Used by the stage `predict`; figures of many scans are the stage `figures`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from scipy import ndimage

from siil.anatomy import BY_INDEX, BY_NAME, CLASSES, codes_to_indices
from siil.inference.centreline import Centreline
from siil.inference.vertebrae import BY_HAND, Finding
from siil.report import planes
from siil.report.straight import STEP_MM, sagittal_sites, sample
from siil.report.style import DPI, MUTED, blank, styled, vertebra_colour, vertebra_map
from siil.run import files
from siil.scan.grid import Volume

WINDOW_HU = (-200.0, 700.0)
_MARGIN_MM = 40.0
_AXIAL_MM = 55.0
_FRONT_MM, _BACK_MM = 70.0, 75.0
_OPACITY = 0.45
_LINE_IN = 0.14
_NAME_PT = 9.0
WRONG = "#c0261c"


@styled
def preview(
    image: Volume,
    labels: np.ndarray,
    findings: tuple[Finding, ...],
    *,
    title: str,
    enumeration: str,
    warning: str = "",
    remedies: Sequence[tuple[str, str]] = (),
    centreline: Centreline | None = None,
) -> Figure:
    """Draw a scan and its labels.

    Args:
        image: HU on the working grid.
        labels: [Z, Y, X] VerSe codes on the same grid.
        findings: what was measured, from the head down.
        title: first line, for example the file's name.
        enumeration: the answer, for example `T9-L5 (with T13)`; follows the title.
        warning: why the enumeration is uncertain; drawn in red.
        remedies: (words, command) pairs below the picture: how the count is mended.
        centreline: of the decoding; without it the sagittal plane follows the labels slice by slice.
    """
    spacing = image.grid.spacing_mm[0]
    indices = codes_to_indices(labels)
    y, x = planes.spine_path(indices, spacing_mm=spacing)
    figure = blank(width_in=12.0, height_in=7.6 + _LINE_IN * len(remedies), below_in=_LINE_IN * len(remedies))
    figure.suptitle(f"{title}: {enumeration}", x=0.01, ha="left", fontsize=13, fontweight="bold")
    if warning:
        figure.text(0.99, 0.985, f"enumeration uncertain: {warning}", ha="right", va="top", color=WRONG, fontsize=9)
    for n, (words, command) in enumerate(reversed(remedies)):
        said = f"{words}: {command}" if command else words
        figure.text(0.008, (0.05 + n * _LINE_IN) / figure.get_figheight(), said, fontsize=7.5, color=MUTED)
    left, right = figure.subfigures(1, 2, width_ratios=[1.0, 1.25])
    side, front = left.subplots(1, 2)
    if centreline is None:
        pair = planes.sagittal(image.array, x), planes.sagittal(indices, x)
        drawn = _plane(side, *pair, spacing, "sagittal, along the spine")
    else:
        drawn = _plane(
            side, *_straightened(image.array, indices, centreline, spacing), STEP_MM, "sagittal, straightened"
        )
    _remarks(side, drawn, findings)
    _plane(front, planes.coronal(image.array, y), planes.coronal(indices, y), spacing, "coronal, along the spine")
    _axials(right, image, indices, findings)
    return figure


def write_preview(path: Path, figure: Figure) -> None:
    """Write the figure as PNG, atomically and without dates or versions."""
    with files.atomic(path) as temporary:
        figure.savefig(temporary, format="png", dpi=DPI, metadata={"Software": None})


def _straightened(
    hu: np.ndarray, indices: np.ndarray, centreline: Centreline, spacing: float
) -> tuple[np.ndarray, np.ndarray]:
    """HU and internal indices [S, W] at steps of STEP_MM."""
    sites = sagittal_sites(centreline, front_mm=_FRONT_MM, back_mm=_BACK_MM)
    picture = sample(hu, sites, spacing_mm=spacing, smooth=True, outside=float(WINDOW_HU[0]))
    return picture, sample(indices, sites, spacing_mm=spacing, smooth=False, outside=0)


def _plane(axis: Axes, hu: np.ndarray, labels: np.ndarray, spacing: float, title: str) -> np.ndarray:
    """Draw one plane; the labels that were drawn."""
    keep = planes.window(labels, margin_vox=round(_MARGIN_MM / spacing))
    hu, labels = hu[:, keep], labels[:, keep]
    _show(axis, hu, labels, spacing)
    axis.set_title(title, fontsize=9)
    write_names(axis, labels, size=_NAME_PT)
    return labels


def write_names(axis: Axes, labels: np.ndarray, *, size: float) -> None:
    """The name of each vertebra on its largest piece, which is its body wherever the plane shows one.

    labels: [rows, columns] internal indices. size: of the letters, points.
    """
    edge = [withStroke(linewidth=size / 4, foreground="black")]
    for index in np.unique(labels[labels > 0]):
        pieces, _ = ndimage.label(labels == index)
        row, column = ndimage.center_of_mass(pieces == np.bincount(pieces[pieces > 0]).argmax())
        axis.text(column, row, BY_INDEX[index].name, color="white", fontsize=size, fontweight="bold", ha="center",
                  va="center", path_effects=edge)  # fmt: skip


def _remarks(axis: Axes, labels: np.ndarray, findings: tuple[Finding, ...]) -> None:
    """Confidence and flags of each vertebra, right of the picture at its height."""
    for finding in findings:
        rows = np.flatnonzero((labels == BY_NAME[finding.name].index).any(axis=1))
        if not len(rows):
            continue
        flags = [flag.replace("_", " ") for flag in finding.flags]
        doubt = any(flag not in ("cut", BY_HAND) for flag in finding.flags)
        axis.text(labels.shape[1] + 1, rows.mean(), " ".join([*_confidence(finding), *flags]), fontsize=7.5,
                  color=WRONG if doubt else MUTED, va="center", clip_on=False)  # fmt: skip


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
        axis.set_title("  ".join([finding.name, *_confidence(finding)]) + flags, fontsize=8.5, color=colour)


def _confidence(finding: Finding) -> list[str]:
    """In words; none where the name is a reader's."""
    return [f"{finding.confidence:.2f}"] if np.isfinite(finding.confidence) else []
