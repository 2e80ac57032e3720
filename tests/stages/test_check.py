"""`siil check`: a table of problems before GPU hours."""

from __future__ import annotations

import numpy as np
import pytest

from siil import config as configuration
from siil.errors import DatasetError
from siil.scan import volume
from siil.stages.check import check
from tests import scans
from tests.datasets import trees

CONFIG = configuration.partial({"dataset": {"preprocess": scans.SETTINGS.model_dump()}})


def pair(tmp_path, name, seed=0, **options):
    scans.write_pair(tmp_path / f"mine/img/{name}.nii.gz", tmp_path / f"mine/msk/{name}.nii.gz", seed=seed, **options)


def test_a_good_dataset_has_nothing_wrong(tmp_path, capsys):
    pair(tmp_path, "a")
    check(config=CONFIG, paths=[tmp_path / "mine"])
    assert capsys.readouterr().out == "1 scans: nothing wrong\n"


def test_every_problem_is_a_row_and_a_fatal_one_ends_with_an_error(tmp_path, capsys):
    for number, name in enumerate(("good", "empty", "grid", "sacrum", "alone", "off")):
        pair(tmp_path, name, number, **({"codes": (26,)} if name == "sacrum" else {}))
    (tmp_path / "mine/img/empty.nii.gz").write_bytes(b"")
    scans.save(tmp_path / "mine/msk/grid.nii.gz", np.full((9, 9, 9), 7, np.uint8))
    (tmp_path / "mine/msk/alone.nii.gz").unlink()
    image = volume.read_image(tmp_path / "mine/img/off.nii.gz")
    low = volume.Volume(np.where(image.array == 400, np.int16(-100), image.array), image.grid)
    volume.write_volume(tmp_path / "mine/img/off.nii.gz", low)
    with pytest.raises(DatasetError, match="2 of 6 scans cannot be used: empty, grid"):
        check(config=CONFIG, paths=[tmp_path / "mine"])
    told = {line.split()[0]: line.split()[1] for line in capsys.readouterr().out.splitlines()[1:-1]}
    assert told == {"empty": "refuse", "grid": "refuse", "sacrum": "skip", "alone": "skip", "off": "say"}


def test_where_no_scan_could_be_used_the_command_fails_with_a_reason(tmp_path, capsys):
    for number in range(2):
        pair(tmp_path, str(number), number, codes=(26,))
    with pytest.raises(DatasetError, match=r"none of 2 scans can be used; the first: 0: no_vertebra: expected"):
        check(config=CONFIG, paths=[tmp_path / "mine"])
    assert "2 scans: 2 to skip" in capsys.readouterr().out


def test_trees_of_releases_and_single_files_are_checked(tmp_path, capsys):
    trees.verse20(tmp_path / "v")
    trees.ctspine1k(tmp_path / "c")
    image = next((tmp_path / "v").rglob("*_ct.nii.gz"))
    mask = next((tmp_path / "v").rglob("*_msk.nii.gz"))
    check(config=CONFIG, paths=[tmp_path / "v", tmp_path / "c", image, mask])
    assert capsys.readouterr().out == "11 scans: nothing wrong\n"


def test_a_name_that_the_pipeline_refuses_is_said(tmp_path, capsys):
    pair(tmp_path, "a b")
    with pytest.raises(DatasetError, match="1 of 1 scans cannot be used: a b"):
        check(config=CONFIG, paths=[tmp_path / "mine"])
    assert "expected a file name of letters A to Z" in capsys.readouterr().out


def test_a_path_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(DatasetError, match="expected a file or a folder"):
        check(config=CONFIG, paths=[tmp_path / "no"])


def test_voxels_that_nobody_annotated_are_no_bone_and_no_vertebra(tmp_path, capsys):
    pair(tmp_path, "a")
    path = tmp_path / "mine/msk/a.nii.gz"
    mask = volume.read_mask(path)
    volume.write_volume(path, volume.Volume(np.where(mask.array == 0, np.uint8(255), mask.array), mask.grid))
    check(config=CONFIG, paths=[tmp_path / "mine"])
    assert capsys.readouterr().out == "1 scans: nothing wrong\n"
    volume.write_volume(path, volume.Volume(np.full_like(mask.array, 255), mask.grid))
    with pytest.raises(DatasetError, match="no_vertebra"):
        check(config=CONFIG, paths=[tmp_path / "mine"])
