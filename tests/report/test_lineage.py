"""What lies behind a result: by hand-made tables and files."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from siil.errors import InputError
from siil.report import lineage
from siil.scan.grid import Grid, Volume
from siil.scan.volume import write_volume

SCANS = """\
model\trepeat\tfold\tcase\tpatient\tspace\tdice
siil\t0\t0\ta\tp\twork\t0.5
siil\t1\t0\ta\tp\twork\t0.7
siil\t0\t1\tb\tq\twork\t0.9
siil\t0\t1\tb\tq\tinput\t0.8
unet\t0\t0\ta\tp\twork\t0.1
"""


@pytest.fixture
def results(tmp_path: Path) -> Path:
    (tmp_path / "aggregate").mkdir()
    (tmp_path / "aggregate/scans.tsv").write_text(SCANS, encoding="utf-8")
    return tmp_path


def test_a_mean_is_followed_to_the_rows_and_files_that_it_is_made_of(results: Path) -> None:
    rows = list(lineage.rows_behind(results, metric="dice", model="siil", space="work", label=""))
    assert [(place, case, value) for place, case, value, _ in rows] == [
        ("siil/fold0", "a", 0.5),
        ("siil@1/fold0", "a", 0.7),
        ("siil/fold1", "b", 0.9),
    ]
    assert rows[1][3] == results / "evaluate/siil@1/fold0/a.tsv"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"metric": "dise"}, "no numbers dise; it has dice"),
        ({"model": "silt"}, "no model silt; it has siil, unet"),
        ({"space": "raw"}, "no space raw; it has input, work"),
    ],
)
def test_what_the_tables_do_not_have_is_named_with_what_they_have(results: Path, changes: dict, message: str) -> None:
    asked = {"metric": "dice", "model": "siil", "space": "work", "label": ""} | changes
    with pytest.raises(InputError, match=message):
        list(lineage.rows_behind(results, **asked))


def test_an_input_that_is_another_file_now_is_named() -> None:
    record = {"inputs": {"a.nii.gz": "1", "pap/a.nii.gz": "2", "gone.tsv": "3"}}
    known = {Path("data/img/a.nii.gz"): "1", Path("data/msk/a.nii.gz"): "9", Path("data/pap/a.nii.gz"): "8"}
    assert lineage.changed(record, known) == ["pap/a.nii.gz"]
    assert lineage.changed(record, {**known, Path("data/pap/a.nii.gz"): "2"}) == []


def test_a_mask_is_described_by_its_labels_and_an_image_by_its_type(tmp_path: Path) -> None:
    codes = np.zeros((4, 3, 2), np.uint8)
    codes[0], codes[1] = 20, 28  # L1, T13
    for folder in ("msk", "img"):
        write_volume(tmp_path / folder / "a.nii.gz", Volume(codes, Grid(codes.shape, (1.0, 1.0, 1.0))))
    assert lineage.describe(tmp_path / "msk/a.nii.gz") == "4x3x2 labels T13 L1"
    assert lineage.describe(tmp_path / "img/a.nii.gz") == "4x3x2 uint8"
    np.savez(tmp_path / "a.npz", embeddings=np.zeros((5, 2)))
    assert lineage.describe(tmp_path / "a.npz") == "embeddings 5x2"


def test_a_mask_stored_as_float_is_described_by_its_labels(tmp_path: Path) -> None:
    array = np.zeros((4, 4, 4))
    array[1, 2, 2] = 20.0
    path = tmp_path / "a_seg-vert_msk.nii.gz"
    nib.Nifti1Image(array, np.eye(4)).to_filename(path)
    assert lineage.describe(path) == "4x4x4 labels L1"


def test_numbers_before_aggregate_are_refused_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"scans\.tsv: not there; run the workflow up to aggregate first"):
        list(lineage.rows_behind(tmp_path, metric="dice", model="", space="work", label=""))
