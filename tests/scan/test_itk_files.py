"""NRRD, MHA and MHD: the same volume as the NIfTI, through the same guards."""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk

from siil.errors import InputError
from siil.scan import itk_files, volume
from siil.scan.grid import Volume, to_sitk
from tests import scans

SUFFIXES = itk_files.SUFFIXES


def save(path, array: np.ndarray | None = None, *, compress: bool = False) -> sitk.Image:
    """A scan of 16 x 14 x 12 voxels of 3 mm (x reversed), or these voxels on its grid."""
    image = to_sitk(Volume(scans.scan(scans.grid()).array if array is None else array, scans.grid()))
    image.SetSpacing((2.0, 3.0, 4.0))
    image.SetDirection((-1, 0, 0, 0, 1, 0, 0, 0, 1))
    sitk.WriteImage(image, str(path), compress)
    return image


def edit(path, *pairs: tuple[str, str]) -> None:
    content = path.read_bytes()
    for old, new in pairs:
        assert old.encode() in content
        content = content.replace(old.encode(), new.encode())
    path.write_bytes(content)


def refused(path) -> str:
    said = []
    for read in (volume.read_grid, volume.read_image):
        try:
            read(path)
        except InputError as error:
            said.append(str(error))
    assert said
    assert all(line.startswith(f"{path}: expected ") and "\n" not in line for line in said)
    return said[-1]


@pytest.mark.parametrize("compress", [False, True])
@pytest.mark.parametrize("suffix", SUFFIXES)
def test_the_volume_is_that_of_simpleitk_and_of_the_nifti(tmp_path, suffix, compress):
    image = save(tmp_path / f"a{suffix}", compress=compress)
    sitk.WriteImage(image, str(tmp_path / "a.nii.gz"))
    read, nifti = volume.read_image(tmp_path / f"a{suffix}"), volume.read_image(tmp_path / "a.nii.gz")
    np.testing.assert_array_equal(read.array, nifti.array)
    assert read.array.dtype == np.int16
    assert read.grid == nifti.grid == volume.read_grid(tmp_path / f"a{suffix}")
    assert read.grid.spacing_mm == (4.0, 3.0, 2.0)
    assert read.repairs == ()


def test_the_label_map_is_written_as_nifti_where_simpleitk_sees_the_scan(tmp_path):
    image = save(tmp_path / "a.nrrd")
    grid = volume.read_grid(tmp_path / "a.nrrd")
    volume.write_volume(tmp_path / "seg.nii.gz", Volume(np.zeros(grid.shape, np.uint8), grid))
    seg = sitk.ReadImage(str(tmp_path / "seg.nii.gz"))
    for one, two in zip(
        (image.GetOrigin(), image.GetSpacing(), image.GetDirection()),
        (seg.GetOrigin(), seg.GetSpacing(), seg.GetDirection()),
        strict=True,
    ):
        assert one == pytest.approx(two, abs=1e-5)


@pytest.mark.parametrize("suffix", [".nrrd", ".mha"])
def test_the_format_is_told_by_the_content_too(tmp_path, suffix):
    save(tmp_path / f"a{suffix}")
    (tmp_path / f"a{suffix}").rename(tmp_path / "scan")
    assert volume.read_image(tmp_path / "scan").array.shape == (16, 14, 12)


@pytest.mark.parametrize("suffix", [".nrrd", ".mha"])
def test_other_dimensions_and_vectors_are_refused_and_a_fourth_of_one_is_dropped(tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    image = save(path)
    sitk.WriteImage(image[:, :, 3], str(path))
    assert "12x14" in refused(path)
    sitk.WriteImage(image[:, :, 3:4], str(path))
    assert "12x14x1" in refused(path)
    sitk.WriteImage(sitk.JoinSeries([image, image]), str(path))
    assert "12x14x16x2" in refused(path)
    sitk.WriteImage(sitk.Compose([image, image, image]), str(path))
    assert "one number per voxel" in refused(path)
    sitk.WriteImage(sitk.JoinSeries([image]), str(path))
    if suffix == ".nrrd":  # SimpleITK writes no space then
        assert "without space" in refused(path)
        return
    read = volume.read_image(path)
    assert read.array.shape == (16, 14, 12)
    assert [note.split(":")[0] for note in read.repairs] == ["one_volume"]


@pytest.mark.parametrize("suffix", [".nrrd", ".mha"])
def test_voxels_that_are_no_hu_are_refused(tmp_path, suffix):
    path, array = tmp_path / f"a{suffix}", scans.scan(scans.grid()).array
    floats = array.astype(np.float32)
    floats[3, 3, 3] = np.nan
    save(path, floats)
    assert "NaN or infinite" in refused(path)
    save(path, np.full(array.shape, 7, np.int16))
    assert "7 in every voxel" in refused(path)
    save(path, np.clip(array, 0, 255).astype(np.uint8))
    assert "8 bits" in refused(path)
    save(path, array + np.int16(1024))
    read = volume.read_image(path)
    np.testing.assert_array_equal(read.array, array)
    assert read.repairs[0].startswith("offset_1024")


def test_what_simpleitk_would_make_up_is_refused(tmp_path):
    for name in ("a.nhdr", "a.mhd"):
        save(tmp_path / name)
    mhd, nhdr = tmp_path / "a.mhd", tmp_path / "a.nhdr"
    whole = mhd.read_bytes(), nhdr.read_bytes()
    edit(mhd, ("ElementSpacing", "Comment"))
    assert "without ElementSpacing" in refused(mhd)
    mhd.write_bytes(whole[0])
    edit(mhd, ("TransformMatrix", "Comment"))
    assert "without TransformMatrix" in refused(mhd)
    edit(nhdr, ("space directions: (-2,0,0) (0,3,0) (0,0,4)", "spacings: 2 3 4"), ("space origin", "# "))
    edit(nhdr, ("space: left-posterior-superior", "# as old tools write it"))
    assert "without space" in refused(nhdr)
    nhdr.write_bytes(whole[1])
    edit(nhdr, ("(0,3,0)", "(1.5,3,0)"))
    assert "right angles" in refused(nhdr)


@pytest.mark.parametrize("spacing", ["0 3 4", "200 3 4", "0.001 3 4"])
def test_spacings_out_of_range_are_refused(tmp_path, spacing):
    save(tmp_path / "a.mhd")
    edit(tmp_path / "a.mhd", ("ElementSpacing = 2 3 4", f"ElementSpacing = {spacing}"))
    assert "spacings of 0.05 to 20 mm" in refused(tmp_path / "a.mhd")


@pytest.mark.parametrize("target", ["../outside.raw", "{outside}"])
@pytest.mark.parametrize(("name", "key"), [("a.mhd", "ElementDataFile = "), ("a.nhdr", "data file: ")])
def test_a_header_that_leads_out_of_its_folder_is_refused(tmp_path, name, key, target):
    folder = tmp_path / "in"
    folder.mkdir()
    save(folder / name)
    (folder / "a.raw").rename(tmp_path / "outside.raw")
    edit(folder / name, (f"{key}a.raw", key + target.format(outside=tmp_path / "outside.raw")))
    assert "lie outside its folder" in refused(folder / name)
    (folder / "a.raw").symlink_to(tmp_path / "outside.raw")
    save(folder / "b.mhd")
    edit(folder / "b.mhd", ("b.raw", "a.raw"))
    assert "lie outside its folder" in refused(folder / "b.mhd")


def test_damaged_empty_missing_and_oversized_files_are_refused(tmp_path):
    assert "got nothing" in refused(tmp_path / "no.nrrd")
    (tmp_path / "empty.mha").touch()
    assert "0 bytes" in refused(tmp_path / "empty.mha")
    for suffix in (".nrrd", ".mha"):
        path = tmp_path / f"a{suffix}"
        save(path, compress=True)
        content = path.read_bytes()
        path.write_bytes(content[: len(content) * 2 // 3])
        assert "a whole file" in refused(path)
        path.write_bytes(b"NRRD0004\nhello\n\n" if suffix == ".nrrd" else b"ObjectType = Image\nhello")
        refused(path)
    save(tmp_path / "huge.mhd")
    edit(tmp_path / "huge.mhd", ("DimSize = 12 14 16", "DimSize = 30000 30000 30000"))
    assert "bytes of voxels" in refused(tmp_path / "huge.mhd")
    (tmp_path / "huge.raw").unlink()
    assert "are not there" in refused(tmp_path / "huge.mhd")
