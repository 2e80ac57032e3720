"""Grids whose header had to be mended: computed with the mended axes, written back as they came."""

from __future__ import annotations

import nibabel as nib
import numpy as np

from siil.scan.geometry import Geometry
from siil.scan.grid import Volume
from siil.scan.preprocess import preprocess
from siil.scan.volume import read_image, write_volume
from tests.scans import SETTINGS


def test_a_label_map_gets_the_header_that_its_scan_has_even_when_that_was_mended(tmp_path):
    affine = np.diag([1.0, 1.0, 2.0, 1.0])
    affine[0, 1] = 0.008  # sheared a little: repaired, not refused
    array = np.random.default_rng(0).integers(-900, 900, (40, 40, 30)).astype(np.int16)
    nib.save(nib.Nifti1Image(array, affine), tmp_path / "scan.nii.gz")
    scan = read_image(tmp_path / "scan.nii.gz")
    assert any(text.startswith("not_orthonormal") for text in scan.repairs)
    axes = scan.grid.matrix[:3, :3] / np.linalg.norm(scan.grid.matrix[:3, :3], axis=0)
    np.testing.assert_allclose(axes.T @ axes, np.eye(3), atol=1e-12)

    made = preprocess(scan, None, settings=SETTINGS)
    source = Geometry.from_json(made.geometry.to_json()).source  # the way that test and predict go
    write_volume(tmp_path / "seg.nii.gz", Volume(np.zeros(source.shape, np.uint8), source))
    np.testing.assert_array_equal(nib.load(tmp_path / "seg.nii.gz").affine, nib.load(tmp_path / "scan.nii.gz").affine)


def test_a_header_without_fault_is_written_from_its_grid(tmp_path):
    array = np.random.default_rng(0).integers(-900, 900, (8, 9, 10)).astype(np.int16)
    nib.save(nib.Nifti1Image(array, np.diag([-1.0, 1.0, 2.0, 1.0])), tmp_path / "scan.nii.gz")
    grid = read_image(tmp_path / "scan.nii.gz").grid
    assert grid.stored is None
    np.testing.assert_array_equal(grid.header, grid.matrix)
