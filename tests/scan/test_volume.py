"""Reading and writing NIfTI: what is mended and said, and that files come back as they were."""

from __future__ import annotations

import hashlib

import nibabel as nib
import numpy as np
import pytest

from siil.errors import InputError
from siil.scan import volume
from siil.scan.labels import labels_present
from siil.scan.volume import Grid, Volume
from tests import scans


def words(read: Volume) -> list[str]:
    return [repair.split(":")[0] for repair in read.repairs]


def test_a_volume_comes_back_with_its_grid_and_the_same_bytes(tmp_path):
    direction = (0.0, -1.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, -1.0)
    made = Volume(scans.scan(scans.grid()).array, Grid((16, 14, 12), (2.5, 1.25, 0.75), (1.5, -2.25, 30.0), direction))
    for name in ("one.nii.gz", "two.nii.gz", "three.nii"):
        volume.write_volume(tmp_path / name, made)
        again = volume.read_image(tmp_path / name)
        assert again.grid == made.grid
        assert again.repairs == ()
        np.testing.assert_array_equal(again.array, made.array)
    digests = {hashlib.sha256((tmp_path / name).read_bytes()).hexdigest() for name in ("one.nii.gz", "two.nii.gz")}
    assert len(digests) == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one.nii.gz", "three.nii", "two.nii.gz"]


def test_the_voxel_of_nibabel_at_i_j_k_is_the_voxel_at_k_j_i_and_ras_becomes_lps(tmp_path):
    array = scans.hu_xyz()
    affine = np.diag([3.0, 2.0, 4.0, 1.0])
    affine[:3, 3] = [10, 20, 30]
    read = volume.read_image(scans.save(tmp_path / "a.nii.gz", array, affine))
    assert read.array[5, 3, 1] == array[1, 3, 5]
    assert read.grid.spacing_mm == (4.0, 2.0, 3.0)
    assert read.grid.origin_mm == (-10.0, -20.0, 30.0)
    assert read.grid.orientation == "RAS"


def test_a_float_mask_with_sform_only_is_read_as_uint8(tmp_path):
    codes = np.zeros((12, 14, 16))
    codes[4:6, 4:6, 4:6] = 28.0000001
    read = volume.read_mask(scans.save(tmp_path / "m.nii.gz", codes))
    assert read.array.dtype == np.uint8
    assert labels_present(read.array) == {28}


def test_scaled_integers_and_floats_give_the_same_hu(tmp_path):
    array = scans.hu_xyz()
    raw = nib.Nifti1Image((array + 1024).astype(np.uint16), np.diag([3.0, 3, 3, 1]))
    raw.header.set_slope_inter(1, -1024)
    raw.header.set_sform(raw.affine, code=1)
    nib.save(raw, tmp_path / "raw.nii.gz")
    stored = nib.load(tmp_path / "raw.nii.gz")
    read = volume.read_image(tmp_path / "raw.nii.gz").array
    np.testing.assert_array_equal(read, np.rint(np.asarray(stored.dataobj)).astype(np.int16).T)
    floats = volume.read_image(scans.save(tmp_path / "f.nii.gz", array.astype(np.float64) + 0.2)).array
    np.testing.assert_array_equal(floats, array.T)


def test_a_fourth_dimension_of_one_is_dropped_and_said(tmp_path):
    read = volume.read_image(scans.save(tmp_path / "a.nii.gz", scans.hu_xyz((12, 14, 16, 1))))
    assert read.array.shape == (16, 14, 12)
    assert words(read) == ["one_volume"]


def test_an_offset_of_1024_is_subtracted_and_said(tmp_path):
    array = scans.hu_xyz()
    read = volume.read_image(scans.save(tmp_path / "a.nii.gz", array + np.int16(1024)))
    assert words(read) == ["offset_1024"]
    np.testing.assert_array_equal(read.array, array.T)


def test_true_hu_with_much_bone_is_not_taken_for_an_offset(tmp_path):
    array = scans.hu_xyz()
    array[5:] = 1000
    read = volume.read_image(scans.save(tmp_path / "a.nii.gz", array))
    assert words(read) == []


@pytest.mark.parametrize(
    ("dtype", "said"), [([("R", "u1"), ("G", "u1"), ("B", "u1")], "RGB"), (np.complex64, "complex64")]
)
def test_colours_and_complex_numbers_are_refused(tmp_path, dtype, said):
    path = scans.save(tmp_path / "a.nii.gz", np.zeros((12, 14, 16), dtype))
    for read in (volume.read_image, volume.read_mask, volume.read_volume):
        with pytest.raises(InputError, match=rf"a\.nii\.gz: expected one number per voxel, got {said}"):
            read(path)


def test_cosines_slightly_off_are_mended_and_said_and_more_is_refused(tmp_path):
    affine = np.diag([3.0, 3, 3, 1])
    affine[0, 1] = 3 * 0.004
    read = volume.read_image(scans.save(tmp_path / "a.nii.gz", scans.hu_xyz(), affine))
    assert words(read) == ["not_orthonormal"]
    cosines = np.reshape(read.grid.direction, (3, 3))
    np.testing.assert_allclose(cosines @ cosines.T, np.eye(3), atol=1e-12)
    affine[0, 1] = 3 * 0.2
    with pytest.raises(InputError, match="right angles"):
        volume.read_image(scans.save(tmp_path / "b.nii.gz", scans.hu_xyz(), affine))


def test_a_qform_that_differs_from_the_sform_is_said_and_the_sform_is_used(tmp_path):
    image = nib.Nifti1Image(scans.hu_xyz(), np.diag([3.0, 3, 3, 1]))
    image.header.set_sform(np.diag([3.0, 3, 3, 1]), code=1)
    image.header.set_qform(np.diag([-3.0, 3, 3, 1]), code=1)
    nib.save(image, tmp_path / "a.nii.gz")
    read = volume.read_image(tmp_path / "a.nii.gz")
    assert words(read) == ["two_forms"]
    assert read.grid.orientation == "RAS"


def test_the_header_alone_gives_the_grid(tmp_path):
    path = scans.save(tmp_path / "a.nii.gz", scans.hu_xyz())
    assert volume.read_grid(path) == volume.read_image(path).grid


def test_a_mask_in_another_order_of_axes_is_turned_without_loss():
    image, mask = scans.grid(), scans.labels(scans.grid())
    flipped = Grid((16, 14, 12), (3.0, 3.0, 3.0), (-31.5, 12.25 + 13 * 3, 100.0), (1.0, 0, 0, 0, -1.0, 0, 0, 0, 1.0))
    array = mask.array[:, ::-1].copy()
    array[0, 0, 0] = 1
    matched = volume.match_mask(image, Volume(array, flipped), "m")
    assert matched.grid == image
    assert matched.array[0, 13, 0] == 1
    assert words(matched) == ["mask_axes"]


def test_a_mask_less_than_half_a_voxel_off_takes_the_grid_of_the_image():
    near = Grid((16, 14, 12), (3.0, 3.0, 3.0), (-31.0, 12.25, 100.0))
    matched = volume.match_mask(scans.grid(), scans.labels(near), "m")
    assert matched.grid == scans.grid()
    assert words(matched) == ["mask_shifted"]


@pytest.mark.parametrize(
    "other",
    [
        Grid((16, 14, 13), (3.0, 3.0, 3.0), (-31.5, 12.25, 100.0)),
        Grid((16, 14, 12), (3.0, 3.0, 3.2), (-31.5, 12.25, 100.0)),
    ],
)
def test_a_mask_on_another_grid_is_refused_with_both_grids(other):
    with pytest.raises(InputError, match=r"m: expected mask and image on one grid, got mask .* and image 12x14x16"):
        volume.match_mask(scans.grid(), scans.labels(other), "m")


def test_the_real_masks_of_verse_are_read(real_data):
    for path in sorted(real_data.glob("verse-labels/*/derivatives/*/*_seg-vert_msk.nii.gz")):
        assert labels_present(volume.read_mask(path).array)
