"""`siil predict`: a user's own scans, in their own geometry, never touched, nothing half-written."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from siil import config, volume
from siil.errors import InputError, WeightsError
from siil.files import sha256
from siil.grid import Grid, Volume
from siil.stages import predict as stage
from tests.inference.test_dicom_seg import make_series
from tests.stages.test_test import weights  # noqa: F401

CONFIG = config.resolve("demo", model="siil")


def scan(path: Path, seed: int = 0) -> Path:
    """A noisy scan in RAS, 2 mm, with a fine-grained air border."""
    array = np.full((20, 24, 22), -1000, np.int16)
    array[:, 3:-3, 3:-3] = np.random.default_rng(seed).integers(-100, 900, (20, 18, 16))
    ras = (-1.0, 0, 0, 0, -1.0, 0, 0, 0, 1.0)
    volume.write_volume(path, Volume(array, Grid((20, 24, 22), (2.0, 2.0, 2.0), (30.0, 20.0, -40.0), ras)))
    return path


def run(scans: list[Path], output: Path, chosen: Path | None) -> None:
    settings = config.partial(config.sections(CONFIG, stage.SECTIONS))
    stage.predict(config=settings, scans=scans, output=output, weights=chosen, device="cpu")


def test_one_nifti_file_gives_all_outputs_in_its_own_geometry(tmp_path, weights):  # noqa: F811
    path = scan(tmp_path / "in/patient.nii.gz")
    before = sha256(path)
    run([path], tmp_path / "out", weights)
    kinds = ("seg.nii.gz", "ctd.json", "vertebrae.tsv", "scan.json", "preview.png", "viewer.html")
    assert {p.name for p in (tmp_path / "out").iterdir()} == {f"patient_{k}" for k in kinds} | {"run.json"}
    assert volume.read_grid(tmp_path / "out/patient_seg.nii.gz") == volume.read_grid(path)
    assert sha256(path) == before
    assert [p.name for p in path.parent.iterdir()] == ["patient.nii.gz"]
    record = json.loads((tmp_path / "out/run.json").read_text())
    assert set(record["inputs"]) == {"patient.nii.gz", "weights.safetensors"}
    assert record["notice"].startswith("Research use only")


def test_a_dicom_series_gives_a_dicom_seg_and_identifiers_nowhere_else(tmp_path, weights):  # noqa: F811
    make_series(tmp_path / "in/study", slices=8)
    run([tmp_path / "in/study"], tmp_path / "out", weights)
    names = {p.name for p in (tmp_path / "out").iterdir()}
    assert {"study_seg.nii.gz", "study_preview.png", "run.json"} <= names
    for path in (tmp_path / "out").iterdir():
        if path.suffix != ".dcm":
            assert b"SECRET" not in path.read_bytes().upper()
    facts = json.loads((tmp_path / "out/study_scan.json").read_text())
    assert ("study_seg.dcm" in names) == bool(facts["vertebrae"])


def test_a_folder_goes_on_after_a_bad_scan_and_fails_at_the_end(tmp_path, weights, caplog):  # noqa: F811
    scan(tmp_path / "in/a.nii.gz")
    (tmp_path / "in/b.nii.gz").write_bytes(b"no scan")
    scan(tmp_path / "in/c.nii.gz", seed=1)
    with pytest.raises(InputError, match="1 of 3 scans were not segmented: b"):
        run([tmp_path / "in"], tmp_path / "out", weights)
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["a", "c"]
    assert (tmp_path / "out/c/run.json").is_file()
    assert any("ERROR" in line and "b.nii.gz" in line for line in caplog.text.splitlines())


def test_a_bad_scan_leaves_nothing_behind(tmp_path, weights):  # noqa: F811
    (tmp_path / "bad.nii.gz").write_bytes(b"")
    with pytest.raises(InputError, match=r"bad\.nii\.gz"):
        run([tmp_path / "bad.nii.gz"], tmp_path / "out", weights)
    assert not (tmp_path / "out").exists()


def test_a_failure_on_the_way_keeps_the_old_results_whole(tmp_path, weights, monkeypatch):  # noqa: F811
    path = scan(tmp_path / "patient.nii.gz")
    run([path], tmp_path / "out", weights)
    before = {p.name: p.read_bytes() for p in (tmp_path / "out").iterdir()}

    def full(*_: object, **__: object) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr("siil.report.preview.write_preview", full)
    with pytest.raises(OSError, match="No space"):
        run([path], tmp_path / "out", weights)
    assert {p.name: p.read_bytes() for p in (tmp_path / "out").iterdir()} == before


def test_without_weights_one_line_says_so(tmp_path, monkeypatch):
    monkeypatch.delenv("SIIL_WEIGHTS", raising=False)
    with pytest.raises(WeightsError, match=r"give --weights FILE or set SIIL_WEIGHTS"):
        run([scan(tmp_path / "a.nii.gz")], tmp_path / "out", None)


def test_weights_may_come_from_the_environment(tmp_path, weights, monkeypatch):  # noqa: F811
    monkeypatch.setenv("SIIL_WEIGHTS", str(weights))
    run([scan(tmp_path / "a.nii.gz")], tmp_path / "out", None)
    assert (tmp_path / "out/run.json").is_file()


def test_a_scan_named_like_a_result_is_not_overwritten(tmp_path, weights):  # noqa: F811
    path = scan(tmp_path / "a_seg.nii.gz")
    with pytest.raises(InputError, match="choose another folder"):
        run([path], tmp_path, weights)


@pytest.mark.slow
def test_the_command_line_gives_one_error_line_and_exit_code_2(tmp_path):
    env = {key: value for key, value in os.environ.items() if key != "SIIL_WEIGHTS"}
    command = [sys.executable, "-m", "siil", "predict", str(tmp_path / "x.nii.gz"), "--output", str(tmp_path / "out")]
    done = subprocess.run(command, capture_output=True, text=True, env=env, check=False)
    assert done.returncode == 2
    assert [line for line in done.stderr.splitlines() if line.startswith("ERROR:")] == [done.stderr.splitlines()[-1]]
