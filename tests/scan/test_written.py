"""What `siil predict` wrote is told by its names and by NAME_scan.json beside it."""

from __future__ import annotations

from pathlib import PurePath

import pytest

from siil.scan.written import is_result

WRITTEN = (
    "a_seg.nii.gz",
    "a_seg.dcm",
    "a_ctd.json",
    "a_vertebrae.tsv",
    "a_scan.json",
    "a_preview.png",
    "a_viewer.html",
)


@pytest.mark.parametrize("name", [*WRITTEN, "a.seg.nrrd", "a.mrk.json", "run.json"])
def test_a_file_of_a_run_is_a_result_beside_its_facts_alone(name):
    path, facts = PurePath("in", name), PurePath("in/a_scan.json")
    assert is_result(path, {path, facts})
    assert is_result(path, {path}) == (path == facts)
    assert is_result(path, {path, PurePath("out/a_scan.json")}) == (path == facts)


@pytest.mark.parametrize(
    "name", ["a.nii.gz", "a_ct.nii.gz", "b_seg.nii.gz", "a_2.nii.gz", "IM0001", "seg.dcm", "a.json"]
)
def test_a_scan_beside_results_is_none(name):
    path = PurePath("in", name)
    assert not is_result(path, {path, *(PurePath("in", other) for other in WRITTEN)})
