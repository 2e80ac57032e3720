"""Files are whole or absent."""

from __future__ import annotations

import os

import pytest

from siil.run import files


def test_a_block_that_fails_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "deep" / "table.tsv"
    files.write_text(path, "old")
    with pytest.raises(RuntimeError), files.atomic(path) as temporary:
        temporary.write_text("half", encoding="utf-8")
        raise RuntimeError
    assert path.read_text(encoding="utf-8") == "old"
    assert [item.name for item in path.parent.iterdir()] == ["table.tsv"]


def test_the_temporary_file_keeps_the_suffixes_and_lies_beside_the_target(tmp_path):
    with files.atomic(tmp_path / "scan.nii.gz") as temporary:
        assert temporary.name.endswith(".nii.gz")
        assert temporary.parent == tmp_path
        temporary.write_bytes(b"x")


def test_what_a_killed_process_left_is_removed_by_the_next_that_writes_the_file(tmp_path):
    with pytest.raises(SystemExit), files.atomic(tmp_path / "scan.nii.gz") as temporary:
        name = temporary.name
        raise SystemExit
    dead, living = (tmp_path / name.replace(str(os.getpid()), number) for number in ("4999999", str(os.getppid())))
    other = tmp_path / name.replace("scan", "other").replace(str(os.getpid()), "4999999")
    for path in (dead, living, other):
        path.touch()
    files.write_text(tmp_path / "scan.nii.gz", "whole")
    assert {path.name for path in tmp_path.iterdir()} == {"scan.nii.gz", living.name, other.name}


def test_a_written_file_has_the_permissions_of_any_other(tmp_path):
    files.write_text(tmp_path / "one", "1")
    (tmp_path / "two").write_text("2", encoding="utf-8")
    assert (tmp_path / "one").stat().st_mode == (tmp_path / "two").stat().st_mode


def test_json_refuses_nan_and_leaves_nothing(tmp_path):
    with pytest.raises(ValueError, match="JSON"):
        files.write_json(tmp_path / "a.json", {"dice": float("nan")})
    assert list(tmp_path.iterdir()) == []


def test_sha256_of_known_bytes(tmp_path):
    (tmp_path / "abc").write_bytes(b"abc")
    assert files.sha256(tmp_path / "abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
