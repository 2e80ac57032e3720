"""Rows survive the way through a file with their types."""

from __future__ import annotations

import io

import numpy as np
import pandas as pd
import pytest

from siil.errors import DatasetError
from siil.metrics import rows
from siil.metrics.case import score_case


def written() -> pd.DataFrame:
    truth, prediction = np.zeros((4, 4, 9), np.uint8), np.zeros((4, 4, 9), np.uint8)
    truth[1:3, 1:3, 1:3], prediction[1:3, 1:3, 2:4] = 20, 20
    truth[1:3, 1:3, 5:7], prediction[1:3, 1:3, 7:8] = 21, 22
    scored = score_case(truth, prediction, (1.0, 1.0, 1.0))
    scored.insert(0, "case", "007")
    scored.insert(1, "space", "work")
    scored["flagged"] = [True if scope == "scan" else None for scope in scored["scope"]]
    return scored


def read(text: str) -> pd.DataFrame:
    return pd.read_csv(io.StringIO(text), sep="\t", dtype=str, keep_default_na=False)


def test_numbers_flags_and_absent_values_come_back() -> None:
    before = written()
    parts = rows.split(read(rows.to_text(before)), where="x.tsv")
    vertebrae = parts["vertebra"].set_index("label")
    assert vertebrae["case"].tolist() == ["007"] * 3
    assert vertebrae["truth"].tolist() == [True, True, False]
    assert vertebrae["complete"].dtype == bool
    assert vertebrae.loc["L1", "dice"] == 0.5
    assert np.isnan(vertebrae.loc["L2", "hd_mm"])
    assert np.isnan(vertebrae.loc["L3", "hit_verse"])
    scan = parts["scan"].iloc[0]
    assert scan["flagged"] is np.True_
    assert scan["n_truth"] == 2
    assert "truth" not in parts["scan"]
    assert "f1" not in parts["vertebra"]


def test_nine_digits_are_kept() -> None:
    before = written()
    parts = rows.split(read(rows.to_text(before)), where="x.tsv")
    old = before.loc[before["scope"] == "scan", "binary_dice"].iloc[0]
    assert parts["scan"]["binary_dice"].iloc[0] == pytest.approx(old, rel=1e-8)


def test_a_table_without_its_columns_is_refused_by_name() -> None:
    text = rows.to_text(written().drop(columns=["hit_verse"]))
    with pytest.raises(DatasetError, match=r"x\.tsv: columns \['hit_verse'\] are missing"):
        rows.split(read(text), where="x.tsv")


def test_tables_of_many_cases_come_in_their_order_though_their_columns_differ(tmp_path) -> None:
    other = written()
    other["case"] = "008"
    wider = other.assign(nsd_9mm=0.5)[[*other.columns[:6], "nsd_9mm", *other.columns[6:]]]
    paths = [tmp_path / name for name in ("0.tsv", "1.tsv", "2.tsv")]
    for path, frame in zip(paths, (written(), wider, written()), strict=True):
        path.write_text(rows.to_text(frame), encoding="utf-8")
    parts = rows.read(paths)
    assert parts["vertebra"]["file"].tolist() == [0] * 3 + [1] * 3 + [2] * 3
    assert parts["scan"]["case"].tolist() == ["007", "008", "007"]
    alone = rows.split(read(rows.to_text(written())), where="x.tsv")
    last = parts["vertebra"][parts["vertebra"]["file"] == 2].reset_index(drop=True)
    pd.testing.assert_frame_equal(last[list(alone["vertebra"].columns)], alone["vertebra"])
    assert parts["vertebra"]["nsd_9mm"].isna().sum() == 6


def test_of_many_tables_the_one_that_lacks_a_column_is_named(tmp_path) -> None:
    for name, frame in (("0.tsv", written()), ("1.tsv", written().drop(columns="detected"))):
        (tmp_path / name).write_text(rows.to_text(frame), encoding="utf-8")
    with pytest.raises(DatasetError, match=r"1\.tsv: columns \['detected'\] are missing"):
        rows.read([tmp_path / "0.tsv", tmp_path / "1.tsv"])
