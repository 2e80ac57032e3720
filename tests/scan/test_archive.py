"""Archives that would write outside their folder, or are damaged, are refused whole."""

from __future__ import annotations

import stat
import zipfile

import pytest

from siil.errors import InputError
from siil.scan import archive


def packed(path, members):
    with zipfile.ZipFile(path, "w") as made:
        for name, content in members:
            made.writestr(name, content)
    return path


@pytest.mark.parametrize("name", ["../evil.txt", "a/../../evil.txt", "/etc/evil.txt", "..\\evil.txt", "C:/evil.txt"])
def test_a_member_that_leads_out_of_the_folder_is_refused_before_anything_is_unpacked(tmp_path, name):
    path = packed(tmp_path / "a.zip", [("good.txt", "1"), (name, "2")])
    with pytest.raises(InputError, match="leads out of the folder"):
        archive.unpack(path, tmp_path / "out" / "place")
    assert not (tmp_path / "out").exists()
    assert not (tmp_path / "evil.txt").exists()


def test_a_link_is_refused(tmp_path):
    link = zipfile.ZipInfo("link")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with pytest.raises(InputError, match="is a link"):
        archive.unpack(packed(tmp_path / "a.zip", [(link, "/etc/passwd")]), tmp_path / "place")


def test_a_damaged_member_and_a_truncated_archive_leave_nothing(tmp_path):
    path = packed(tmp_path / "a.zip", [("a.txt", "hello" * 100)])
    content = bytearray(path.read_bytes())
    content[60] ^= 255
    (tmp_path / "b.zip").write_bytes(content)
    (tmp_path / "c.zip").write_bytes(content[:200])
    for name in ("b.zip", "c.zip"):
        with pytest.raises(InputError):
            archive.unpack(tmp_path / name, tmp_path / "place")
    assert sorted(item.name for item in tmp_path.iterdir()) == ["a.zip", "b.zip", "c.zip"]


def test_a_good_archive_is_unpacked(tmp_path):
    archive.unpack(packed(tmp_path / "a.zip", [("x/a.txt", "1")]), tmp_path / "place")
    assert (tmp_path / "place/x/a.txt").read_text() == "1"
