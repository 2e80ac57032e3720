"""What `siil predict` is pointed at."""

from __future__ import annotations

import pytest

from siil.errors import InputError
from siil.inference.scans import find_scans
from tests.scan.dicom.test_choosing import write_series


def test_a_nifti_file_a_zip_and_a_folder_of_slices_are_told_apart(tmp_path):
    (tmp_path / "a.b_ct.nii.gz").touch()
    (tmp_path / "series.zip").touch()
    (tmp_path / "study.1").mkdir()
    (tmp_path / "study.1/IM0001").touch()
    found = find_scans([tmp_path / "a.b_ct.nii.gz", tmp_path / "series.zip", tmp_path / "study.1"])
    assert [(scan.name, scan.dicom) for scan in found] == [("a.b_ct", False), ("series", True), ("study.1", True)]


def test_a_folder_gives_its_nifti_files_in_order_without_hidden_ones(tmp_path):
    for name in ("b.nii", "a.nii.gz", ".tmp-x.nii.gz", "notes.txt"):
        (tmp_path / name).touch()
    assert [scan.name for scan in find_scans([tmp_path])] == ["a", "b"]


def test_nrrd_mha_and_mhd_are_scans_and_their_voxels_are_none(tmp_path):
    for name in ("a.nrrd", "b.mha", "c.mhd", "c.raw", "d.nhdr"):
        (tmp_path / name).touch()
    assert [(scan.name, scan.dicom) for scan in find_scans([tmp_path])] == [(name, False) for name in "abcd"]


def test_results_beside_a_series_or_below_it_leave_it_a_series(tmp_path):
    series = write_series(tmp_path / "series")
    for folder in (series, series / "out"):
        folder.mkdir(exist_ok=True)
        for name in ("series_seg.nii.gz", "series_scan.json", "series_seg.dcm", "run.json", "series_viewer.html"):
            (folder / name).touch()
        assert [(scan.name, scan.dicom, scan.path) for scan in find_scans([series])] == [("series", True, series)]


def test_dicom_files_beside_a_nifti_file_are_left_out_and_that_is_said(tmp_path, caplog):
    write_series(tmp_path / "series")
    (tmp_path / "series/a.nii.gz").touch()
    assert [scan.name for scan in find_scans([tmp_path / "series"])] == ["a"]
    assert "its 6 DICOM files are left out beside a.nii.gz" in caplog.text


def test_of_a_file_that_dcm2niix_made_equal_or_straight_the_other_one_is_said_to_be_wrong(tmp_path, caplog):
    for name in ("a.nii.gz", "a_Eq_1.nii.gz", "b.nii.gz", "b_Tilt_1.nii.gz", "c.nii.gz"):
        (tmp_path / name).touch()
    assert len(find_scans([tmp_path])) == 5
    said = [record.getMessage() for record in caplog.records]
    assert [line.split(": ")[0] for line in said] == [str(tmp_path / name) for name in ("a.nii.gz", "b.nii.gz")]
    assert "dcm2niix wrote a_Eq_1.nii.gz beside it; its own geometry is wrong" in said[0]


def test_two_scans_of_one_name_are_refused(tmp_path):
    for name in ("a.nii", "a.nii.gz"):
        (tmp_path / name).touch()
    with pytest.raises(InputError, match=r"both write a_seg\.nii\.gz"):
        find_scans([tmp_path])


def test_a_missing_path_and_an_empty_folder_are_refused(tmp_path):
    with pytest.raises(InputError, match="no such file or folder"):
        find_scans([tmp_path / "nowhere.nii.gz"])
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="folder is empty"):
        find_scans([tmp_path / "empty"])
