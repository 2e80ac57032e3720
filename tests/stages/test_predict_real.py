"""`siil predict` on real CT: its own grid, and for the DICOM series a DICOM-SEG that can be read."""

# ruff: noqa: F401, F811 (fixtures that come by import)
from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import highdicom
import pytest
import torch
from pydicom import dcmread
from pydicom.uid import generate_uid
from torch import Tensor, nn

from siil.anatomy import BY_NAME, CLASSES
from siil.model.weights import load_network
from siil.scan import volume
from siil.scan.dicom import read_series
from tests.stages.test_predict import KINDS, names_in, run
from tests.stages.test_test import weights


class Bone(nn.Module):
    """Takes all that is bright for vertebra L3, so that something is found in any scan."""

    def forward(self, image: Tensor, labels: Tensor | None = None) -> SimpleNamespace:
        classes = torch.zeros(len(image), CLASSES, *image.shape[2:])
        classes[:, BY_NAME["L3"].index] = 5.0
        return SimpleNamespace(spine=(image - (200 + 500) / 900 + 1) * 50, vertebrae=classes, core=None, landmarks=None)


@pytest.fixture(autouse=True)
def finds(monkeypatch) -> None:
    monkeypatch.setattr("siil.model.weights.load_network", lambda path: (Bone(), load_network(path)[1]))


def test_a_real_nifti_scan(real_data, weights, tmp_path):
    path = real_data / "ts-example-ct/ct.nii.gz"
    run([path], tmp_path, weights)
    assert names_in(tmp_path) == {f"ct_{k}" for k in KINDS} | {"run.json"}
    seg = volume.read_mask(tmp_path / "ct_seg.nii.gz")
    assert seg.grid == volume.read_grid(path)
    assert seg.array.any()
    assert volume.read_image(path).array[seg.array > 0].mean() > 150
    assert json.loads((tmp_path / "ct_scan.json").read_text())["vertebrae"]


def whole(series: Path, folder: Path) -> Path:
    """A copy of a de-identified series with the identifiers put back that a DICOM-SEG must refer to."""
    folder.mkdir()
    study, number = generate_uid(), generate_uid()
    for path in series.iterdir():
        image = dcmread(path)
        image.StudyInstanceUID, image.SeriesInstanceUID = study, number
        image.save_as(folder / path.name)
    return folder


def test_a_real_dicom_series(real_data, weights, tmp_path):
    series = whole(real_data / "ts-dicom/dicom", tmp_path / "scan")
    run([series], tmp_path / "out", weights)
    assert names_in(tmp_path / "out") == {f"scan_{k}" for k in (*KINDS, "seg.dcm")} | {"run.json"}
    seg, read = volume.read_mask(tmp_path / "out/scan_seg.nii.gz"), read_series(series)
    assert seg.grid.shape == read.grid.shape
    assert seg.grid.matrix == pytest.approx(read.grid.matrix, abs=1e-3)
    made = highdicom.seg.segread(tmp_path / "out/scan_seg.dcm")
    found = json.loads((tmp_path / "out/scan_scan.json").read_text())["vertebrae"]
    assert sorted(segment.SegmentLabel for segment in made.SegmentSequence) == sorted(found)
    assert int(made.pixel_array.sum()) == int((seg.array > 0).sum())


def test_a_real_series_without_identity_is_segmented_all_the_same(real_data, weights, tmp_path, caplog):
    run([real_data / "ts-dicom/dicom"], tmp_path, weights)
    assert names_in(tmp_path) == {f"dicom_{k}" for k in KINDS} | {"run.json"}
    assert "no DICOM-SEG" in caplog.text
