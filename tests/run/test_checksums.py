"""Lists of files with their SHA-256: sha256sum reads them, and they say when they are not true any more."""

from __future__ import annotations

import os
import subprocess

import pytest

from siil.errors import DatasetError
from siil.run import checksums, files


@pytest.fixture
def listed(tmp_path):
    """Three files and their list, an hour younger than they are."""
    paths = [tmp_path / "data" / name for name in ("a.nii.gz", "b c.json", "d.tsv")]
    for path in paths:
        files.write_text(path, path.name)
        os.utime(path, (1_000_000_000, 1_000_000_000))
    checksums.write(tmp_path / "list.sha256", {path: files.sha256(path) for path in paths})
    os.utime(tmp_path / "list.sha256", (1_000_003_600, 1_000_003_600))
    return tmp_path


def test_a_list_comes_back_in_its_order_and_sha256sum_reads_it(listed):
    found = checksums.read(listed / "list.sha256")
    assert [path.name for path in found] == ["a.nii.gz", "b c.json", "d.tsv"]
    assert found[listed / "data/a.nii.gz"] == files.sha256(listed / "data/a.nii.gz")
    subprocess.run(["sha256sum", "--check", "--strict", "--quiet", listed / "list.sha256"], check=True)


def test_a_true_list_stays_true_with_new_times_on_the_same_bytes(listed):
    assert checksums.untrue(listed / "list.sha256") is None
    os.utime(listed / "data/d.tsv", (1_900_000_000, 1_900_000_000))
    assert checksums.untrue(listed / "list.sha256") is None


def test_a_file_that_is_gone_is_named(listed):
    (listed / "data/b c.json").unlink()
    assert checksums.untrue(listed / "list.sha256") == listed / "data/b c.json"


def test_a_folder_in_a_files_place_is_named(listed):
    (listed / "data/d.tsv").unlink()
    (listed / "data/d.tsv").mkdir()
    assert checksums.untrue(listed / "list.sha256") == listed / "data/d.tsv"


def test_a_newer_file_of_other_bytes_is_named(listed):
    (listed / "data/d.tsv").write_text("other")
    assert checksums.untrue(listed / "list.sha256") == listed / "data/d.tsv"


@pytest.mark.parametrize("text", ["case\tpatient\n", "12ab  a.nii.gz\n", None])
def test_what_is_no_list_is_refused_in_one_line(tmp_path, text):
    if text is not None:
        (tmp_path / "list.sha256").write_text(text)
    with pytest.raises(DatasetError, match=r"list\.sha256: .*run the workflow again"):
        checksums.read(tmp_path / "list.sha256")
