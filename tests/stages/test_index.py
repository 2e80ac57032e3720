"""Stage `index`: miniatures of the releases become tables of cases."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from siil import config as configuration
from siil.config.schema.dataset import Split
from siil.datasets import folds, manifest
from siil.datasets.cases import read_cases
from siil.errors import ConfigError, DatasetError
from siil.run.files import sha256
from siil.scan import volume
from siil.stages.index import index
from tests import scans
from tests.datasets import trees
from tests.stages import data

OFFICIAL = Split(scheme="official", folds=1, validation_fraction=0.2, seed=0)


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def both(tmp_path, **changes):
    trees.verse19(tmp_path / "19")
    trees.verse20(tmp_path / "20")
    (tmp_path / "table.csv").write_text(trees.TABLE)
    sources = {
        "verse19": data.source(tmp_path / "19", scans=str(tmp_path / "table.csv")),
        "verse20": data.source(tmp_path / "20", "verse20", scans=str(tmp_path / "table.csv")),
    }
    return data.dataset("union374", sources=sources, accept_licence=True, **changes)


def test_verse19_with_its_quirks(tmp_path, caplog):
    trees.verse19(tmp_path / "tree")
    full = data.dataset(sources={"verse19": data.source(tmp_path / "tree")}, accept_licence=True)
    rows = {row.case: row for row in read_cases(data.fetch_and_index(full))}
    assert sorted(rows) == [
        "sub-verse004",
        "sub-verse010",
        "sub-verse011",
        "sub-verse401_split-verse201",
        "sub-verse401_split-verse253",
    ]
    row = rows["sub-verse004"]
    assert (row.orientation, row.spacing_mm, row.size_vox) == ("LPS", "3 3 3", "12 14 16")
    assert (row.labels, row.defects) == ("T11 L1 L2", "no_T12")
    assert row.image_sha256 == sha256(Path(row.image))
    assert rows["sub-verse401_split-verse253"].labels == "T12 T13 L1"
    assert "left out: sub-verse012: no_mask" in caplog.text
    assert "not the whole release: training 3 of 80, validation 1 of 40, testing 1 of 40" in caplog.text
    record = json.loads(Path("data/verse19/cases.run.json").read_text())
    assert "training 3 of 80" in record["mismatch"]
    assert len(record["skipped"]) == 1


def test_where_no_case_is_left_the_error_has_the_first_reason(tmp_path):
    trees.verse_scan(tmp_path / "tree/dataset-verse19training", "sub-verse012", mask=False)
    full = data.dataset(sources={"verse19": data.source(tmp_path / "tree")}, accept_licence=True)
    with pytest.raises(DatasetError, match=r"no case found: 1 of 1 scans .* first: sub-verse012: no_mask"):
        data.fetch_and_index(full)
    assert not Path("data/verse19/cases.tsv").exists()


def test_verse20_takes_its_scans_from_both_archives(tmp_path):
    full = both(tmp_path, name="verse20", editions=("verse20",))
    rows = {row.case: row for row in read_cases(data.fetch_and_index(full))}
    assert "sub-verse004" not in rows  # of 2019 only
    assert {"sub-verse010", "sub-verse500_dir-ax", "sub-gl016_dir-iso"} <= set(rows)
    assert rows["sub-verse010"].edition == "verse19 verse20"
    fold = folds.make_folds(list(rows.values()), settings=OFFICIAL, rare=())[0]
    assert "sub-verse502" in fold.testing


def test_the_union_of_editions_holds_every_scan_once(tmp_path):
    full = both(tmp_path)
    again = tmp_path / "20/dataset-02validation"
    for folder, end in (("rawdata", "ct"), ("derivatives", "seg-vert_msk")):  # a scan of 2019 that came again
        made = next((tmp_path / "19").rglob(f"sub-verse010_{end}.nii.gz"))
        target = again / folder / "sub-verse010" / f"sub-verse010_dir-iso_{end}.nii.gz"
        target.parent.mkdir(parents=True)
        target.write_bytes(made.read_bytes())
    rows = read_cases(data.fetch_and_index(full))
    assert len(rows) == 9
    assert [row.case for row in rows if "verse010" in row.case] == ["sub-verse010"]


def moved(tmp_path, name: str, to: str):
    """A scan of the miniature of 2019 once more, in a folder of the miniature of 2020, with other bytes."""
    for folder, end in (("rawdata", "ct"), ("derivatives", "seg-vert_msk")):
        made = next((tmp_path / "19").rglob(f"{name}_{end}.nii.gz"))
        target = tmp_path / "20" / to / folder / name / f"{name}_dir-ax_{end}.nii.gz"
        target.parent.mkdir(parents=True)
        target.write_bytes(gzip.compress(gzip.decompress(made.read_bytes()), 1))


def test_a_scan_that_came_in_both_releases_is_taken_once_though_its_bytes_differ(tmp_path, caplog):
    full = both(tmp_path)
    moved(tmp_path, "sub-verse010", "dataset-02validation")
    rows = read_cases(data.fetch_and_index(full))
    assert [row.case for row in rows if "verse010" in row.case] == ["sub-verse010"]
    assert "sub-verse010_dir-ax: the same scan as sub-verse010" in caplog.text


def test_a_scan_that_one_release_tests_on_and_the_other_trains_on_is_refused(tmp_path):
    full = both(tmp_path)
    moved(tmp_path, "sub-verse011", "dataset-01training")
    with pytest.raises(DatasetError, match=r"verse011_dir-ax stands in testing of verse19 and in training of verse20"):
        data.fetch_and_index(full)
    assert not Path("data/union374/cases.tsv").exists()


def test_a_patient_that_one_release_tests_on_and_the_other_trains_on_is_refused_by_split(tmp_path):
    full = both(tmp_path)
    trees.verse_scan(tmp_path / "20/dataset-01training", "sub-verse011_split-verse600", seed=31)
    rows = read_cases(data.fetch_and_index(full))
    with pytest.raises(DatasetError, match="patient sub-verse011 stands in training and in testing"):
        folds.make_folds(rows, settings=OFFICIAL, rare=())


def test_known_defects_are_kept_and_marked_or_left_out_by_one_key(tmp_path, caplog):
    trees.verse_scan(tmp_path / "20/dataset-01training", "sub-verse544_dir-sag", codes=(18, 20), seed=32)
    full = both(tmp_path)
    rows = {row.case: row.defects for row in read_cases(data.fetch_and_index(full))}
    assert rows["sub-verse544_dir-sag"] == "no_T12 questioned"
    assert rows["sub-verse004"] == "no_T12"
    rows = {row.case for row in read_cases(data.fetch_and_index(both_again(full)))}
    assert "sub-verse544_dir-sag" not in rows
    assert "sub-verse544_dir-sag: known_defect: " in caplog.text
    assert "no T12 between T11 and L1 (github.com/anjany/verse, issue 13)" in caplog.text


def both_again(full):
    values = full.model_dump()
    values["dataset"]["known_defects"] = "exclude"
    return configuration.validate(values, where="test")


def test_headers_and_types_of_the_release_are_read_and_said(tmp_path, caplog):
    """float64 masks, sform alone, cosines a little off, a mask in another order of axes, an empty folder, CRLF."""
    trees.verse19(tmp_path / "tree")
    (tmp_path / "tree/dataset-verse19training/rawdata/sub-verse099").mkdir(parents=True)
    (tmp_path / "table.csv").write_bytes(trees.TABLE.replace("\n", "\r\n").encode())
    image, mask = (next((tmp_path / "tree").rglob(f"sub-verse010_{end}.nii.gz")) for end in ("ct", "seg-vert_msk"))
    off = nib.load(image).affine
    off[0, 1] += 0.015  # 0.005 of 3 mm
    scans.save(image, np.asarray(nib.load(image).dataobj), off)
    scans.save(mask, np.asarray(nib.load(mask).dataobj).astype(np.float64), off)
    other = next((tmp_path / "tree").rglob("sub-verse011_seg-vert_msk.nii.gz"))
    flipped = nib.load(other).as_reoriented(np.array([[2, 1], [0, -1], [1, 1]]))
    scans.save(other, np.asarray(flipped.dataobj), flipped.affine)
    source = data.source(tmp_path / "tree", scans=str(tmp_path / "table.csv"))
    rows = {
        row.case: row
        for row in read_cases(data.fetch_and_index(data.dataset(sources={"verse19": source}, accept_licence=True)))
    }
    assert rows["sub-verse010"].defects == "not_orthonormal"
    assert rows["sub-verse010"].labels == "L5 L6"
    assert rows["sub-verse010"].edition == "verse19 verse20"
    assert rows["sub-verse011"].defects == "mask_axes"
    assert rows["sub-verse011"].labels == "C1 C2"
    assert "sub-verse099" not in rows


def test_the_release_s_own_masks_become_rows(real_data, tmp_path):
    """Two masks of VerSe 2019 in its tree; a CT is made for each, on its grid."""
    for part, patient in (("training", "sub-verse004"), ("validation", "sub-verse010")):
        root = f"dataset-verse19{part}"
        for path in (real_data / "verse-labels" / root / "derivatives" / patient).iterdir():
            target = tmp_path / "tree" / root / "derivatives" / patient / path.name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(path.read_bytes())
        image = nib.load(target.with_name(f"{patient}_seg-vert_msk.nii.gz"))
        hu = np.where(np.asarray(image.dataobj) > 0, 300, -60).astype(np.int16)
        hu[:3] = -1000
        scans.save(tmp_path / "tree" / root / "rawdata" / patient / f"{patient}_ct.nii.gz", hu, image.affine)
    full = data.dataset(sources={"verse19": data.source(tmp_path / "tree")}, accept_licence=True)
    rows = {row.case: row for row in read_cases(data.fetch_and_index(full))}
    first = rows["sub-verse004"]
    assert (first.orientation, first.spacing_mm, first.size_vox) == ("PIR", "1 1 2", "161 338 61")
    assert (first.split, rows["sub-verse010"].split) == ("training", "validation")
    assert first.labels == "T9 T10 T11 T12 L1 L2 L3 L4 L5"
    assert rows["sub-verse010"].labels == "L1 L2 L3 L4 L5"
    assert first.defects == ""
    assert first.centroids.endswith("sub-verse004_seg-subreg_ctd.json")


def test_a_header_that_places_image_and_mask_apart_is_refused_with_the_case(tmp_path):
    """CTSpine1K's "spacing error", whose case nobody named."""
    trees.ctspine1k(tmp_path / "tree")
    mask = next((tmp_path / "tree").rglob("liver_3_seg.nii.gz"))
    scans.save(mask, np.asarray(nib.load(mask).dataobj), np.diag([3.0, 3, 2.5, 1]))
    spine = {"kind": "ctspine1k", "repository": str(tmp_path / "tree"), "revision": "x", "licence": "CC BY-NC-SA"}
    full = data.dataset("ctspine1k", sources={"ctspine1k": spine}, accept_licence=True)
    with pytest.raises(DatasetError, match=r"liver_3: .*expected mask and image on one grid"):
        data.fetch_and_index(full)


def test_ctspine1k(tmp_path):
    trees.ctspine1k(tmp_path / "tree")
    spine = {"kind": "ctspine1k", "repository": str(tmp_path / "tree"), "revision": "x", "licence": "CC BY-NC-SA"}
    full = data.dataset("ctspine1k", sources={"ctspine1k": spine}, accept_licence=True)
    rows = {row.case: row for row in read_cases(data.fetch_and_index(full))}
    assert rows["1_3_6_1_4_1_9328_50_4_0001"].split == "training"
    assert len(rows) == 5


def custom(tmp_path, **changes):
    return data.dataset(sources={"mine": {"kind": "custom", "path": str(tmp_path / "mine")}}, **changes)


def test_refused_cases_are_told_all_at_once_and_can_be_excluded(tmp_path, caplog):
    for number, name in enumerate(("good", "bad1", "bad2")):
        scans.write_pair(tmp_path / f"mine/img/{name}.nii.gz", tmp_path / f"mine/msk/{name}.nii.gz", seed=number)
    scans.save(tmp_path / "mine/msk/bad1.nii.gz", np.full((12, 14, 16), 77, np.uint8))
    scans.save(tmp_path / "mine/msk/bad2.nii.gz", np.full((9, 14, 16), 7, np.uint8))
    with pytest.raises(DatasetError, match=r"bad1: .*\[77\].*\(and 1 more: bad2\); mend the files or name the cases"):
        data.fetch_and_index(custom(tmp_path))
    assert not Path("data/verse19/cases.tsv").exists()
    rows = read_cases(data.fetch_and_index(custom(tmp_path, exclude=("bad1", "bad2"))))
    assert [row.case for row in rows] == ["good"]
    assert "bad1: excluded" in caplog.text


def test_a_mask_without_vertebrae_is_left_out_and_said(tmp_path, caplog):
    scans.write_pair(tmp_path / "mine/img/a.nii.gz", tmp_path / "mine/msk/a.nii.gz")
    scans.write_pair(tmp_path / "mine/img/b.nii.gz", tmp_path / "mine/msk/b.nii.gz", codes=(26,), seed=1)
    assert [row.case for row in read_cases(data.fetch_and_index(custom(tmp_path)))] == ["a"]
    assert "b: no_vertebra" in caplog.text


def test_an_excluded_case_that_does_not_exist_is_named(tmp_path):
    scans.write_pair(tmp_path / "mine/img/a.nii.gz", tmp_path / "mine/msk/a.nii.gz")
    with pytest.raises(DatasetError, match=r"dataset\.exclude names verse999"):
        data.fetch_and_index(custom(tmp_path, exclude=("verse999",)))


def test_two_names_that_give_one_id_are_refused(tmp_path):
    for number, name in enumerate(("a.b", "a_b")):
        scans.write_pair(tmp_path / f"mine/img/{name}.nii.gz", tmp_path / f"mine/msk/{name}.nii.gz", seed=number)
    with pytest.raises(DatasetError, match="case id a_b stands for both"):
        data.fetch_and_index(custom(tmp_path))


@pytest.mark.parametrize("name", ["a b", "wirbelsäule", "scan(1)", "a'b", "_ct"])
def test_a_name_that_the_workflow_cannot_carry_is_refused_unless_excluded(tmp_path, name):
    for number, stem in enumerate(("1.3.6_x-y+z", name)):
        scans.write_pair(tmp_path / f"mine/img/{stem}.nii.gz", tmp_path / f"mine/msk/{stem}.nii.gz", seed=number)
    with pytest.raises(
        DatasetError, match=r"expected a file name of letters A to Z, digits and \. _ \+ - only"
    ) as caught:
        data.fetch_and_index(custom(tmp_path))
    assert f"{name}.nii.gz" in str(caught.value)
    assert "\n" not in str(caught.value)
    rows = read_cases(data.fetch_and_index(custom(tmp_path, exclude=(name.removesuffix("_ct"),))))
    assert [row.case for row in rows] == ["1_3_6_x-y+z"]


def test_a_manifest_of_another_source_is_refused():
    full = data.dataset()
    manifest.write_manifest(Path("data/raw/other.tsv"), [])
    with pytest.raises(ConfigError, match=r"dataset\.sources has no other"):
        index(config=data.partial(full, "index"), manifest_paths=[Path("data/raw/other.tsv")], output=Path("c.tsv"))


def test_a_case_says_how_the_annotation_of_its_source_ends(tmp_path):
    trees.verse19(tmp_path / "tree")
    for given, expected in (({}, "whole"), ({"annotation": "all"}, "all")):
        source = data.source(tmp_path / "tree", **given)
        rows = read_cases(data.fetch_and_index(data.dataset(sources={"verse19": source}, accept_licence=True)))
        assert {row.annotation for row in rows} == {expected}


def test_a_case_says_which_landmarks_the_masks_of_its_source_hold(tmp_path):
    trees.verse19(tmp_path / "tree")
    for given, expected in (({}, ""), ({"landmarks": ["sacrum", "ribs"]}, "sacrum ribs")):
        source = data.source(tmp_path / "tree", **given)
        rows = read_cases(data.fetch_and_index(data.dataset(sources={"verse19": source}, accept_licence=True)))
        assert {row.landmarks for row in rows} == {expected}


def test_what_nobody_annotated_is_no_label_of_a_case(tmp_path):
    scans.write_pair(tmp_path / "mine/img/a.nii.gz", tmp_path / "mine/msk/a.nii.gz")
    mask = volume.read_mask(tmp_path / "mine/msk/a.nii.gz")
    own = np.where(mask.array == 0, np.uint8(255), mask.array)
    volume.write_volume(tmp_path / "mine/msk/a.nii.gz", volume.Volume(own, mask.grid))
    full = data.dataset("custom", sources={"custom": {"kind": "custom", "path": str(tmp_path / "mine")}})
    (row,) = read_cases(data.fetch_and_index(full))
    assert row.annotation == "all"
    assert len(row.vertebrae) == len(set(np.unique(mask.array)) - {0})
