from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from siil.anatomy import BY_NAME
from siil.config import resolve
from siil.errors import DatasetError
from siil.report.results import Results, read_results
from siil.scan.volume import Grid, Volume, read_volume, write_volume
from tests.report.synthetic import MODELS, SHAPE, Tree


def _read(folder: Path, tree: Tree) -> Results:
    return read_results(
        aggregate=folder,
        results=tree.results,
        data=tree.data,
        models=MODELS,
        folds=(0, 1),
        settings=resolve("demo").report,
    )


def test_a_missing_table_names_the_file_and_the_step(tmp_path: Path, tree: Tree) -> None:
    with pytest.raises(DatasetError, match=r"vertebrae\.tsv: not found; run the aggregate step first"):
        _read(tmp_path, tree)


def test_tables_without_a_scan_are_refused(tmp_path: Path, tree: Tree) -> None:
    for name in ("vertebrae", "scans", "summary", "history"):
        rows = pd.read_csv(tree.aggregate / f"{name}.tsv", sep="\t")
        rows.head(0 if name == "scans" else None).to_csv(tmp_path / f"{name}.tsv", sep="\t", index=False)
    with pytest.raises(DatasetError, match=r"scans\.tsv: no scan was scored"):
        _read(tmp_path, tree)


def test_flags_are_booleans_whether_written_as_words_or_numbers_and_may_be_absent(results: Results) -> None:
    rows = results.vertebrae[(results.vertebrae["case"] == "spine_b") & (results.vertebrae["space"] == "work")]
    invented = rows[rows["label"] == "L5"].iloc[0]
    assert not invented["truth"]
    assert invented["predicted"]
    assert pd.isna(invented["hit_verse"])
    assert results.vertebrae["hit_verse"].dtype == "boolean"


def test_the_worst_scan_comes_first(results: Results) -> None:
    assert list(results.ranking("siil")["case"]) == ["spine_b", "spine_c", "spine_a"]


def test_a_scan_is_read_with_internal_indices(results: Results) -> None:
    scan = results.scan("siil", 0, "spine_a")
    assert scan.ct_hu.shape == SHAPE
    assert set(np.unique(scan.truth)) == {0, *(BY_NAME[name].index for name in ("T11", "T12", "L1", "L2"))}
    assert scan.spacing_mm == 6.0


def test_a_prediction_of_another_size_is_refused(tmp_path: Path, results: Results) -> None:
    moved = replace(results, results=tmp_path)
    wrong = Volume(np.zeros((4, 4, 4), np.uint8), Grid((4, 4, 4), (6.0, 6.0, 6.0)))
    write_volume(tmp_path / "test" / "siil" / "fold0" / "spine_a_work.nii.gz", wrong)
    with pytest.raises(DatasetError, match="spine_a: CT, truth and prediction differ in size"):
        moved.scan("siil", 0, "spine_a")


def test_a_scan_that_was_not_tested_names_the_file(results: Results) -> None:
    with pytest.raises(DatasetError, match=r"spine_a_work\.nii\.gz: not found; run the test step"):
        results.scan("siil", 1, "spine_a")


def test_prototypes_come_from_the_weights_by_name_and_a_baseline_has_none(results: Results) -> None:
    found = results.prototypes("siil", 0)
    assert found is not None
    assert found.shape == (27, 4, 8)
    assert results.prototypes("unet", 0) is None


def test_a_baselines_trace_is_empty(results: Results) -> None:
    assert results.core("unet", 0, "spine_a").empty
    assert not results.core("siil", 0, "spine_a").empty


def test_what_nobody_annotated_is_drawn_as_background(tmp_path: Path, results: Results) -> None:
    path = results.data / "msk" / "spine_a.nii.gz"
    mask = read_volume(path)
    beyond = np.where(mask.array == 0, np.uint8(255), mask.array)
    write_volume(tmp_path / "msk/spine_a.nii.gz", replace(mask, array=beyond))
    (tmp_path / "img").symlink_to(results.data / "img")
    marked = replace(results, data=tmp_path)
    np.testing.assert_array_equal(marked.volumes("siil", 0, "spine_a")["truth"].array, mask.array)
    assert marked.scan("siil", 0, "spine_a").truth.max() < 27
