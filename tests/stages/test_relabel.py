"""`siil relabel`: every file of a result says the same afterwards, nothing is lost, nothing is half-done."""

# ruff: noqa: F401, F811 (fixtures that come by import)
from __future__ import annotations

import json
import logging
import shutil
from pathlib import Path

import numpy as np
import pydicom
import pytest

from siil import config
from siil.anatomy import BY_CODE, BY_NAME
from siil.errors import ConfigError, DatasetError, InputError
from siil.report.pictures import read_page
from siil.scan import volume
from siil.scan.labels import labels_present
from siil.stages import predict, relabel
from tests.stages.test_predict import KINDS, names_in, scan
from tests.stages.test_predict_dicom import series
from tests.stages.test_test import CONFIG, reading, spine, weights

OLD, NEW = ("T12", "L1", "L2", "L3"), ("T11", "T12", "L1", "L2")


def run(result: Path, **options: object) -> None:
    settings = config.partial(config.sections(CONFIG, relabel.SECTIONS))
    relabel.relabel(config=settings, result=result, **options)


@pytest.fixture(scope="module")
def predicted(tmp_path_factory, weights) -> Path:
    """Results of predict: `nifti` with Slicer's files, and `dicom`. Tests copy them."""
    folder = tmp_path_factory.mktemp("predicted")
    with pytest.MonkeyPatch.context() as patch:
        reading.__wrapped__(patch)
        settings = config.partial(config.sections(CONFIG, predict.SECTIONS))
        one, two = scan(folder / "in/NA.nii.gz"), series(folder / "in/case")
        for path, name, also in ((one, "nifti", ["slicer"]), (two, "dicom", [])):
            predict.predict(
                config=settings,
                scans=[path],
                output=folder / name,
                weights=weights,
                fast=True,
                device="cpu",
                also=also,
            )
    shutil.rmtree(folder / "in")  # neither scan nor series is needed any more
    return folder


@pytest.fixture
def result(predicted, tmp_path) -> Path:
    """A result with all its files."""
    shutil.copytree(predicted / "nifti", tmp_path / "out")
    return tmp_path / "out"


@pytest.fixture
def bare(result) -> Path:
    """A result without pictures, which take most of the time."""
    for kind in ("preview.png", "viewer.html"):
        (result / f"NA_{kind}").unlink()
    return result


@pytest.fixture
def many(bare, tmp_path) -> Path:
    """A folder of two results, NA and b."""
    for name in ("NA", "b"):
        shutil.copytree(bare, tmp_path / "many" / name)
    for path in list((tmp_path / "many/b").glob("NA_*")):
        path.rename(path.with_name(path.name.replace("NA_", "b_")))
    for path in (tmp_path / "many/b/b_scan.json", tmp_path / "many/b/run.json"):
        path.write_text(path.read_text().replace('"scan": "NA"', '"scan": "b"'))
    return tmp_path / "many"


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def facts(folder: Path, name: str = "NA") -> dict:
    return json.loads((folder / f"{name}_scan.json").read_text())


def test_every_output_says_the_new_names(predicted, result, capsys):
    run(result, first="t11")
    name = "NA"
    old = volume.read_mask(predicted / "nifti/NA_seg.nii.gz")
    seg = volume.read_mask(result / f"{name}_seg.nii.gz")
    assert seg.grid == old.grid
    for before, after in zip(OLD, NEW, strict=True):
        assert ((old.array == BY_NAME[before].code) == (seg.array == BY_NAME[after].code)).all()
    assert labels_present(seg.array) == {BY_NAME[after].code for after in NEW}
    ctd, was = (json.loads((folder / "NA_ctd.json").read_text()) for folder in (result, predicted / "nifti"))
    assert [BY_CODE[entry["label"]].name for entry in ctd[1:]] == list(NEW)
    assert [entry["Z"] for entry in ctd[1:]] == [entry["Z"] for entry in was[1:]]
    table = [line.split("\t") for line in (result / "NA_vertebrae.tsv").read_text().splitlines()]
    assert [row[0] for row in table[1:]] == list(NEW)
    assert all("by_hand" in row[4].split() for row in table[1:])
    assert {row[2] for row in table[1:]} == {""}  # the decoding has no confidence in a reader's names
    found = facts(result)
    assert (found["vertebrae"], found["enumeration"], found["uncertain"]) == (list(NEW), "T11-L2", False)
    assert (found["corrected"]["from"], found["corrected"]["by"]) == ("T12-L3", "--first T11")
    page = (result / "NA_viewer.html").read_text()
    assert "T11–L2, 4 vertebrae, settled by hand, was T12–L3" in page
    shown = read_page(page, NEW)
    assert shown is not None
    assert labels_present(shown[1].array) == labels_present(seg.array)
    before_page = read_page((predicted / "nifti/NA_viewer.html").read_text(), OLD)
    assert (shown[0].array == before_page[0].array).all()
    assert (result / "NA_preview.png").read_bytes() != (result / "NA_preview.png.before").read_bytes()
    points = json.loads((result / "NA_centroids.mrk.json").read_text())["markups"][0]["controlPoints"]
    assert [point["label"] for point in points] == list(NEW)
    assert b"Segment0_Name:=T11" in (result / "NA_seg.seg.nrrd").read_bytes()[:4000]
    record = json.loads((result / "run.json").read_text())
    assert record["stage"] == "predict"
    assert [(step["by"], step["from"], step["to"]) for step in record["relabelled"]] == [
        ("--first T11", "T12-L3", "T11-L2")
    ]
    out = capsys.readouterr().out.splitlines()
    assert out == [f"NA: T11–L2, 4 vertebrae, settled by hand, was T12–L3; files in {result}"]


def test_the_first_originals_are_kept_until_they_are_discarded(bare):
    before = content(bare)
    run(bare, first="T11")
    run(bare, shift=-1)
    assert facts(bare)["vertebrae"] == ["T10", "T11", "T12", "L1"]
    assert facts(bare)["corrected"]["from"] == "T12-L3"
    assert len(json.loads((bare / "run.json").read_text())["relabelled"]) == 2
    now = content(bare)
    kept = {name.removesuffix(".before"): text for name, text in now.items() if name.endswith(".before")}
    assert kept == {name: text for name, text in before.items() if name != "run.json"}
    (bare / "other_seg.nii.gz.before").touch()
    run(bare, discard=True)
    assert names_in(bare) == {*before, "other_seg.nii.gz.before"}
    assert facts(bare)["vertebrae"] == ["T10", "T11", "T12", "L1"]


def test_undo_takes_every_file_and_the_trail_back(predicted, result, capsys):
    shutil.copytree(predicted / "dicom", result.parent / "dicom")
    for folder in (result, result.parent / "dicom"):
        before = content(folder)
        run(folder, first="T11")
        run(folder, shift=-1)
        assert content(folder) != before
        capsys.readouterr()
        run(folder, undo=True)
        assert content(folder) == before  # byte for byte: label map, table, pictures, viewer, DICOM-SEG, run.json
        assert "T12–L3, 4 vertebrae" in capsys.readouterr().out


def test_undo_goes_back_to_what_was_last_discarded(bare):
    run(bare, first="T11")
    run(bare, discard=True)
    settled = content(bare)
    run(bare, shift=-1)
    run(bare, last="L4")
    run(bare, undo=True)
    assert content(bare) == settled
    assert facts(bare)["corrected"]["to"] == "T11-L2"
    with pytest.raises(InputError, match=r"expected \.before files to take back, got none"):
        run(bare, undo=True)


def test_a_file_that_the_result_had_not_is_not_there_afterwards(result):
    (result / "NA_preview.png").unlink()
    (result / "NA_centroids.mrk.json").unlink()
    before = content(result)
    run(result, first="T11")
    assert not names_in(result) & {"NA_preview.png", "NA_centroids.mrk.json"}
    run(result, undo=True)
    assert content(result) == before


def test_an_undo_that_was_killed_is_done_again(bare, monkeypatch):
    before, count, real = content(bare), [], Path.replace
    run(bare, first="T11")

    def replace(self: Path, target: Path) -> Path:
        count.append(self)
        if len([path for path in count if ".change-" in str(path)]) == 3:
            raise KeyboardInterrupt
        return real(self, target)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Path, "replace", replace)
        run(bare, undo=True)
    run(bare, undo=True)
    assert content(bare) == before


def test_undo_of_many_leaves_what_nobody_relabelled(many):
    before = {name: content(many / name) for name in ("NA", "b")}
    run(many / "b", first="T11")
    run(many, undo=True)
    assert {name: content(many / name) for name in ("NA", "b")} == before


def test_an_undo_without_whole_files_changes_nothing(bare):
    run(bare, first="T11")
    (bare / "NA_ctd.json.before").unlink()
    now = content(bare)
    with pytest.raises(InputError, match=r"the \.before files of NA are not whole"):
        run(bare, undo=True)
    assert content(bare) == now


@pytest.mark.parametrize("options", [{"last": "L2"}, {"shift": -1}, {"at": ["{}=T12"]}, {"first": "T11", "last": "L2"}])
def test_every_way_of_saying_it_gives_the_same(bare, options):
    heights = {row["label"]: row["body_z_mm"] for row in facts(bare)["details"]}
    said = {key: [value[0].format(heights["L1"] + 8)] if key == "at" else value for key, value in options.items()}
    run(bare / "NA_seg.nii.gz", **said)
    assert facts(bare)["vertebrae"] == list(NEW)


def test_a_rival_is_taken_by_its_number_also_after_another(bare):
    found = facts(bare)
    found["rivals"] = [
        {"enumeration": "L1-L4", "behind": 1.0, "changes": ["T12 as L1"], "why": {}, "names": ["L1", "L2", "L3", "L4"]},
        {"enumeration": "T11-L2", "behind": 2.0, "changes": ["T12 as T11"], "why": {}, "names": list(NEW)},
    ]
    (bare / "NA_scan.json").write_text(json.dumps(found))
    run(bare, rival=1)
    assert facts(bare)["enumeration"] == "L1-L4"
    assert facts(bare)["rivals"][1]["changes"] == ["L1 as T11", "L2 as T12", "L3 as L1", "L4 as L2"]
    run(bare, rival=2)
    assert facts(bare)["vertebrae"] == list(NEW)


def test_a_dicom_seg_gets_the_new_names_without_its_series(predicted, tmp_path):
    shutil.copytree(predicted / "dicom", tmp_path / "out")
    run(tmp_path / "out", first="T11")
    old, new = (pydicom.dcmread(tmp_path / f"out/case_seg.dcm{end}") for end in (".before", ""))
    named = [{int(s.SegmentNumber): s.SegmentLabel for s in made.SegmentSequence} for made in (old, new)]
    assert [dict(zip(OLD, NEW, strict=True))[name] for name in named[0].values()] == list(named[1].values())
    assert new.PatientID == old.PatientID == "SECRET-ID"
    assert new.PixelData == old.PixelData
    for path in (tmp_path / "out").iterdir():
        assert (b"SECRET" in path.read_bytes().upper()) == (".dcm" in path.suffixes)


def test_a_count_that_stays_is_settled_too(bare):
    sure = [row["confidence"] for row in facts(bare)["details"]]
    run(bare, first="T12")
    found = facts(bare)
    assert (found["vertebrae"], found["uncertain"]) == (list(OLD), False)
    assert [row["confidence"] for row in found["details"]] == sure
    assert found["corrected"]["to"] == "T12-L3"


@pytest.mark.parametrize(
    ("options", "error", "why"),
    [
        ({"first": "L4"}, InputError, "beyond L5"),
        ({"first": "L1", "last": "L3"}, InputError, "L1 L2 L3 are 3 vertebrae, the scan has 4 there"),
        ({"shift": -30}, InputError, "above C1"),
        ({"rival": 99}, InputError, "--rival 99: expected the number of a rival"),
        ({"first": "T14"}, DatasetError, r"--first: expected a vertebra \(C1-C7, T1-T13, L1-L6\), got 'T14'"),
        ({"at": ["L3"]}, DatasetError, "--at: expected Z_MM=LEVEL"),
        ({"at": ["900=L3"]}, InputError, "no vertebra lies at z = 900 mm"),
        ({"first": "T11", "shift": 1}, ConfigError, "got several"),
        ({"undo": True, "shift": 1}, ConfigError, "got several"),
        ({"undo": True, "discard": True}, ConfigError, "got several"),
        ({}, ConfigError, "got none"),
    ],
)
def test_what_is_not_allowed_is_refused_and_nothing_changes(bare, options, error, why):
    before = content(bare)
    with pytest.raises(error, match=why):
        run(bare, **options)
    assert content(bare) == before


def test_many_results_are_mended_by_a_table(many, tmp_path, capsys):
    (tmp_path / "levels.tsv").write_text("scan\tfirst\nNA\tT11\nb.nii.gz\tL4\n")
    with pytest.raises(InputError, match="1 of 2 results were not relabelled: b"):
        run(many, levels=tmp_path / "levels.tsv")
    assert facts(many / "NA")["vertebrae"] == list(NEW)
    assert facts(many / "b", "b")["vertebrae"] == list(OLD)
    rows = capsys.readouterr().out.splitlines()[-3:]
    assert rows[0].split(maxsplit=3)[:3] == ["NA", "T11–L2", "4"]
    assert rows[1].split(maxsplit=3)[3].startswith("not done: with L4 at place 1 of 4")
    shutil.copy(tmp_path / "levels.tsv", many / "levels.tsv")  # found without being named
    (many / "levels.tsv").write_text("scan\tlast\nb\tL2\n")
    run(many)
    assert facts(many / "b", "b")["vertebrae"] == list(NEW)


def test_several_results_are_not_relabelled_by_one_word(many, tmp_path):
    with pytest.raises(InputError, match=r"holds 2 results \(NA, b\); give one of them, or --levels"):
        run(many, first="T11")
    (tmp_path / "levels.tsv").write_text("scan\tfirst\nc\tT11\n")
    with pytest.raises(InputError, match="holds no result of c"):
        run(many, levels=tmp_path / "levels.tsv")
    shutil.copytree(many / "b", many / "again/b")
    (tmp_path / "levels.tsv").write_text("scan\tfirst\nb\tT11\n")
    with pytest.raises(InputError, match="several results of b"):
        run(many, levels=tmp_path / "levels.tsv")


@pytest.mark.parametrize("steps", [0, 3, 6])
def test_a_relabelling_that_was_killed_ends_well_when_it_is_run_again(bare, monkeypatch, steps):
    """Killed before the first, the fourth and the last of its seven files takes its place."""
    count = []
    real = Path.replace

    def replace(self: Path, target: Path) -> Path:
        if ".change-" in str(self):
            count.append(target)
            if len(count) > steps:
                raise KeyboardInterrupt
        return real(self, target)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Path, "replace", replace)
        run(bare, shift=-1)
    run(bare, shift=-1)  # not one level more
    assert facts(bare)["vertebrae"] == list(NEW)
    assert len(json.loads((bare / "run.json").read_text())["relabelled"]) == 1
    assert not [name for name in names_in(bare) if name.startswith(".")]
    run(bare, shift=-1)
    assert facts(bare)["vertebrae"][0] == "T10"


def test_without_a_viewer_page_no_picture_says_the_old_names(result, caplog):
    (result / "NA_viewer.html").write_text("<html></html>")
    run(result, first="T11")
    assert "preview and viewer are not drawn anew" in caplog.text
    assert names_in(result) >= {"NA_preview.png.before", "NA_viewer.html.before"}
    assert not names_in(result) & {"NA_preview.png", "NA_viewer.html"}


def test_a_run_record_of_another_scan_stays_as_it_is(bare, caplog):
    (bare / "run.json").write_text('{"scan": "other"}')
    run(bare, first="T11")
    assert (bare / "run.json").read_text() == '{"scan": "other"}'
    assert "the correction stands in _scan.json alone" in caplog.text


def test_files_that_do_not_belong_together_are_refused(bare):
    seg = volume.read_mask(bare / "NA_seg.nii.gz")
    seg.array[seg.array == 19] = 18
    volume.write_volume(bare / "NA_seg.nii.gz", seg)
    with pytest.raises(InputError, match="expected the same vertebrae in both"):
        run(bare, first="T11")
    (bare / "NA_ctd.json").unlink()
    with pytest.raises(InputError, match="expected an answer of predict"):
        run(bare, first="T11")


def test_results_of_the_pipeline_are_left_alone(bare):
    (bare / "NA_seg.run.json").touch()
    with pytest.raises(InputError, match="made by the pipeline's test"):
        run(bare, first="T11")


def test_predict_again_forgets_what_was_settled(bare, weights, tmp_path):
    run(bare, first="T11")
    settings = config.partial(config.sections(CONFIG, predict.SECTIONS))
    path = scan(tmp_path / "NA.nii.gz")
    predict.predict(config=settings, scans=[path], output=bare, weights=weights, fast=True, device="cpu")
    assert names_in(bare) == {*(f"NA_{kind}" for kind in KINDS), "run.json"}
