"""What does SIIL do, in one picture that a phone can show? front_picture.py SCAN RESULT OUTPUT.png

Draws the scan, cut along the spine from the side, and beside it the same with the vertebrae that `siil predict` found
in it (RESULT is its output folder). README.md begins with it.
"""

import argparse
import sys
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from matplotlib.figure import Figure

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from siil.anatomy import codes_to_indices
from siil.report import planes
from siil.report.pair import Plane, pair
from siil.report.preview import write_preview
from siil.report.sheet import stacked
from siil.report.style import styled
from siil.scan.grid import to_sitk
from siil.scan.volume import read_volume

VOXEL_MM, AROUND_MM, BELOW_MM = 1.0, 45.0, 70.0


def cut(scan: Path, result: Path) -> tuple[np.ndarray, np.ndarray]:
    """HU and internal indices [rows, columns] at 1 mm, from the side, a little more than the vertebrae."""
    labels = next(result.glob("*_seg.nii.gz"))
    hu, codes = _at_one_mm(scan, sitk.sitkLinear), _at_one_mm(labels, sitk.sitkNearestNeighbor)
    indices = codes_to_indices(codes)
    _, x = planes.spine_path(indices, spacing_mm=VOXEL_MM)
    side, named = planes.sagittal(hu, x), planes.sagittal(indices, x)
    columns = planes.window(named, margin_vox=round(AROUND_MM / VOXEL_MM))
    rows = planes.window(named.T, margin_vox=round(BELOW_MM / VOXEL_MM))
    return side[rows, columns], named[rows, columns]


def _at_one_mm(path: Path, interpolation: int) -> np.ndarray:
    """[Z, Y, X] in LPS, isotropic."""
    image = sitk.DICOMOrient(to_sitk(read_volume(path)), "LPS")
    size = [round(n * step / VOXEL_MM) for n, step in zip(image.GetSize(), image.GetSpacing(), strict=True)]
    new = [VOXEL_MM] * 3
    return sitk.GetArrayFromImage(
        sitk.Resample(image, size, sitk.Transform(), interpolation, image.GetOrigin(), new, image.GetDirection())
    )


@styled
def draw(hu: np.ndarray, labels: np.ndarray) -> Figure:
    """The scan, the names, and the scan with its vertebrae in colour."""
    return stacked([pair(Plane(hu, np.zeros_like(labels), VOXEL_MM), Plane(hu, labels, VOXEL_MM))])


def main() -> None:
    """Draw it."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("scan", "result", "output"):
        parser.add_argument(name, type=Path)
    asked = parser.parse_args()
    write_preview(asked.output, draw(*cut(asked.scan, asked.result)))


if __name__ == "__main__":
    main()
