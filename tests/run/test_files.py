"""Files are whole or absent."""

from __future__ import annotations

import errno
import os

import pytest

from siil.errors import InputError
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


def test_a_place_is_tried_without_leaving_anything(tmp_path):
    files.check_place(tmp_path / "new/deep", folder=True)
    files.check_place(tmp_path, folder=True)
    files.check_place(tmp_path / "page.html", folder=False)
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "page.html").touch()
    files.check_place(tmp_path / "page.html", folder=False)
    with pytest.raises(InputError, match="expected a folder to write into, got a file; choose"):
        files.check_place(tmp_path / "page.html", folder=True)
    with pytest.raises(InputError, match="expected a file to write, got a folder"):
        files.check_place(tmp_path, folder=False)


def test_a_place_that_refuses_is_named_with_the_reason(tmp_path, monkeypatch):
    def refuse(*_: object, **__: object) -> str:
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr("tempfile.mkdtemp", refuse)
    with pytest.raises(
        InputError, match=rf"^{tmp_path}/a/b: cannot be written \(Read-only file system in {tmp_path}\)"
    ):
        files.check_place(tmp_path / "a/b", folder=True)
