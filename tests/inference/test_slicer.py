"""What 3D Slicer opens: the same vertebrae at the same places, by a reader that is not ours."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from siil.inference.slicer import KINDS, write_slicer
from siil.inference.vertebrae import Finding, measure
from siil.run.provenance import RESEARCH_USE
from siil.scan.grid import Grid, Volume

OBLIQUE = (0.8, -0.6, 0.0, 0.6, 0.8, 0.0, 0.0, 0.0, 1.0)


def answer(direction: tuple[float, ...] = OBLIQUE) -> tuple[Volume, tuple[Finding, ...]]:
    array = np.zeros((12, 10, 14), np.uint8)
    array[1:5, 3:7, 4:9] = 20
    array[6:10, 3:7, 4:9] = 28
    seg = Volume(array, Grid(array.shape, (3.0, 2.0, 1.5), (-20.0, 35.0, 100.0), direction))
    return seg, measure(seg, working_mm=3.0, levels={}, confidences={}, mean_hu={}, directions={})


def test_the_markups_hold_each_body_in_lps(tmp_path):
    seg, findings = answer()
    write_slicer(seg, findings, tmp_path, name="x")
    (markup,) = json.loads((tmp_path / "x_centroids.mrk.json").read_text())["markups"]
    assert (markup["type"], markup["coordinateSystem"], markup["coordinateUnits"]) == ("Fiducial", "LPS", "mm")
    assert markup["description"] == RESEARCH_USE
    points = {point["label"]: point["position"] for point in markup["controlPoints"]}
    # T13: middle of voxels x 4-8, y 3-6, z 6-9 = (6, 4.5, 7.5) of 1.5 x 2 x 3 mm = (9, 9, 22.5), turned and moved
    assert points["T13"] == pytest.approx([-20 + 0.8 * 9 - 0.6 * 9, 35 + 0.6 * 9 + 0.8 * 9, 122.5], abs=0.01)
    assert list(points) == ["T13", "L1"]


def test_the_segmentation_lies_where_the_labels_lie_and_names_them(tmp_path):
    seg, findings = answer()
    write_slicer(seg, findings, tmp_path, name="x")
    image = sitk.ReadImage(str(tmp_path / "x_seg.seg.nrrd"))
    assert (sitk.GetArrayFromImage(image) == seg.array).all()
    assert image.GetOrigin() == pytest.approx(seg.grid.origin_mm)
    assert image.GetDirection() == pytest.approx(OBLIQUE)
    assert image.GetSpacing() == pytest.approx((1.5, 2.0, 3.0))
    found = {image.GetMetaData(f"Segment{n}_Name"): image.GetMetaData(f"Segment{n}_LabelValue") for n in range(2)}
    assert found == {"L1": "20", "T13": "28"}


def test_slicerio_reads_both_and_finds_each_point_in_its_segment(tmp_path):
    reason = "slicerio, a reader of Slicer's files, is not installed (pip install slicerio)"
    slicerio = pytest.importorskip("slicerio", reason=reason)
    seg, findings = answer()
    write_slicer(seg, findings, tmp_path, name="x")
    made = slicerio.read_segmentation(str(tmp_path / f"x_{KINDS[1]}"))
    named = {segment["name"]: segment["labelValue"] for segment in made["segments"]}
    assert named == {"L1": 20, "T13": 28}
    to_voxels = np.linalg.inv(made["ijkToLPS"])
    markups = json.loads(Path(tmp_path / f"x_{KINDS[0]}").read_text())["markups"][0]
    for point in markups["controlPoints"]:
        i, j, k = np.rint(to_voxels @ [*point["position"], 1.0])[:3].astype(int)
        assert made["voxels"][i, j, k] == named[point["label"]]
