"""The preview of one predicted scan: one picture by which a person sees whether it is right, on a phone too.

On top the coronal plane that follows the spine in place (siil.report.planes) and the sagittal one along the centreline,
straightened (siil.report.straight), names and confidences between them (siil.report.pair); below an axial slice through
the middle of each body, with its flags, and how the count is mended. Used by the stages `predict` and `relabel`;
figures of many scans are the stage `figures`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from siil.anatomy import BY_NAME, codes_to_indices
from siil.inference.centreline import Centreline
from siil.inference.vertebrae import BY_HAND, Finding
from siil.report import planes
from siil.report.pair import SMALL_PT, Plane, name_chip, pair
from siil.report.sheet import (
    EDGE_IN,
    WIDTH_IN,
    WINDOW_HU,
    WRONG,
    Block,
    fold,
    line_in,
    picture,
    scale_bar,
    space,
    stacked,
    words,
    write,
)
from siil.report.straight import STEP_MM, inside, sagittal_sites, sample
from siil.report.style import DPI, INK, MUTED, styled
from siil.run import files
from siil.scan.grid import Volume

_MARGIN_MM = 40.0
_AXIAL_MM = (55.0, 55.0, 77.0)
"""Shown around a body: to each side, in front, behind."""
_BESIDE_IN = 0.53
"""Where words stand beside the chip of a name."""
_FRONT_MM, _BACK_MM = 70.0, 75.0


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
        remedies: (words, command) pairs below the pictures: how the count is mended.
        centreline: of the decoding; without it the sagittal plane follows the labels slice by slice.
    """
    indices = codes_to_indices(labels)
    blocks = [words(f"{title}: {enumeration}", size_pt=14, colour=INK, weight="bold")]
    if warning:
        blocks.append(words(f"enumeration uncertain: {warning}", size_pt=SMALL_PT, colour=WRONG))
    if not findings:
        blocks.append(words("no vertebra was found", size_pt=SMALL_PT, colour=INK))
    blocks += [space(0.08), _planes(image, indices, findings, centreline), space(0.12)]
    blocks += _axials(image, indices, findings)
    for said, command in remedies:
        blocks += [space(0.06), words(said, size_pt=SMALL_PT, colour=INK)]
        if command:
            blocks.append(words(command, size_pt=SMALL_PT, colour=MUTED, family="DejaVu Sans Mono"))
    return stacked(blocks)


def _planes(image: Volume, indices: np.ndarray, findings: tuple[Finding, ...], centreline: Centreline | None) -> Block:
    spacing = image.grid.spacing_mm[0]
    y, x = planes.spine_path(indices, spacing_mm=spacing)
    front = _plane(planes.coronal(image.array, y), planes.coronal(indices, y), spacing, "coronal")
    if centreline is None:
        side = _plane(planes.sagittal(image.array, x), planes.sagittal(indices, x), spacing, "sagittal")
    else:
        straight = _straightened(image.array, indices, centreline, spacing)
        side = _plane(*straight, STEP_MM, "sagittal, straightened")
    remarks = {
        BY_NAME[f.name].index: (f"{f.confidence:.2f}", WRONG if _doubted(f) else MUTED)
        for f in findings
        if np.isfinite(f.confidence)  # not where the name is a reader's
    }
    return pair(front, side, remarks=remarks)


def _plane(hu: np.ndarray, labels: np.ndarray, spacing: float, title: str) -> Plane:
    keep = planes.window(labels, margin_vox=round(_MARGIN_MM / spacing))
    return Plane(hu[:, keep], labels[:, keep], spacing, title)


def _straightened(
    hu: np.ndarray, indices: np.ndarray, centreline: Centreline, spacing: float
) -> tuple[np.ndarray, np.ndarray]:
    """HU and internal indices [S, W] at steps of STEP_MM, from the first row that meets the scan to the last."""
    sites = sagittal_sites(centreline, front_mm=_FRONT_MM, back_mm=_BACK_MM)
    rows = np.flatnonzero(inside(sites, hu.shape, spacing_mm=spacing).any(axis=1))
    sites = sites[rows[0] : rows[-1] + 1] if len(rows) else sites
    shown = sample(hu, sites, spacing_mm=spacing, smooth=True, outside=float(WINDOW_HU[0]))
    return shown, sample(indices, sites, spacing_mm=spacing, smooth=False, outside=0)


def _doubted(finding: Finding) -> bool:
    return any(flag not in ("cut", BY_HAND) for flag in finding.flags)


def _axials(image: Volume, labels: np.ndarray, findings: tuple[Finding, ...]) -> list[Block]:
    """A block for each row of slices, from the head down."""
    columns = max(3, min(len(findings), 4))
    cell_in = (WIDTH_IN - EDGE_IN) / columns - EDGE_IN
    rows = [findings[n : n + columns] for n in range(0, len(findings), columns)]
    return [_axial_row(image, labels, row, cell_in, first=not n) for n, row in enumerate(rows)]


def _axial_row(
    image: Volume, labels: np.ndarray, findings: tuple[Finding, ...], cell_in: float, *, first: bool
) -> Block:
    mm, back = image.grid.spacing_mm[0], np.linalg.inv(image.grid.matrix)
    scale = cell_in / (2 * _AXIAL_MM[0])
    said = [fold(_remark(finding), width_in=cell_in - _BESIDE_IN, size_pt=SMALL_PT) for finding in findings]
    said_in = line_in(SMALL_PT) * max(len(lines) for lines in said) + 0.09
    high_in = scale * (_AXIAL_MM[1] + _AXIAL_MM[2])

    def draw(figure: Figure, top_in: float) -> None:
        for n, (finding, lines) in enumerate(zip(findings, said, strict=True)):
            x_in, colour = EDGE_IN + n * (cell_in + EDGE_IN), WRONG if _doubted(finding) else MUTED
            name_chip(figure, x_in + 0.04, top_in - 0.03, BY_NAME[finding.name].index, ha="left", va="top")
            write(figure, x_in + _BESIDE_IN, top_in - 0.03, "\n".join(lines), size_pt=SMALL_PT, color=colour, va="top")
            body_vox = (back @ np.append(finding.body_mm, 1.0))[:3]
            hu = _slice_around(image.array, body_vox, mm, outside=WINDOW_HU[0])
            shown = _slice_around(labels, body_vox, mm, outside=0)
            axis = picture(figure, (x_in, top_in - said_in - high_in), scale, hu[::-1], shown[::-1], mm)
            if first and not n:
                scale_bar(axis, mm=mm, size_pt=SMALL_PT)

    return Block(said_in + high_in + 0.08, draw)


def _remark(finding: Finding) -> str:
    """Confidence and flags in words; no confidence where the name is a reader's."""
    sure = [f"{finding.confidence:.2f}"] if np.isfinite(finding.confidence) else []
    return " ".join([*sure, ", ".join(flag.replace("_", " ") for flag in finding.flags)]).strip()


def _slice_around(volume: np.ndarray, body_vox: np.ndarray, mm: float, *, outside: float) -> np.ndarray:
    """[rows, columns] of the axial slice around a body (x, y, z), always of one size, the front first."""
    x, y, z = (round(float(value)) for value in body_vox)
    aside, front, behind = (round(length / mm) for length in _AXIAL_MM)
    slice_ = volume[min(max(z, 0), volume.shape[0] - 1)]
    padded = np.pad(slice_, ((front, behind), (aside, aside)), constant_values=outside)
    y, x = min(max(y, 0), slice_.shape[0] - 1), min(max(x, 0), slice_.shape[1] - 1)
    return padded[y : y + front + behind, x : x + 2 * aside]


def write_preview(path: Path, figure: Figure) -> None:
    """Write the figure as PNG, atomically and without dates or versions."""
    with files.atomic(path) as temporary:
        figure.savefig(temporary, format="png", dpi=DPI, metadata={"Software": None})
