"""Files in VerSe's layout: names, codes, axis orders, centroids in voxels, the truth, the same bytes again."""

from __future__ import annotations

import json

import nibabel as nib
import numpy as np
import pytest

from siil.anatomy import IGNORED_CODES
from siil.phantom import generate, layout, view
from siil.phantom.layout import centroid_json, oriented, series_count
from siil.run import files


def _digests(folder):
    return {str(p.relative_to(folder)): files.sha256(p) for p in sorted(folder.rglob("*")) if p.is_file()}


def _names(folder):
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())


@pytest.fixture(scope="module")
def tree(make_recipe, tmp_path_factory):
    folder = tmp_path_factory.mktemp("phantom")
    generate(make_recipe(patients=2, fields_of_view={"cervical": 1}), folder)
    return folder


def test_names_are_those_of_the_release(tree):
    expected = []
    for n in range(2):
        subject = f"sub-phantom{n:03d}"
        derived = [
            f"derivatives/{subject}/{subject}_{end}"
            for end in ("seg-subreg_ctd.json", "seg-vert_msk.nii.gz", "truth.json")
        ]
        expected += [*derived, f"rawdata/{subject}/{subject}_ct.json", f"rawdata/{subject}/{subject}_ct.nii.gz"]
    assert _names(tree) == sorted(expected)


def test_two_series_of_a_patient_are_split_a_and_b(make_recipe, tmp_path):
    recipe = make_recipe(patients=1, second_series=1, fields_of_view={"cervical": 1})
    generate(recipe, tmp_path)
    assert series_count(0, recipe) == 2
    images = sorted(p.name for p in (tmp_path / "rawdata" / "sub-phantom000").glob("*.nii.gz"))
    assert images == ["sub-phantom000_split-a_ct.nii.gz", "sub-phantom000_split-b_ct.nii.gz"]


def test_image_and_mask_share_the_grid_and_have_their_dtypes(tree):
    for path in sorted((tree / "rawdata").rglob("*_ct.nii.gz")):
        image = nib.load(path)
        mask = nib.load(str(path).replace("rawdata", "derivatives").replace("_ct.nii", "_seg-vert_msk.nii"))
        assert image.get_data_dtype() == np.int16
        assert mask.get_data_dtype() == np.uint8
        assert image.shape == mask.shape
        assert np.allclose(image.affine, mask.affine)


def test_centroids_on_disk_point_into_their_label(tree):
    for path in sorted((tree / "derivatives").rglob("*_ctd.json")):
        mask = nib.load(str(path).replace("seg-subreg_ctd.json", "seg-vert_msk.nii.gz"))
        voxels = np.asarray(mask.dataobj)
        direction, *items = json.loads(path.read_text())
        assert direction == {"direction": list(nib.aff2axcodes(mask.affine))}
        assert [item["label"] for item in items] == sorted(item["label"] for item in items)
        for item in items:
            if item["label"] != 1:  # the atlas has no body; its centre lies in the ring
                assert voxels[tuple(round(item[axis]) for axis in "XYZ")] == item["label"]


def test_the_truth_names_each_labelled_vertebra_and_whether_it_is_cut(tree):
    for path in sorted((tree / "derivatives").rglob("*_truth.json")):
        mask = nib.load(str(path).replace("truth.json", "seg-vert_msk.nii.gz"))
        truth = json.loads(path.read_text())
        labels = [row["label"] for row in truth["vertebrae"]]
        assert set(labels) == set(np.unique(np.asarray(mask.dataobj)).tolist()) - {0, *IGNORED_CODES}
        assert {row["complete"] for row in truth["vertebrae"]} <= {True, False}
        assert truth["last_rib"] == "T12"


@pytest.mark.slow
def test_two_processes_write_the_same_bytes_as_one(make_recipe, tree, tmp_path):
    generate(make_recipe(patients=2, fields_of_view={"cervical": 1}), tmp_path, threads=2)
    assert _digests(tmp_path) == _digests(tree)


@pytest.mark.parametrize("orientation", view.ORIENTATIONS)
def test_every_orientation_puts_a_body_centre_at_the_same_place(scans, orientation, tmp_path):
    from dataclasses import replace

    scan = scans["lumbar"]
    turned = replace(scan, view=replace(scan.view, orientation=orientation))
    path = tmp_path / "mask.nii.gz"
    layout.write_volume(path, oriented(turned, turned.mask))
    image = nib.load(path)
    assert "".join(nib.aff2axcodes(image.affine)) == orientation
    item = next(item for item in centroid_json(turned) if item.get("label") == 22)
    ras = image.affine @ np.array([item["X"], item["Y"], item["Z"], 1.0])
    expected = scan.anatomy.level("L3").place.centre_mm * (-1, -1, 1)
    assert np.abs(ras[:3] - expected).max() < 0.11 * max(scan.view.spacing_mm)


def test_a_failing_write_leaves_no_image_behind(make_recipe, tmp_path, monkeypatch):
    def refuse(path, volume):
        raise OSError("disk full")

    monkeypatch.setattr(layout, "write_volume", refuse)
    with pytest.raises(OSError, match="disk full"):
        generate(make_recipe(patients=1, fields_of_view={"cervical": 1}), tmp_path)
    assert list(tmp_path.rglob("*.nii.gz")) == []
