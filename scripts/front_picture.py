"""What does SIIL do, in one picture that a phone can show? front_picture.py SCAN RESULT OUTPUT.png

Draws the scan, and the scan with the vertebrae that `siil predict` found in it (RESULT is its output folder), cut along
the spine from the side and from the front. README.md begins with it.
"""

import argparse
import sys
from pathlib import Path

import numpy as np
import SimpleITK as sitk

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from siil.anatomy import CLASSES, codes_to_indices
from siil.report import planes
from siil.report.preview import WINDOW_HU, write_names, write_preview
from siil.report.style import blank, styled, vertebra_map
from siil.scan.grid import to_sitk
from siil.scan.volume import read_volume

VOXEL_MM, MARGIN_MM, NAME_PT = 1.0, 45.0, 11.0


def cuts(scan: Path, result: Path) -> list[tuple[np.ndarray, np.ndarray]]:
    """HU and internal indices [rows, columns] at 1 mm: from the side, from the front."""
    labels = next(result.glob("*_seg.nii.gz"))
    hu, codes = _at_one_mm(scan, sitk.sitkLinear), _at_one_mm(labels, sitk.sitkNearestNeighbor)
    indices = codes_to_indices(codes)
    y, x = planes.spine_path(indices, spacing_mm=VOXEL_MM)
    return [(planes.sagittal(hu, x), planes.sagittal(indices, x)), (planes.coronal(hu, y), planes.coronal(indices, y))]


def _at_one_mm(path: Path, interpolation: int) -> np.ndarray:
    """[Z, Y, X] in LPS, isotropic."""
    image = sitk.DICOMOrient(to_sitk(read_volume(path)), "LPS")
    size = [round(n * step / VOXEL_MM) for n, step in zip(image.GetSize(), image.GetSpacing(), strict=True)]
    new = [VOXEL_MM] * 3
    return sitk.GetArrayFromImage(
        sitk.Resample(image, size, sitk.Transform(), interpolation, image.GetOrigin(), new, image.GetDirection())
    )


@styled
def draw(side: tuple[np.ndarray, np.ndarray], front: tuple[np.ndarray, np.ndarray]):
    """Three panels: the side without and with names, the front with names."""
    panels = []
    for (hu, labels), named in ((side, False), (side, True), (front, True)):
        keep = planes.window(labels, margin_vox=round(MARGIN_MM / VOXEL_MM))
        panels.append((hu[:, keep], labels[:, keep], named))
    widths = [hu.shape[1] for hu, _, _ in panels]
    height = panels[0][0].shape[0]
    figure = blank(width_in=5.6, height_in=5.6 * height / sum(widths) + 0.2)
    for axis, (hu, labels, named) in zip(figure.subplots(1, 3, width_ratios=widths), panels, strict=True):
        axis.imshow(hu, cmap="gray", vmin=WINDOW_HU[0], vmax=WINDOW_HU[1], origin="lower", interpolation="bilinear")
        axis.set_axis_off()
        if named:
            axis.imshow(labels, cmap=vertebra_map(), vmin=0, vmax=CLASSES - 1, alpha=0.55, origin="lower")
            write_names(axis, labels, size=NAME_PT)
    return figure


def main() -> None:
    """Draw it."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("scan", "result", "output"):
        parser.add_argument(name, type=Path)
    asked = parser.parse_args()
    write_preview(asked.output, draw(*cuts(asked.scan, asked.result)))


if __name__ == "__main__":
    main()
