"""What `siil predict` is pointed at."""

from __future__ import annotations

import pytest

from siil.errors import InputError
from siil.inference.scans import find_scans


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
