"""The table of cases comes back as it was, and is refused when it cannot serve."""

from __future__ import annotations

from dataclasses import replace

import pytest

from siil.datasets.cases import Case, read_cases, write_cases
from siil.errors import DatasetError


def case(name: str, *, patient: str = "", split: str = "", labels: str = "L1 L2 L3", source: str = "s") -> Case:
    """A row with what the tests of splits look at."""
    return Case(
        name,
        patient or name,
        source,
        "",
        split,
        f"{name}_ct.nii.gz",
        "m",
        "",
        "LPS",
        "3 3 3",
        "9 9 9",
        labels,
        "",
        "",
        "",
    )


def test_cases_come_back_sorted_and_equal(tmp_path):
    rows = [case("b", labels="NA"), case("a", split="training")]
    write_cases(tmp_path / "cases.tsv", rows)
    assert read_cases(tmp_path / "cases.tsv") == sorted(rows, key=lambda row: row.case)
    assert read_cases(tmp_path / "cases.tsv")[0].vertebrae == ("L1", "L2", "L3")


def test_an_id_that_stands_twice_is_refused_with_both_files(tmp_path):
    with pytest.raises(DatasetError, match=r"case id a stands for both a_ct.nii.gz and other"):
        write_cases(tmp_path / "cases.tsv", [case("a"), replace(case("a"), image="other")])
    assert not (tmp_path / "cases.tsv").exists()


def test_an_empty_table_is_refused(tmp_path):
    with pytest.raises(DatasetError, match="no case found"):
        write_cases(tmp_path / "cases.tsv", [])


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"a\tb\nc\td\te\n", None])
def test_what_is_no_table_is_refused_in_one_line(tmp_path, content):
    if content is not None:
        (tmp_path / "cases.tsv").write_bytes(content)
    with pytest.raises(DatasetError, match=r"cases\.tsv: .*run the index step again") as caught:
        read_cases(tmp_path / "cases.tsv")
    assert "\n" not in str(caught.value)


def test_an_annotation_that_is_none_is_refused(tmp_path):
    write_cases(tmp_path / "cases.tsv", [case("a"), replace(case("b"), annotation="half")])
    with pytest.raises(DatasetError, match=r"cases\.tsv: expected annotation all or whole, got 'half'"):
        read_cases(tmp_path / "cases.tsv")


def test_a_table_without_its_columns_is_refused(tmp_path):
    (tmp_path / "cases.tsv").write_text("case\tpatient\na\ta\n")
    with pytest.raises(DatasetError, match="run the index step again"):
        read_cases(tmp_path / "cases.tsv")
