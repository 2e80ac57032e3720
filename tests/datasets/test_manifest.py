"""The manifest of a source."""

from __future__ import annotations

import hashlib

import pytest

from siil.datasets import manifest
from siil.errors import DatasetError


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "raw/b").mkdir(parents=True)
    (tmp_path / "raw/b/two.txt").write_text("2")
    (tmp_path / "raw/one.txt").write_text("1")
    (tmp_path / "raw/.hidden").write_text("x")
    (tmp_path / "raw/big.zip.part").write_text("x")
    return tmp_path


def test_it_is_sorted_relative_and_comes_back(folder):
    entries = [manifest.entry(path) for path in manifest.tree(folder / "raw")]
    manifest.write_manifest(folder / "raw.tsv", reversed(entries))
    lines = (folder / "raw.tsv").read_text().splitlines()
    assert lines[0] == "path\tbytes\tsha256"
    assert lines[1] == f"raw/b/two.txt\t1\t{hashlib.sha256(b'2').hexdigest()}"
    assert [str(entry.path) for entry in manifest.read_manifest(folder / "raw.tsv")] == ["raw/b/two.txt", "raw/one.txt"]


def test_a_file_that_is_gone_or_changed_is_refused(folder):
    manifest.write_manifest(folder / "raw.tsv", [manifest.entry(folder / "raw/one.txt")])
    (folder / "raw/one.txt").write_text("11")
    with pytest.raises(DatasetError, match=r"expected 1 bytes .* got 2 bytes"):
        manifest.read_manifest(folder / "raw.tsv")
    (folder / "raw/one.txt").unlink()
    with pytest.raises(DatasetError, match="got nothing; run fetch again"):
        manifest.read_manifest(folder / "raw.tsv")


def test_a_link_out_of_the_folder_and_a_missing_folder_are_refused(folder):
    (folder / "secret.txt").write_text("x")
    (folder / "raw/link.txt").symlink_to(folder / "secret.txt")
    with pytest.raises(DatasetError, match="leads out of"):
        manifest.tree(folder / "raw")
    with pytest.raises(DatasetError, match="expected a folder, got nothing"):
        manifest.tree(folder / "no")
