"""Stage `preprocess`: files in, files out, a record, the way back."""

from __future__ import annotations

import json

import numpy as np
import pytest

from siil import config as configuration
from siil.anatomy import UNLABELLED
from siil.errors import DatasetError
from siil.scan import volume
from siil.scan.geometry import Geometry
from siil.scan.preprocess import undo_labels
from siil.stages.preprocess import preprocess
from tests import scans


def run(tmp_path, name="out", **options):
    out = tmp_path / name
    config = configuration.partial({"dataset": {"preprocess": scans.SETTINGS.model_dump()}})
    preprocess(
        config=config,
        image=tmp_path / "a.nii.gz",
        mask=tmp_path / "m.nii.gz",
        output_image=out / "img/a.nii.gz",
        output_mask=out / "msk/a.nii.gz",
        output_geometry=out / "geometry/a.json",
        **options,
    )
    return out


def test_the_files_lead_back_to_the_input(tmp_path):
    scans.write_pair(tmp_path / "a.nii.gz", tmp_path / "m.nii.gz")
    out = run(tmp_path)
    image, mask = volume.read_volume(out / "img/a.nii.gz"), volume.read_mask(out / "msk/a.nii.gz")
    assert image.array.dtype == np.int16
    assert image.grid == mask.grid
    back = undo_labels(mask.array, Geometry.read(out / "geometry/a.json"))
    assert back.grid == volume.read_grid(tmp_path / "a.nii.gz")
    np.testing.assert_array_equal(back.array, volume.read_mask(tmp_path / "m.nii.gz").array)


def test_repairs_stand_in_the_geometry_and_in_the_record(tmp_path, caplog):
    scans.write_pair(tmp_path / "a.nii.gz", tmp_path / "m.nii.gz")
    scan = volume.read_volume(tmp_path / "a.nii.gz")
    volume.write_volume(tmp_path / "a.nii.gz", volume.Volume(scan.array + np.int16(1024), scan.grid))
    out = run(tmp_path)
    assert json.loads((out / "geometry/a.json").read_text())["defects"][0].startswith("offset_1024")
    assert json.loads((out / "img/a.run.json").read_text())["defects"][0].startswith("offset_1024")
    assert "offset_1024" in caplog.text


def test_it_gives_the_same_bytes_again(tmp_path):
    scans.write_pair(tmp_path / "a.nii.gz", tmp_path / "m.nii.gz")
    one, two = run(tmp_path, "one"), run(tmp_path, "two")
    for name in ("img/a.nii.gz", "msk/a.nii.gz", "geometry/a.json"):
        assert (one / name).read_bytes() == (two / name).read_bytes()


@pytest.mark.parametrize("text", ["", "{", "[]", "3", '"source"', '{"source": {"spacing_mm": [1, 2]}}', None])
def test_a_geometry_that_is_missing_or_malformed_is_refused_by_name(tmp_path, text):
    path = tmp_path / "a.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(DatasetError, match=r"a\.json: .*run the preprocess step again"):
        Geometry.read(path)


@pytest.mark.parametrize(("annotation", "marked"), [("all", False), ("whole", True)])
def test_beyond_the_labelled_range_the_working_mask_says_that_nobody_annotated(tmp_path, annotation, marked):
    scans.write_pair(tmp_path / "a.nii.gz", tmp_path / "m.nii.gz")
    out = run(tmp_path, annotation=annotation)
    mask = volume.read_mask(out / "msk/a.nii.gz").array
    assert (mask == UNLABELLED).any() == marked
    assert json.loads((out / "img/a.run.json").read_text())["annotation"] == annotation


def test_own_voxels_of_255_reach_the_working_grid_and_widen_no_crop(tmp_path):
    scans.write_pair(tmp_path / "a.nii.gz", tmp_path / "m.nii.gz")
    plain = volume.read_mask(run(tmp_path, "plain") / "msk/a.nii.gz")
    mask = volume.read_mask(tmp_path / "m.nii.gz")
    own = np.where(mask.array == 0, np.uint8(UNLABELLED), mask.array)
    volume.write_volume(tmp_path / "m.nii.gz", volume.Volume(own, mask.grid))
    found = volume.read_mask(run(tmp_path, "own") / "msk/a.nii.gz")
    assert found.grid == plain.grid
    np.testing.assert_array_equal(found.array, np.where(plain.array == 0, UNLABELLED, plain.array))
