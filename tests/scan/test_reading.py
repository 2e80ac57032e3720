"""A scan is what it holds, whatever it is called and packed in."""

from __future__ import annotations

import gzip
import zipfile
from pathlib import PurePosixPath

import numpy as np
import pytest

from siil.errors import InputError
from siil.scan import reading, volume
from tests import scans
from tests.scan.dicom.test_choosing import write_series


@pytest.fixture
def scan(tmp_path):
    return scans.save(tmp_path / "scan.nii.gz", scans.hu_xyz())


def zipped(path, members: dict[str, bytes]):
    with zipfile.ZipFile(path, "w") as packed:
        for name, content in members.items():
            packed.writestr(zipfile.ZipInfo(name), content)
    return path


@pytest.mark.parametrize("name", ["plain.nii.gz", "packed.nii", "packed", "plain.img", "UPPER.NII"])
def test_a_nifti_is_told_by_its_content_whatever_its_name(tmp_path, scan, name):
    content = scan.read_bytes()
    (tmp_path / name).write_bytes(content if "packed" in name else gzip.decompress(content))
    read, whole = reading.read_scan(tmp_path / name), volume.read_image(scan)
    np.testing.assert_array_equal(read.array, whole.array)
    assert read.grid == whole.grid == reading.read_grid(tmp_path / name)


def test_a_packed_nifti_named_plain_is_checked_to_its_end(tmp_path, scan):
    content = bytearray(scan.read_bytes())
    content[-8] ^= 1
    (tmp_path / "a.nii").write_bytes(content)
    with pytest.raises(InputError, match="a whole file"):
        reading.read_scan(tmp_path / "a.nii")


@pytest.mark.parametrize("inside", ["scan.nii.gz", "deeper/scan.nii.gz", "x.nii"])
def test_a_nifti_in_a_zip_is_read(tmp_path, scan, inside):
    members = {"./": b"", inside: scan.read_bytes(), f"__MACOSX/._{inside}": b"x", "notes.txt": b"x"}
    path = zipped(tmp_path / "a.zip", members)
    assert not reading.is_series(path)
    np.testing.assert_array_equal(reading.read_scan(path).array, volume.read_image(scan).array)
    assert reading.read_grid(path) == volume.read_grid(scan)


def test_several_scans_in_a_zip_are_refused_with_their_names(tmp_path, scan):
    path = zipped(tmp_path / "a.zip", {"a.nii.gz": scan.read_bytes(), "b.nrrd": b"x"})
    with pytest.raises(InputError, match=r"a\.zip: expected one scan in a zip, got 2 \(a\.nii\.gz, b\.nrrd\); unpack"):
        reading.read_scan(path)


def test_what_is_wrong_in_a_zip_is_said_of_the_zip(tmp_path):
    path = zipped(tmp_path / "a.zip", {"d/a.nii.gz": b"no scan" * 99})
    with pytest.raises(InputError) as caught:
        reading.read_scan(path)
    assert str(caught.value).startswith(f"{path}/d/a.nii.gz: expected a volume: NIfTI")


@pytest.mark.parametrize("name", ["./", "/", "//", "./.", "a/", "\\"])
def test_empty_entries_of_folders_in_a_zip_are_passed_over(tmp_path, name):
    series = write_series(tmp_path / "series")
    members = {name: b""} | {path.name: path.read_bytes() for path in series.iterdir()}
    path = zipped(tmp_path / "a.zip", members)
    assert reading.is_series(path)
    read = reading.read_scan(path)
    np.testing.assert_array_equal(read.array, reading.read_scan(series).array)
    assert reading.read_grid(path) is None


@pytest.mark.parametrize("name", ["../scan.nii.gz", "/etc/scan.nii.gz", "C:/scan.nii.gz", "a/../../scan.nii.gz"])
def test_a_scan_in_a_zip_that_leads_out_is_refused(tmp_path, scan, name):
    path = zipped(tmp_path / "a.zip", {name: scan.read_bytes()})
    with pytest.raises(InputError, match="leads out of the folder"):
        reading.read_scan(path)


def test_a_zip_of_neither_says_what_is_in_it(tmp_path):
    path = zipped(tmp_path / "a.zip", {"a.png": b"x", "b.txt": b"y"})
    with pytest.raises(InputError, match=r"a\.zip: expected a CT series in DICOM, got file that is no DICOM \(2\)"):
        reading.read_scan(path)
    twice = zipped(tmp_path / "twice.zip", {"a.zip": path.read_bytes()})
    with pytest.raises(InputError, match=r"got packed file \(1\); unpack it"):
        reading.read_scan(twice)
    (tmp_path / "no.zip").write_bytes(b"PK no")
    with pytest.raises(InputError, match="expected a zip archive"):
        reading.read_scan(tmp_path / "no.zip")


def test_one_file_of_a_series_is_told_to_be_one(tmp_path):
    path = next(write_series(tmp_path / "series").iterdir())
    with pytest.raises(InputError, match="a whole series, got one DICOM file; give the folder that it lies in"):
        reading.read_scan(path)


def test_results_of_predict_are_no_scans_and_scans_named_like_them_are():
    names = ["a.nii.gz", "a_seg.nii.gz", "a_scan.json", "b_seg.nii.gz", "c.MHD", "a.seg.nrrd", "._a.nii.gz", "x.txt"]
    kept = reading.scan_files(PurePosixPath("in", name) for name in names)
    assert [path.name for path in kept] == ["a.nii.gz", "b_seg.nii.gz", "c.MHD"]


@pytest.mark.parametrize(
    ("name", "stem"),
    [("a.b_ct.nii.gz", "a.b_ct"), ("a.NII", "a"), ("a.nrrd", "a"), ("a.mhd", "a"), ("a.zip", "a"), ("1.2", "1.2")],
)
def test_the_stem_is_the_name_without_the_format(name, stem):
    assert reading.stem(name) == stem
