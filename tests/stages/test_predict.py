"""`siil predict`: a user's own scans, in their own geometry, never touched, nothing half-written."""

# ruff: noqa: F401, F811 (fixtures that come by import)
from __future__ import annotations

import json
import logging
import os
import shutil
import subprocess
import sys
import zipfile
from contextlib import contextmanager
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk

from siil import config
from siil.errors import ConfigError, InputError, WeightsError
from siil.run.files import sha256
from siil.scan import volume
from siil.scan.grid import Grid, Volume
from siil.stages import predict as stage
from tests.stages.test_test import CONFIG, reading, spine, weights

KINDS = ("seg.nii.gz", "ctd.json", "vertebrae.tsv", "scan.json", "preview.png", "viewer.html")


def to_ras(array: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(array[:, ::-1, ::-1])


def scan(path: Path, offset: int = 0) -> Path:
    """The spine as a NIfTI file in RAS, all values raised by `offset`."""
    array = to_ras(spine()[0]) + np.int16(offset)
    ras = (-1.0, 0, 0, 0, -1.0, 0, 0, 0, 1.0)
    volume.write_volume(path, Volume(array, Grid(array.shape, (3.0, 3.0, 3.0), (30.0, 20.0, -40.0), ras)))
    return path


def run(scans: list[Path], output: Path, chosen: Path | None, **options: object) -> None:
    """The first look alone; tests/stages/test_predict_twice.py is about the second."""
    settings = config.partial(config.sections(CONFIG, stage.SECTIONS))
    stage.predict(config=settings, scans=scans, output=output, weights=chosen, device="cpu", fast=True, **options)


def names_in(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def right(seg: np.ndarray, truth: np.ndarray) -> bool:
    return (seg == truth)[(seg > 0) | (truth > 0)].mean() > 0.99


@pytest.mark.usefixtures("reading")
def test_one_nifti_file_gives_all_outputs_in_its_own_geometry(tmp_path, weights):
    path = scan(tmp_path / "in/patient.nii.gz")
    before = sha256(path)
    run([path], tmp_path / "out", weights)
    assert names_in(tmp_path / "out") == {f"patient_{k}" for k in KINDS} | {"run.json"}
    seg = volume.read_mask(tmp_path / "out/patient_seg.nii.gz")
    assert seg.grid == volume.read_grid(path)
    assert right(seg.array, to_ras(spine()[1]))
    assert json.loads((tmp_path / "out/patient_scan.json").read_text())["enumeration"] == "T12-L3"
    assert sha256(path) == before
    assert [p.name for p in path.parent.iterdir()] == ["patient.nii.gz"]
    record = json.loads((tmp_path / "out/run.json").read_text())
    assert set(record["inputs"]) == {"patient.nii.gz", "weights.safetensors"}
    assert record["notice"].startswith("Research use only")
    assert list(record["parts_seconds"]) == ["read", "preprocess", "network", "labels", "write"]
    assert 0 < sum(record["parts_seconds"].values()) <= record["seconds"]


@pytest.mark.usefixtures("reading")
@pytest.mark.parametrize("suffix", [".nrrd", ".mha", ".mhd", ".zip"])
def test_other_formats_and_a_zip_give_the_same_label_map_as_nifti(tmp_path, weights, suffix):
    path = scan(tmp_path / "in/patient.nii.gz")
    given = tmp_path / f"in/given{suffix}"
    if suffix == ".zip":
        with zipfile.ZipFile(given, "w") as packed:
            packed.write(path, "deeper/patient.nii.gz")
    else:
        sitk.WriteImage(sitk.ReadImage(str(path)), str(given))
    run([given], tmp_path / "out", weights)
    assert names_in(tmp_path / "out") == {f"given_{k}" for k in KINDS} | {"run.json"}
    seg = volume.read_mask(tmp_path / "out/given_seg.nii.gz")
    assert seg.grid == volume.read_grid(path)
    assert right(seg.array, to_ras(spine()[1]))


@pytest.mark.usefixtures("reading")
def test_the_label_map_lies_on_the_scan_for_every_reader_whichever_matrix_it_takes(tmp_path, weights):
    path = scan(tmp_path / "patient.nii.gz")
    image = nib.load(path)
    image.header["qform_code"], image.header["sform_code"] = 1, 2
    image.header["qoffset_x"], image.header["qoffset_z"] = 37.0, 5.0
    nib.save(nib.Nifti1Image(np.asarray(image.dataobj), None, image.header), path)
    run([path], tmp_path / "out", weights)
    seg = tmp_path / "out/patient_seg.nii.gz"
    for one, two in ((nib.load(path).header, nib.load(seg).header),):
        np.testing.assert_array_equal(one.get_qform(), two.get_qform())
        np.testing.assert_array_equal(one.get_sform(), two.get_sform())
        assert (int(two["qform_code"]), int(two["sform_code"])) == (1, 2)
    assert sitk.ReadImage(str(path)).GetOrigin() == sitk.ReadImage(str(seg)).GetOrigin()


def test_what_a_killed_run_left_is_removed_by_the_next(tmp_path, weights, monkeypatch):
    path = scan(tmp_path / "patient.nii.gz")

    def killed(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("siil.report.pictures.write_preview", killed)
        patch.setattr(shutil, "rmtree", lambda *_, **__: None)
        patch.setattr(os, "getpid", lambda: 999_999_999)  # above any limit: of no process that lives
        run([path], tmp_path / "out", weights)
    (left,) = (name for name in names_in(tmp_path / "out") if name.startswith(".tmp-"))
    other = tmp_path / "out" / left.replace("999999999", "1")  # of a process that runs
    other.mkdir()
    run([path], tmp_path / "out", weights)
    assert [name for name in names_in(tmp_path / "out") if name.startswith(".tmp-")] == [other.name]


def test_a_repair_is_said_with_the_path_of_the_scan(tmp_path, weights, caplog):
    path = scan(tmp_path / "patient.nii.gz", offset=1024)
    run([path], tmp_path / "out", weights)
    said = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert [line for line in said if line.startswith(f"{path}: offset_1024: ")]


def test_a_folder_goes_on_after_a_bad_scan_and_fails_at_the_end(tmp_path, weights, caplog):
    scan(tmp_path / "in/a.nii.gz")
    (tmp_path / "in/b.nii.gz").write_bytes(b"no scan")
    scan(tmp_path / "in/c.nii.gz")
    with pytest.raises(InputError, match="1 of 3 scans were not segmented: b"):
        run([tmp_path / "in"], tmp_path / "out", weights)
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["a", "c"]
    assert (tmp_path / "out/c/run.json").is_file()
    assert any("ERROR" in line and "b.nii.gz" in line for line in caplog.text.splitlines())
    assert "Traceback" not in caplog.text


def test_what_is_no_scan_among_several_costs_the_others_nothing(tmp_path, weights, caplog):
    scan(tmp_path / "a.nii.gz")
    (tmp_path / "empty").mkdir()
    named = [tmp_path / "empty", tmp_path / "a.nii.gz", tmp_path / "nowhere"]
    with pytest.raises(InputError, match=r"2 of 3 scans were not segmented: \S+/empty, \S+/nowhere$"):
        run(named, tmp_path / "out", weights)
    assert (tmp_path / "out/a/run.json").is_file()
    assert "empty: the folder is empty" in caplog.text
    assert "nowhere: no such file or folder" in caplog.text
    with pytest.raises(InputError, match="the folder is empty"):
        run([tmp_path / "empty"], tmp_path / "one", weights)


def test_a_folder_goes_on_after_a_bug_and_keeps_its_traceback(tmp_path, weights, monkeypatch, caplog):
    from siil.inference.predict_case import predict_case as real

    calls = []

    def second_fails(*args: object, **words: object) -> object:
        calls.append(1)
        if len(calls) == 2:
            raise ZeroDivisionError("a bug")
        return real(*args, **words)

    monkeypatch.setattr("siil.inference.predict_case.predict_case", second_fails)
    for name in "abc":
        scan(tmp_path / f"in/{name}.nii.gz")
    with pytest.raises(InputError, match="1 of 3 scans were not segmented: b"):
        run([tmp_path / "in"], tmp_path / "out", weights)
    assert names_in(tmp_path / "out") == {"a", "c"}
    assert f"{tmp_path / 'in/b.nii.gz'}: ZeroDivisionError: a bug" in caplog.text
    assert "Traceback" in caplog.text
    (tmp_path / "in/b.nii.gz").rename(tmp_path / "b.nii.gz")
    calls[:] = [1]
    with pytest.raises(ZeroDivisionError):
        run([tmp_path / "b.nii.gz"], tmp_path / "one", weights)


def test_a_bad_scan_leaves_nothing_behind(tmp_path, weights):
    (tmp_path / "bad.nii.gz").write_bytes(b"")
    with pytest.raises(InputError, match=r"bad\.nii\.gz"):
        run([tmp_path / "bad.nii.gz"], tmp_path / "out", weights)
    assert not (tmp_path / "out").exists()


def test_a_failure_on_the_way_keeps_the_old_results_whole(tmp_path, weights, monkeypatch):
    path = scan(tmp_path / "patient.nii.gz")
    run([path], tmp_path / "out", weights)
    before = {p.name: p.read_bytes() for p in (tmp_path / "out").iterdir()}

    def full(*_: object, **__: object) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr("siil.report.pictures.write_preview", full)
    with pytest.raises(OSError, match="No space"):
        run([path], tmp_path / "out", weights)
    assert {p.name: p.read_bytes() for p in (tmp_path / "out").iterdir()} == before


def test_without_weights_those_of_the_package_are_used(tmp_path, weights, monkeypatch):
    monkeypatch.delenv("SIIL_WEIGHTS", raising=False)
    monkeypatch.setattr("siil.model.weights.SHIPPED", weights)
    run([scan(tmp_path / "a.nii.gz")], tmp_path / "out", None)
    assert weights.name in json.loads((tmp_path / "out/run.json").read_text())["inputs"]


def test_weights_may_come_from_the_environment(tmp_path, weights, monkeypatch):
    monkeypatch.setenv("SIIL_WEIGHTS", str(weights))
    run([scan(tmp_path / "a.nii.gz")], tmp_path / "out", None)
    assert (tmp_path / "out/run.json").is_file()


def test_a_scan_named_like_a_result_is_not_overwritten(tmp_path, weights):
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


def test_a_scan_that_is_too_large_is_refused_by_its_header(tmp_path, weights):
    path = scan(tmp_path / "huge.nii")
    header = bytearray(path.read_bytes())
    header[42:48] = np.array([30000] * 3, np.int16).tobytes()  # dim[1:4]: 49 TiB if it were read
    path.write_bytes(header)
    with pytest.raises(InputError, match=r"expected a whole file, got \d+ bytes for 5\.4e\+13 bytes"):
        run([path], tmp_path / "out", weights)


@pytest.mark.usefixtures("reading")
def test_results_that_lie_beside_their_scan_are_no_scans(tmp_path, weights):
    path = scan(tmp_path / "scans/patient.nii.gz")
    for _ in range(2):
        run([path.parent], path.parent, weights)
    assert names_in(path.parent) == {"patient.nii.gz", "run.json", *(f"patient_{kind}" for kind in KINDS)}


def test_a_folder_of_nothing_but_results_is_refused(tmp_path, weights):
    scan(tmp_path / "a_seg.nii.gz")
    (tmp_path / "a_scan.json").write_text("{}", encoding="utf-8")
    with pytest.raises(InputError, match="nothing but results of an earlier predict"):
        run([tmp_path], tmp_path / "out", weights)


@pytest.mark.usefixtures("reading")
def test_the_answer_is_one_line_on_standard_output(tmp_path, weights, capsys):
    run([scan(tmp_path / "patient.nii.gz")], tmp_path / "out", weights)
    (line,) = capsys.readouterr().out.splitlines()
    reason = json.loads((tmp_path / "out/patient_scan.json").read_text())["reason"]
    verdict = f"uncertain: {reason}" if reason else "sure"
    assert line == f"patient.nii.gz: T12–L3, 4 vertebrae, {verdict}; files in {tmp_path / 'out'}"


@pytest.mark.usefixtures("reading")
def test_several_scans_end_with_a_table_in_which_one_that_failed_stands(tmp_path, weights, capsys):
    scan(tmp_path / "in/a.nii.gz")
    (tmp_path / "in/b.nii.gz").write_bytes(b"no scan")
    with pytest.raises(InputError, match="1 of 2"):
        run([tmp_path / "in"], tmp_path / "out", weights)
    done, head, *rows, last = capsys.readouterr().out.splitlines()
    assert done.startswith("a.nii.gz: T12–L3, 4 vertebrae, ")
    assert head.split() == ["scan", "vertebrae", "number", "answer"]
    assert [row.split()[:3] for row in rows] == [["a.nii.gz", "T12–L3", "4"], ["b.nii.gz", "-", "-"]]
    assert "not done: expected" in rows[1]
    assert last.startswith("1 of 2 scans done")


@pytest.mark.usefixtures("reading")
def test_programs_get_one_document_and_nothing_else(tmp_path, weights, capsys):
    scan(tmp_path / "in/a.nii.gz")
    (tmp_path / "in/b.nii.gz").write_bytes(b"no scan")
    with pytest.raises(InputError, match="1 of 2"):
        run([tmp_path / "in"], tmp_path / "out", weights, as_json=True)
    made = json.loads(capsys.readouterr().out)
    assert [one["vertebrae"] for one in made["scans"]] == [["T12", "L1", "L2", "L3"], []]
    assert [one["status"] == "failed" for one in made["scans"]] == [False, True]
    with pytest.raises(InputError):
        run([tmp_path / "in/b.nii.gz"], tmp_path / "out", weights, as_json=True)
    assert json.loads(capsys.readouterr().out)["scans"][0]["status"] == "failed"
    with pytest.raises(WeightsError):
        run([tmp_path / "in/a.nii.gz"], tmp_path / "out", tmp_path / "none.safetensors", as_json=True)
    assert "none.safetensors" in json.loads(capsys.readouterr().out)["error"]


@pytest.mark.usefixtures("reading")
def test_preview_and_viewer_give_the_lines_that_mend_the_count(tmp_path, weights):
    run([scan(tmp_path / "patient.nii.gz")], tmp_path / "out", weights)
    page = (tmp_path / "out/patient_viewer.html").read_text()
    command = f"siil relabel {tmp_path / 'out/patient_scan.json'}"
    assert f"{command} --first LEVEL" in page
    rivals = json.loads((tmp_path / "out/patient_scan.json").read_text())["rivals"]
    named = [n for n, rival in enumerate(rivals, start=1) if rival["names"]]
    assert named
    assert all(f"{command} --rival {n}" in page for n in named)
    for n in named:
        assert len(rivals[n - 1]["names"]) == 4


@pytest.mark.usefixtures("reading")
def test_files_for_slicer_come_on_request_and_go_with_the_next_run(tmp_path, weights):
    path = scan(tmp_path / "patient.nii.gz")
    run([path], tmp_path / "out", weights, also=["slicer"])
    extra = {"patient_centroids.mrk.json", "patient_seg.seg.nrrd"}
    assert extra < names_in(tmp_path / "out")
    run([path], tmp_path / "out", weights)
    assert not extra & names_in(tmp_path / "out")
    with pytest.raises(ConfigError, match="--also: expected slicer, got blender"):
        run([path], tmp_path / "out", weights, also=["blender"])


@pytest.mark.usefixtures("reading")
def test_a_person_sees_how_many_windows_are_done(tmp_path, weights, monkeypatch):
    from siil.run import progress

    told = []

    @contextmanager
    def bar(description):
        yield lambda done, total: told.append((description, done, total))

    monkeypatch.setattr(progress, "bar", bar)
    for name in "ab":
        scan(tmp_path / f"in/{name}.nii.gz")
    run([tmp_path / "in"], tmp_path / "out", weights)
    assert {name for name, _, _ in told} == {"1 of 2, a", "2 of 2, b"}
    assert told[0][1] == 0
    assert told[-1][1] == told[-1][2] > 1
