"""Files on a scan's grid have the scan's own header, whichever of its matrices a reader takes."""

from __future__ import annotations

import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk

from siil.scan.geometry import Geometry
from siil.scan.grid import Volume
from siil.scan.preprocess import preprocess
from siil.scan.volume import read_grid, read_image, write_volume
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


def two_forms(path: Path, codes: tuple[int, int]) -> Path:
    """A scan whose qform and sform put it to different places, as registration leaves them."""
    array = np.random.default_rng(0).integers(-900, 900, (20, 24, 16)).astype(np.int16)
    image = nib.Nifti1Image(array, None)
    qform, sform = np.diag([2.0, 1, 3, 1]), np.diag([-2.0, 1, 3, 1])
    qform[:3, 3], sform[:3, 3] = [10, 20, 30], [40, -50, -60]
    image.header.set_qform(qform, codes[0])
    image.header.set_sform(sform, codes[1])
    image.header.set_xyzt_units("mm")
    nib.save(image, path)
    return path


@pytest.mark.parametrize("codes", [(1, 2), (1, 1), (2, 1), (2, 2), (1, 4), (0, 2), (3, 0)])
def test_a_label_map_has_both_matrices_and_codes_of_its_scan_for_every_reader(tmp_path, codes):
    path = two_forms(tmp_path / "scan.nii.gz", codes)
    scan = read_image(path)
    made = preprocess(scan, None, settings=SETTINGS)
    source = Geometry.from_json(made.geometry.to_json()).source
    write_volume(tmp_path / "seg.nii.gz", Volume(np.zeros(source.shape, np.uint8), source))
    one, two = (nib.load(tmp_path / name) for name in ("scan.nii.gz", "seg.nii.gz"))
    for name in ("qform_code", "sform_code", "xyzt_units", "pixdim", *["quatern_b", "quatern_c", "quatern_d"],
                 *["qoffset_x", "qoffset_y", "qoffset_z", "srow_x", "srow_y", "srow_z"]):  # fmt: skip
        np.testing.assert_array_equal(one.header[name], two.header[name], err_msg=name)
    np.testing.assert_array_equal(one.affine, two.affine)
    first, second = (sitk.ReadImage(str(tmp_path / name)) for name in ("scan.nii.gz", "seg.nii.gz"))
    assert first.GetOrigin() == second.GetOrigin()
    assert first.GetDirection() == second.GetDirection()
    assert first.GetSpacing() == second.GetSpacing()
    assert read_image(path).grid == read_grid(tmp_path / "seg.nii.gz")


def test_a_matrix_that_is_no_number_and_not_in_use_is_written_as_none(tmp_path):
    array = np.random.default_rng(0).integers(-900, 900, (8, 9, 10)).astype(np.int16)
    image = nib.Nifti1Image(array, np.diag([-1.0, 1.0, 2.0, 1.0]))
    image.header["qform_code"], image.header["quatern_b"] = 0, np.nan
    nib.save(image, tmp_path / "scan.nii")
    grid = read_image(tmp_path / "scan.nii").grid
    json.dumps(grid.forms.qform, allow_nan=False)
    assert grid.forms.codes == (0, 2)
    assert grid.forms.qform == (0.0,) * 6
