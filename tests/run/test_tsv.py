"""Names are text in every table, numbers are numbers, and one function reads them all."""

from __future__ import annotations

import io
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from siil.run.provenance import PACKAGE
from siil.run.tsv import NAMES, read_table

STRANGE = ["NA", "None", "null", "nan", "NaN", "001", "1", "1e5", "True", "n/a", "-inf", ""]


@pytest.mark.parametrize("column", sorted(NAMES))
def test_a_name_is_text_whatever_it_looks_like(column):
    text = f"{column}\tdice\n" + "".join(f"{name}\t0.5\n" for name in STRANGE)
    frame = read_table(io.StringIO(text))
    assert frame[column].tolist() == STRANGE
    assert frame["dice"].tolist() == [0.5] * len(STRANGE)


def test_empty_fields_and_nan_are_missing_numbers_and_flags_stay_flags(tmp_path):
    path = tmp_path / "a.tsv"
    path.write_text("case\tdice\tn\thit\tok\nNA\t\t1\tTrue\tTrue\nb\tnan\t2\t\tFalse\nc\t0.25\t3\tFalse\tTrue\n")
    frame = read_table(path)
    assert frame["dice"].isna().tolist() == [True, True, False]
    assert frame["n"].dtype == np.int64
    assert frame["ok"].dtype == bool
    assert frame["hit"].tolist()[::2] == [True, False]


def test_a_csv_has_commas_and_text_alone_is_text(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("Model,Dice\nNA,0.50\n", encoding="utf-8-sig")
    assert read_table(path, text=True).to_dict("records") == [{"Model": "NA", "Dice": "0.50"}]
    assert read_table(path)["Dice"].tolist() == [0.5]


def test_a_file_that_is_no_table_is_an_error_of_value(tmp_path):
    (tmp_path / "empty.tsv").touch()
    with pytest.raises(ValueError, match="No columns"):
        read_table(tmp_path / "empty.tsv")


def test_no_other_code_reads_tables_with_pandas():
    root = PACKAGE.parent
    files = [path for name in ("siil", "benchmarks", "scripts", "workflow") for path in (root / name).rglob("*")]
    reading = [
        path.relative_to(root)
        for path in files
        if path.suffix in (".py", ".smk")
        and re.search(r"read_csv|read_table\(.*sep|read_fwf|DictReader", path.read_text(encoding="utf-8"))
    ]
    assert reading == [Path("siil/run/tsv.py")]


def test_every_text_column_of_the_tables_that_are_written_is_a_name():
    from siil.datasets.cases import Case
    from siil.metrics import rows

    numbers = {"defects", "labels", "landmarks", "orientation", "spacing_mm", "size_vox", "image_sha256", "mask_sha256"}
    assert set(rows._TEXT) <= NAMES
    assert set(Case.__dataclass_fields__) - numbers <= NAMES
    assert pd.DataFrame({name: ["NA"] for name in rows._TEXT}).equals(
        read_table(io.StringIO(pd.DataFrame({name: ["NA"] for name in rows._TEXT}).to_csv(sep="\t", index=False)))
    )
