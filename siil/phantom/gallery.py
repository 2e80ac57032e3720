"""A page of phantoms next to real CT, for docs/phantoms.md: `python -m siil.phantom.gallery OUTPUT.png`.

Real scans come from the folder that $SIIL_REAL_DATA names (any `*/ct.nii.gz`, see CONTRIBUTING.md); without it the page
holds phantoms alone. Not a stage: the page is made when the phantoms change.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from siil.anatomy import BY_CODE
from siil.config.schema.phantom import FieldOfView, PhantomRecipe
from siil.phantom.render import sample
from siil.run import files
from siil.run.provenance import RESEARCH_USE

WINDOW_HU = (-250, 650)
WIDTH_IN, GAP_IN, TITLE_IN = 6.4, 0.08, 0.3
"""Letters of 11 points on a page of this width can be read on a phone."""


@dataclass(frozen=True, slots=True)
class Panel:
    """One scan on the page: HU and mask (Z, Y, X) in LPS, spacing (Z, Y, X) in mm."""

    title: str
    hu: np.ndarray
    mask: np.ndarray
    spacing_mm: tuple[float, float, float]


def phantom_panel(seed: int, field: FieldOfView, lateral_mm: float) -> Panel:
    """A phantom at 1 x 1 x 1.5 mm."""
    recipe = PhantomRecipe(
        patients=1,
        first_seed=seed,
        second_series=0,
        fields_of_view={field: 1},
        spacing_xy_mm=(1.0, 1.0),
        spacing_z_mm=(1.5, 1.5),
        lateral_fov_mm=(lateral_mm, lateral_mm),
        rare_anatomy=0.3,
        scoliosis=0.2,
        fracture=0.2,
        contrast=0.5,
        variety=None,
    )
    scan = sample(seed, recipe)
    return Panel(f"phantom, seed {seed}: {field}", scan.hu, scan.mask, scan.view.spacing_mm)


def real_panels(folder: Path) -> list[Panel]:
    """Every real scan of `folder` that lies there as ct.nii.gz with msk.nii.gz."""
    import nibabel as nib

    panels = []
    for path in sorted(folder.glob("*/ct.nii.gz")):
        scan = nib.as_closest_canonical(nib.load(path))
        mask = nib.as_closest_canonical(nib.load(path.with_name("msk.nii.gz")))
        x, y, z = (float(v) for v in scan.header.get_zooms()[:3])
        hu, codes = (np.asarray(image.dataobj).T[:, ::-1, ::-1] for image in (scan, mask))
        panels.append(Panel(f"real CT: {path.parent.name}", hu, np.rint(codes).astype(np.uint8), (z, y, x)))
    return panels


def draw(panels: Sequence[Panel], output: Path) -> None:
    """Write the page as PNG: per scan a sagittal, coronal and axial slice through the vertebrae, and the mask."""
    from matplotlib.figure import Figure

    rows = [_pictures(panel) for panel in panels]
    scales = [(WIDTH_IN - 5 * GAP_IN) / sum(size[0] for _, size in row) for row in rows]
    heights = [scale * max(size[1] for _, size in row) for scale, row in zip(scales, rows, strict=True)]
    tall_in = sum(heights) + (len(rows) + 1) * TITLE_IN
    figure = Figure(figsize=(WIDTH_IN, tall_in), facecolor="white")
    shown = "Phantoms" if all(panel.title.startswith("phantom") for panel in panels) else "Phantoms and real CT"
    inches: dict[str, Any] = {"transform": figure.dpi_scale_trans, "va": "center"}
    figure.text(GAP_IN, tall_in - 0.5 * TITLE_IN, f"{shown}. {RESEARCH_USE}", fontsize=12, weight="bold", **inches)
    top_in = tall_in - TITLE_IN
    for panel, row, scale, height in zip(panels, rows, scales, heights, strict=True):
        figure.text(GAP_IN, top_in - 0.5 * TITLE_IN, panel.title, fontsize=11, **inches)
        left_in = GAP_IN
        for picture, (across, along) in row:
            box = (left_in, top_in - TITLE_IN - scale * along, scale * across, scale * along)
            axes = figure.add_axes(tuple(np.divide(box, (WIDTH_IN, tall_in) * 2)))
            axes.imshow(picture, cmap="gray", vmin=WINDOW_HU[0], vmax=WINDOW_HU[1], aspect="auto")
            axes.set_axis_off()
            left_in += scale * across + GAP_IN
        top_in -= TITLE_IN + height
    with files.atomic(output) as temporary:
        figure.savefig(temporary, format="png", dpi=120, metadata={"Software": None})


def _pictures(panel: Panel) -> list[tuple[np.ndarray, tuple[float, float]]]:
    """Pictures and their (width, height) in mm, the first row on top."""
    z, y, x = (round(float(v)) for v in np.argwhere(np.isin(panel.mask, list(BY_CODE))).mean(axis=0))
    deep, high, wide = (n * mm for n, mm in zip(panel.hu.shape, panel.spacing_mm, strict=True))
    front = round(y - 12 / panel.spacing_mm[1])
    return [
        (panel.hu[::-1, :, x], (high, deep)),
        (panel.hu[::-1, front, :], (wide, deep)),
        (panel.hu[z], (wide, high)),
        (_coloured(panel.mask[::-1, :, x]), (high, deep)),
    ]


def _coloured(mask: np.ndarray) -> np.ndarray:
    table = np.zeros((256, 3), np.uint8)
    for code, vertebra in BY_CODE.items():
        table[code] = vertebra.colour
    return table[mask]


def main() -> None:
    """Draw the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("output", type=Path)
    output = parser.parse_args().output
    chosen: list[tuple[int, FieldOfView, float]] = [
        (20, "cervical", 180.0),
        (22, "chest", 330.0),
        (22, "chest", 180.0),
        (11, "lumbar", 160.0),
        (33, "abdomen", 360.0),
        (10, "whole", 360.0),
    ]
    panels = [phantom_panel(*choice) for choice in chosen]
    named = os.environ.get("SIIL_REAL_DATA", "")
    draw([*panels, *(real_panels(Path(named)) if named else [])], output)


if __name__ == "__main__":
    main()
