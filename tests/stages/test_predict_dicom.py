"""`siil predict` on DICOM series: the DICOM-SEG beside the other outputs, and what becomes of them without one."""

# ruff: noqa: F401, F811 (fixtures that come by import)
from __future__ import annotations

import json
import logging
import shutil
from pathlib import Path

import highdicom
import numpy as np
import pydicom
import pytest

from siil import cli
from siil.anatomy import BY_NAME
from siil.run.provenance import RESEARCH_USE
from siil.scan import volume
from tests.inference.test_dicom_seg import change, make_series
from tests.stages.test_predict import KINDS, names_in, right, run
from tests.stages.test_test import reading, spine, weights


def series(path: Path) -> Path:
    """The spine as a DICOM series."""
    make_series(path, spine()[0], step_mm=3.0, pixel_mm=3.0)
    return path


def dicom_seg(path: Path, shape: tuple[int, ...]) -> np.ndarray:
    """VerSe codes (Z, Y, X) of a DICOM-SEG whose slices run as the volume's; slices without a vertebra are 0."""
    made, codes = pydicom.dcmread(path), np.zeros(shape, np.uint8)
    named = {segment.SegmentNumber: BY_NAME[segment.SegmentLabel].code for segment in made.SegmentSequence}
    for group, frame in zip(made.PerFrameFunctionalGroupsSequence, made.pixel_array, strict=True):
        z = round((float(group.PlanePositionSequence[0].ImagePositionPatient[2]) - 100) / 3)
        codes[z][frame > 0] = named[group.SegmentIdentificationSequence[0].ReferencedSegmentNumber]
    return codes


@pytest.mark.usefixtures("reading")
def test_a_dicom_series_gives_a_dicom_seg_and_identifiers_nowhere_else(tmp_path, weights):
    run([series(tmp_path / "in/study")], tmp_path / "out", weights)
    assert names_in(tmp_path / "out") == {f"study_{k}" for k in (*KINDS, "seg.dcm")} | {"run.json"}
    truth = spine()[1]
    assert right(volume.read_mask(tmp_path / "out/study_seg.nii.gz").array, truth)
    assert right(dicom_seg(tmp_path / "out/study_seg.dcm", truth.shape), truth)
    for path in (tmp_path / "out").iterdir():
        assert (b"SECRET" in path.read_bytes().upper()) == (path.suffix == ".dcm")


@pytest.mark.usefixtures("reading")
@pytest.mark.parametrize("error", [ValueError, TypeError, AttributeError, KeyError])
def test_a_series_that_highdicom_refuses_keeps_its_other_outputs(tmp_path, weights, monkeypatch, caplog, error):
    def refuse(**_: object) -> None:
        raise error("SECRET^NAME is no such thing")

    monkeypatch.setattr(highdicom.seg, "Segmentation", refuse)
    run([series(tmp_path / "in/study")], tmp_path / "out", weights)
    assert names_in(tmp_path / "out") == {f"study_{k}" for k in KINDS} | {"run.json"}
    assert f"study: no DICOM-SEG: a tag of the series cannot be used ({error.__name__})" in caplog.text
    assert "SECRET" not in caplog.text


@pytest.mark.usefixtures("reading")
@pytest.mark.parametrize("below", ["", "results"])
def test_a_second_run_into_the_series_itself_does_what_the_first_did(tmp_path, weights, below):
    path = series(tmp_path / "study")
    made = []
    for _ in range(2):
        run([path], path / below, weights)
        made.append({kind: (path / below / f"study_{kind}").read_bytes() for kind in ("seg.nii.gz", "scan.json")})
    assert made[0] == made[1]
    assert (path / below / "study_seg.dcm").is_file()


@pytest.mark.usefixtures("reading")
def test_of_two_series_of_a_study_the_dicom_seg_refers_to_the_one_that_was_read(tmp_path, weights, caplog):
    path = series(tmp_path / "study")
    make_series(tmp_path / "study/thick", spine()[0][::2], step_mm=6.0, pixel_mm=3.0)
    study = pydicom.dcmread(next(item for item in path.iterdir() if item.is_file())).StudyInstanceUID
    change(tmp_path / "study/thick", StudyInstanceUID=study, SeriesNumber=4)
    run([path], tmp_path / "out", weights)
    made = pydicom.dcmread(tmp_path / "out/study_seg.dcm")
    (referred,) = made.ReferencedSeriesSequence
    chosen = {pydicom.dcmread(item).SeriesInstanceUID for item in path.iterdir() if item.is_file()}
    assert {referred.SeriesInstanceUID} == chosen
    assert "(number 3) is used" in caplog.text
    assert "it has the most slices" in caplog.text


@pytest.mark.usefixtures("reading")
def test_no_line_of_a_library_and_no_uid_is_said(tmp_path, weights, caplog):
    with caplog.at_level(logging.DEBUG):
        run([series(tmp_path / "study")], tmp_path / "out", weights)
    assert not [record.name for record in caplog.records if record.name.split(".")[0] in ("highdicom", "pydicom")]
    assert "1.2.826" not in caplog.text


@pytest.mark.usefixtures("reading")
def test_a_series_without_preamble_gives_its_dicom_seg_too(tmp_path, weights):
    path = series(tmp_path / "study")
    for item in path.iterdir():
        content = item.read_bytes()
        item.write_bytes(content[content.index(b"\x08\x00\x08\x00") :])
    run([path], tmp_path / "out", weights)
    assert (tmp_path / "out/study_seg.dcm").is_file()


@pytest.mark.usefixtures("reading")
def test_ordinary_faults_of_the_tags_cost_nothing(tmp_path, weights):
    change(series(tmp_path / "in/study"), SliceThickness=None, PatientBirthDate="ANON", PatientSex="X")
    run([tmp_path / "in/study"], tmp_path / "out", weights)
    assert "study_seg.dcm" in names_in(tmp_path / "out")


@pytest.mark.usefixtures("reading")
def test_a_rerun_that_finds_nothing_leaves_no_old_dicom_seg(tmp_path, weights):
    path = tmp_path / "in/study"
    run([series(path)], tmp_path / "out", weights)
    assert "study_seg.dcm" in names_in(tmp_path / "out")
    shutil.rmtree(path)
    make_series(path, np.minimum(spine()[0], 90))
    (tmp_path / "out/other_seg.dcm").write_bytes(b"another scan's")
    run([path], tmp_path / "out", weights)
    assert json.loads((tmp_path / "out/study_scan.json").read_text())["vertebrae"] == []
    assert names_in(tmp_path / "out") == {f"study_{k}" for k in KINDS} | {"run.json", "other_seg.dcm"}


@pytest.mark.usefixtures("reading")
def test_no_library_says_anything_at_info(tmp_path, weights, monkeypatch, capsys):
    """highdicom tells at INFO which instances it copies from."""
    root, ours = logging.getLogger(), logging.getLogger("siil")
    before = root.handlers[:], root.level, ours.level
    try:
        cli._log_to(None)
        run([series(tmp_path / "in/study")], tmp_path / "out", weights)
    finally:
        root.handlers[:], root.level, ours.level = before
        logging.captureWarnings(False)
    said = [line for line in capsys.readouterr().err.splitlines() if " INFO " in line]
    assert [line.partition(" INFO ")[2] for line in said] == [RESEARCH_USE]
