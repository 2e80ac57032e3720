"""The reader of CTSpine1K: dotted names, collections, the split file."""

from __future__ import annotations

from pathlib import Path

import pytest

from siil.datasets import ctspine1k, manifest
from siil.errors import DatasetError
from tests.datasets import trees


def test_cases_patients_and_splits(tmp_path):
    scans = ctspine1k.find(manifest.tree(trees.ctspine1k(tmp_path)))
    assert {scan.case: (scan.patient, scan.split) for scan in scans} == {
        "1_3_6_1_4_1_9328_50_4_0001": ("1_3_6_1_4_1_9328_50_4_0001", "training"),
        "CTC-0101": ("CTC-0101", "validation"),
        "volume-covid19-A-0202_0": ("volume-covid19-A-0202", "training"),
        "volume-covid19-A-0377": ("volume-covid19-A-0377", "testing"),
        "liver_3": ("liver_3", "training"),
    }
    assert all(scan.mask is not None for scan in scans)


def test_without_its_split_file_it_is_refused(tmp_path):
    trees.ctspine1k(tmp_path)
    (tmp_path / "metadata/data_split.txt").unlink()
    with pytest.raises(DatasetError, match=r"data_split\.txt"):
        ctspine1k.find(manifest.tree(tmp_path))


def test_a_split_file_that_starts_with_a_name_is_refused(tmp_path):
    (tmp_path / "s.txt").write_text("liver_1.nii.gz\n")
    with pytest.raises(DatasetError, match="expected trainset:"):
        ctspine1k.read_split(tmp_path / "s.txt")


def test_only_the_files_that_are_used_are_wanted():
    wanted = ["raw_data/volumes/COLONOG/a.nii.gz", "metadata/data_split.txt"]
    others = ["data/train-00000-of-00100.arrow", "README.md", "raw_data/readme.txt"]
    assert [ctspine1k.is_wanted(Path(name)) for name in [*wanted, *others]] == [True, True, False, False, False]
