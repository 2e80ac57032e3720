"""Stage `preprocess`: files in, files out, a record, the way back."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from siil import config as configuration
from siil.anatomy import UNLABELLED
from siil.datasets.cases import write_cases
from siil.errors import DatasetError, InputError
from siil.run import checksums
from siil.scan import volume
from siil.scan.geometry import Geometry
from siil.scan.preprocess import undo_labels
from siil.stages.preprocess import preprocess
from tests import scans
from tests.datasets.test_cases import case


def table(folder, *names: str, annotation: str = "all") -> None:
    """cases.tsv of scans {name}.nii.gz with masks {name}_msk.nii.gz in `folder`."""
    paths = {
        name: {"image": str(folder / f"{name}.nii.gz"), "mask": str(folder / f"{name}_msk.nii.gz")} for name in names
    }
    rows = [replace(case(name), annotation=annotation, **paths[name]) for name in names]
    write_cases(folder / "cases.tsv", rows)


def pair(folder, name: str, **about) -> None:
    scans.write_pair(folder / f"{name}.nii.gz", folder / f"{name}_msk.nii.gz", **about)


def run(folder, name="out", **batch):
    out = folder / name
    config = configuration.partial({"dataset": {"preprocess": scans.SETTINGS.model_dump()}})
    preprocess(config=config, cases=folder / "cases.tsv", output=out, manifest=out / "list.sha256", **batch)
    return out


def test_the_files_lead_back_to_the_input(tmp_path):
    pair(tmp_path, "a")
    table(tmp_path, "a")
    out = run(tmp_path)
    image, mask = volume.read_volume(out / "img/a.nii.gz"), volume.read_mask(out / "msk/a.nii.gz")
    assert image.array.dtype == np.int16
    assert image.grid == mask.grid
    back = undo_labels(mask.array, Geometry.read(out / "geometry/a.json"))
    assert back.grid == volume.read_grid(tmp_path / "a.nii.gz")
    np.testing.assert_array_equal(back.array, volume.read_mask(tmp_path / "a_msk.nii.gz").array)


def test_repairs_stand_in_the_geometry_and_in_the_record(tmp_path, caplog):
    pair(tmp_path, "a")
    table(tmp_path, "a")
    scan = volume.read_volume(tmp_path / "a.nii.gz")
    volume.write_volume(tmp_path / "a.nii.gz", volume.Volume(scan.array + np.int16(1024), scan.grid))
    out = run(tmp_path)
    assert json.loads((out / "geometry/a.json").read_text())["defects"][0].startswith("offset_1024")
    assert json.loads((out / "img/a.run.json").read_text())["defects"][0].startswith("offset_1024")
    assert "offset_1024" in caplog.text


def test_it_gives_the_same_bytes_again(tmp_path):
    pair(tmp_path, "a")
    table(tmp_path, "a")
    one, two = run(tmp_path, "one"), run(tmp_path, "two")
    for name in ("img/a.nii.gz", "msk/a.nii.gz", "geometry/a.json"):
        assert (one / name).read_bytes() == (two / name).read_bytes()


def test_a_scan_that_cannot_be_used_is_named_and_the_others_are_kept(tmp_path):
    for seed, name in enumerate("abc"):
        pair(tmp_path, name, seed=seed)
    table(tmp_path, *"abc")
    (tmp_path / "b.nii.gz").write_bytes(b"no scan")
    with pytest.raises(InputError, match=r"preprocess: 1 of 3 scans failed: b \(.*b\.nii\.gz: .*"):
        run(tmp_path)
    out = tmp_path / "out"
    assert {path.name for path in (out / "geometry").iterdir()} == {"a.json", "c.json"}
    before = (out / "img/a.nii.gz").stat().st_mtime_ns
    pair(tmp_path, "b", seed=5)
    run(tmp_path)
    assert (out / "img/a.nii.gz").stat().st_mtime_ns == before
    listed = checksums.read(out / "list.sha256")
    assert tmp_path / "b_msk.nii.gz" in listed  # scores are made with the mask as released
    assert len(listed) == 3 * 4


def test_batches_share_the_cases_out(tmp_path):
    for name in "abcd":
        pair(tmp_path, name)
    table(tmp_path, *"abcd")
    run(tmp_path, batch=1, batches=2)
    first = {path.name for path in (tmp_path / "out/geometry").iterdir()}
    run(tmp_path, batch=2, batches=2, processes=2)
    assert 0 < len(first) < 4
    assert len(list((tmp_path / "out/geometry").iterdir())) == 4


@pytest.mark.parametrize("text", ["", "{", "[]", "3", '"source"', '{"source": {"spacing_mm": [1, 2]}}', None])
def test_a_geometry_that_is_missing_or_malformed_is_refused_by_name(tmp_path, text):
    path = tmp_path / "a.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(DatasetError, match=r"a\.json: .*run the preprocess step again"):
        Geometry.read(path)


@pytest.mark.parametrize(("annotation", "marked"), [("all", False), ("whole", True)])
def test_beyond_the_labelled_range_the_working_mask_says_that_nobody_annotated(tmp_path, annotation, marked):
    pair(tmp_path, "a")
    table(tmp_path, "a", annotation=annotation)
    out = run(tmp_path)
    mask = volume.read_mask(out / "msk/a.nii.gz").array
    assert (mask == UNLABELLED).any() == marked
    assert json.loads((out / "img/a.run.json").read_text())["config"]["annotation"] == annotation


def test_another_annotation_prepares_the_case_again(tmp_path):
    pair(tmp_path, "a")
    times = []
    for annotation in ("all", "whole", "whole"):
        table(tmp_path, "a", annotation=annotation)
        times.append((run(tmp_path) / "msk/a.nii.gz").stat().st_mtime_ns)
    assert times[0] < times[1] == times[2]


def test_own_voxels_of_255_reach_the_working_grid_and_widen_no_crop(tmp_path):
    pair(tmp_path, "a")
    table(tmp_path, "a")
    plain = volume.read_mask(run(tmp_path, "plain") / "msk/a.nii.gz")
    mask = volume.read_mask(tmp_path / "a_msk.nii.gz")
    own = np.where(mask.array == 0, np.uint8(UNLABELLED), mask.array)
    volume.write_volume(tmp_path / "a_msk.nii.gz", volume.Volume(own, mask.grid))
    found = volume.read_mask(run(tmp_path, "own") / "msk/a.nii.gz")
    assert found.grid == plain.grid
    np.testing.assert_array_equal(found.array, np.where(plain.array == 0, UNLABELLED, plain.array))
