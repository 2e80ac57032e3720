"""Stage evaluate on a tiny case with exact grids: spaces, ceiling, complete, flags, and what it refuses."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from siil.anatomy import BY_NAME
from siil.config import partial
from siil.datasets.annotation import mark_unlabelled
from siil.datasets.cases import write_cases
from siil.errors import DatasetError, InputError
from siil.metrics import rows
from siil.run import files
from siil.scan.grid import Grid, Volume
from siil.scan.preprocess import Geometry, undo_labels
from siil.scan.volume import read_mask, write_volume
from siil.stages.evaluate import evaluate
from tests.datasets.test_cases import case as row

SOURCE = Grid((24, 16, 16), (1.0, 1.0, 1.0))
WORKING = Grid((13, 8, 8), (2.0, 2.0, 2.0), (0.5, 0.5, 0.5))
"""Every other voxel, and a slice of air above the scan."""


def truth_array() -> np.ndarray:
    """On the source grid: T12 cut by the upper border, L1 whole, L2 whole; L1 has an odd height."""
    labels = np.zeros(SOURCE.shape, np.uint8)
    labels[18:24, 4:12, 4:12] = BY_NAME["T12"].code
    labels[10:15, 4:12, 4:12] = BY_NAME["L1"].code
    labels[2:8, 4:12, 4:12] = BY_NAME["L2"].code
    return labels


@pytest.fixture
def case(tmp_path: Path) -> Path:
    """A case whose prediction is perfect on the working grid; the network alone misses L2."""
    geometry = Geometry(SOURCE, WORKING)
    fine = truth_array()
    working = np.pad(fine[::2, ::2, ::2], ((0, 1), (0, 0), (0, 0)))
    write_volume(tmp_path / "raw_msk.nii.gz", Volume(fine, SOURCE))
    write_volume(tmp_path / "msk/a.nii.gz", Volume(working, WORKING))
    files.write_json(tmp_path / "geometry/a.json", geometry.to_json())
    write_volume(tmp_path / "test/a_work.nii.gz", Volume(working, WORKING))
    raw = np.where(working == BY_NAME["L2"].code, 0, working).astype(np.uint8)
    write_volume(tmp_path / "test/a_raw.nii.gz", Volume(raw, WORKING))
    write_volume(tmp_path / "test/a_seg.nii.gz", undo_labels(working, geometry))
    files.write_json(tmp_path / "test/a_scan.json", {"uncertain": True})
    return tmp_path


def run(folder: Path, annotation: str = "all", tested: str = "a\n", **settings) -> dict[str, pd.DataFrame]:
    usual = {"surface_tolerances_mm": [1, 2], "identification_mm": 20, "input_grid": True, "beyond_annotation": "count"}
    values = usual | settings
    row_of_a = replace(row("a"), mask=str(folder / "raw_msk.nii.gz"), annotation=annotation)
    write_cases(folder / "cases.tsv", [row_of_a, row("not_tested")])
    (folder / "testing.txt").write_text(tested)
    evaluate(
        config=partial({"evaluate": values}),
        cases=folder / "cases.tsv",
        data=folder,
        tested=folder / "testing.txt",
        prediction=folder / "test",
        output=folder / "out",
        manifest=folder / "out.sha256",
    )
    frame = pd.read_csv(folder / "out/a.tsv", sep="\t", dtype=str, keep_default_na=False)
    return rows.split(frame, where="a.tsv")


def test_every_space_has_a_scan_row_and_a_row_per_vertebra(case: Path) -> None:
    found = run(case)
    spaces = ["work", "raw", "input", "ceiling"]
    assert found["scan"]["space"].tolist() == spaces
    assert set(rows.SPACES) == {*spaces, "first"}
    assert found["vertebra"].groupby("space").size().to_dict() == dict.fromkeys(spaces, 3)
    assert set(found["scan"]["case"]) == {"a"}


def test_work_is_perfect_raw_misses_one_and_the_ceiling_is_below_one(case: Path) -> None:
    scans = run(case)["scan"].set_index("space")
    assert scans.loc["work", "dice"] == 1
    assert scans.loc["raw", "dice"] == pytest.approx(2 / 3)
    assert scans.loc["raw", "id_rate_verse"] == pytest.approx(2 / 3)
    assert 0.8 < scans.loc["ceiling", "dice"] < 1
    assert scans.loc["ceiling", "id_rate_strict"] == 1


def test_complete_is_judged_by_the_border_of_the_scan_in_every_space(case: Path) -> None:
    vertebrae = run(case)["vertebra"]
    assert set(vertebrae.loc[vertebrae["label"] == "T12", "complete"]) == {False}
    assert set(vertebrae.loc[vertebrae["label"] != "T12", "complete"]) == {True}
    assert vertebrae["complete"].dtype == bool


def test_the_flag_of_the_decoding_is_carried_but_not_by_the_ceiling(case: Path) -> None:
    scans = run(case)["scan"].set_index("space")
    assert scans["flagged"].to_dict() == {"work": True, "raw": True, "input": True, "ceiling": False}


def test_without_the_input_grid_two_spaces_remain_and_seg_is_not_needed(case: Path) -> None:
    (case / "test/a_seg.nii.gz").unlink()
    assert run(case, input_grid=False)["scan"]["space"].tolist() == ["work", "raw"]


def test_with_a_second_look_the_first_is_scored_beside_it(case: Path) -> None:
    missed = read_mask(case / "test/a_seg.nii.gz")
    missed.array[missed.array == BY_NAME["L2"].code] = 0
    write_volume(case / "test/a_first.nii.gz", missed)
    scans = run(case)["scan"].set_index("space")
    assert scans.loc["input", "id_rate_verse"] == 1
    assert scans.loc["first", "id_rate_verse"] == pytest.approx(2 / 3)
    assert scans.loc["first", "flagged"]


def test_tolerances_come_from_the_configuration(case: Path) -> None:
    scans = run(case, surface_tolerances_mm=[0.5])["scan"]
    assert "nsd_0.5mm" in scans
    assert "nsd_1mm" not in scans


def test_a_run_record_lies_beside_the_table(case: Path) -> None:
    run(case)
    record = json.loads((case / "out/a.run.json").read_text())
    assert record["stage"] == "evaluate"
    assert set(record["inputs"]) >= {"a.nii.gz", "raw_msk.nii.gz", "a_seg.nii.gz", "a_scan.json"}


def test_a_tested_case_that_the_table_does_not_hold_is_named(case: Path) -> None:
    with pytest.raises(DatasetError, match=r"testing\.txt: case b is not in .*cases\.tsv; run index and split again"):
        run(case, tested="a\nb\n")


def test_a_prediction_on_another_grid_is_refused(case: Path) -> None:
    write_volume(case / "test/a_work.nii.gz", Volume(np.zeros((13, 8, 9), np.uint8), WORKING))
    with pytest.raises(InputError, match=r"a_work\.nii\.gz: expected the grid of the truth"):
        run(case)
    assert not (case / "out/a.tsv").exists()


def test_a_prediction_at_another_place_is_refused(case: Path) -> None:
    moved = Grid(WORKING.shape, WORKING.spacing_mm, (0.5, 0.5, 3.5))
    write_volume(case / "test/a_raw.nii.gz", Volume(np.zeros(WORKING.shape, np.uint8), moved))
    with pytest.raises(InputError, match=r"a_raw\.nii\.gz: expected the grid of the truth"):
        run(case)


def test_scan_facts_without_the_flag_are_refused(case: Path) -> None:
    files.write_json(case / "test/a_scan.json", {"margin": 3})
    with pytest.raises(InputError, match="key `uncertain`"):
        run(case)


def test_the_truth_of_another_scan_is_refused(case: Path) -> None:
    write_volume(case / "raw_msk.nii.gz", Volume(np.zeros((9, 16, 16), np.uint8), SOURCE))
    with pytest.raises(InputError, match="raw_msk"):
        run(case)


def test_what_is_predicted_beyond_the_annotation_counts_unless_it_is_ignored(case: Path) -> None:
    """T12 is cut and has no label, as in VerSe; it is predicted. On the input's grid the stage marks the truth."""
    for path in ("raw_msk.nii.gz", "msk/a.nii.gz"):
        mask = read_mask(case / path)
        left = np.where(mask.array == BY_NAME["T12"].code, 0, mask.array).astype(np.uint8)
        if path.startswith("msk"):  # as preprocess does
            left = mark_unlabelled(Volume(left, mask.grid), annotation="whole").array
        write_volume(case / path, Volume(left, mask.grid))
    names = ["n_truth", "n_predicted", "precision", "all_right"]
    counted = run(case, annotation="whole")["scan"].set_index("space")
    ignored = run(case, annotation="whole", beyond_annotation="ignore")["scan"].set_index("space")
    for space in ("work", "input"):
        assert counted.loc[space, names].tolist() == [2, 3, pytest.approx(2 / 3), False]
        assert ignored.loc[space, names].tolist() == [2, 2, 1, True]
    assert ignored.loc["work", "binary_dice"] == 1 > counted.loc["work", "binary_dice"]
    assert ignored.loc["ceiling", "n_predicted"] == 2


def test_another_annotation_scores_the_case_again(case: Path) -> None:
    times = []
    for annotation in ("all", "whole", "whole"):
        run(case, annotation=annotation, beyond_annotation="ignore")
        times.append((case / "out/a.tsv").stat().st_mtime_ns)
    assert times[0] < times[1] == times[2]


def test_to_ignore_takes_nothing_where_everything_is_annotated(case: Path) -> None:
    counted, ignored = run(case)["scan"], run(case, beyond_annotation="ignore")["scan"]
    assert counted.equals(ignored)
