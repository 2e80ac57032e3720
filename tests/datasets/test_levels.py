"""The table of levels: what a row may say, and what is said of a row that is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from siil.datasets.levels import Known, read_at, read_levels
from siil.errors import DatasetError


def table(path: Path, *rows: str) -> Path:
    (path / "levels.tsv").write_text("\n".join(row.replace(" ", "\t") for row in rows) + "\n", encoding="utf-8")
    return path / "levels.tsv"


def test_rows_of_every_kind_are_read_and_rows_of_one_scan_joined(tmp_path):
    path = table(
        tmp_path,
        "scan level z_mm first last",
        "a.nii.gz   T10 ",
        "b l3 -12.5  ",
        "b T13 90  L5",
        "NA   C1 C7",
        "007    t9",
    )
    assert read_levels(path) == {
        "a": Known(first="T10"),
        "b": Known(last="L5", at=((-12.5, "L3"), (90.0, "T13"))),
        "NA": Known("C1", "C7"),
        "007": Known(last="T9"),
    }


def test_a_table_needs_only_the_columns_that_say_something(tmp_path):
    path = tmp_path / "levels.tsv"
    path.write_bytes(b"\xef\xbb\xbffirst\tscan\r\nT10\ta\r\n\r\n")  # as spreadsheets write: BOM, CRLF, an empty row
    assert read_levels(path) == {"a": Known(first="T10")}


@pytest.mark.parametrize(
    ("rows", "why"),
    [
        (["scan,first", "a,T10"], "expected columns of scan, level, z_mm, first, last between tabs, got scan,first"),
        (["scan first name", "a T10 x"], "got scan, first, name"),
        (["first", "T10"], "got first"),
        ([], "between tabs, got nothing"),
        (["scan first"], "a row per scan below the header, got none"),
        (["scan first", "a X1"], "row 2: expected a vertebra .*, got 'X1'"),
        (["scan first", "a "], "row 2: expected level and z_mm, first or last"),
        (["scan first", " T10"], "row 2: expected the name of a scan"),
        (["scan first", "a T10 L1"], "row 2: expected 2 columns"),
        (["scan first", "a"], "row 2: expected 2 columns"),
        (["scan level z_mm", "a L3 "], "row 2: expected level and z_mm together"),
        (["scan level z_mm", "a L3 nan"], "row 2: expected a height in mm, got 'nan'"),
        (["scan first", "a T10", "a T11"], r"row 3 \(a\): expected one first, got T10 and T11"),
    ],
)
def test_a_table_that_is_wrong_is_refused_with_its_row(tmp_path, rows, why):
    with pytest.raises(DatasetError, match=why):
        read_levels(table(tmp_path, *rows))


def test_a_table_that_is_not_there_or_no_text_is_refused(tmp_path):
    with pytest.raises(DatasetError, match="expected a table of levels"):
        read_levels(tmp_path / "levels.tsv")
    (tmp_path / "levels.tsv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DatasetError, match="expected a table of levels"):
        read_levels(tmp_path / "levels.tsv")


def test_a_height_with_its_vertebra():
    assert read_at("-123.4=l3", "--at") == (-123.4, "L3")
    for text in ("L3", "L3=-123.4", "x=L3", "1=L9"):
        with pytest.raises(DatasetError, match="--at: expected"):
            read_at(text, "--at")
    assert Known("T9", "L5", ((-1.5, "L3"),)).words() == "--first T9 --last L5 --at -1.5=L3"


def test_a_table_that_is_not_there_is_said_without_its_path_twice(tmp_path):
    with pytest.raises(DatasetError) as caught:
        read_levels(tmp_path / "no.tsv")
    assert str(caught.value) == f"{tmp_path}/no.tsv: expected a table of levels, got No such file or directory"
