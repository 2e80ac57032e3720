"""The user's own files: equal names, lists, BIDS; never written to."""

from __future__ import annotations

import pytest

from siil.datasets import custom, manifest
from siil.errors import DatasetError
from tests import scans
from tests.datasets import trees


@pytest.fixture
def folder(tmp_path):
    for number, name in enumerate(["1.3.6.1.0001", "b", "c"]):
        scans.write_pair(tmp_path / f"img/{name}.nii.gz", tmp_path / f"msk/{name}.nii.gz", seed=number)
    return tmp_path


def found(folder):
    return {scan.case: scan for scan in custom.find(manifest.tree(folder))}


def test_images_find_the_mask_of_their_name_and_dots_become_underscores(folder):
    (folder / "msk/c.nii.gz").unlink()
    scans = found(folder)
    assert sorted(scans) == ["1_3_6_1_0001", "b", "c"]
    assert scans["1_3_6_1_0001"].mask == folder / "msk/1.3.6.1.0001.nii.gz"
    assert scans["c"].mask is None
    assert {scan.split for scan in scans.values()} == {""}


@pytest.mark.parametrize(
    "line",
    ["1.3.6.1.0001.nii.gz", "1.3.6.1.0001", "1_3_6_1_0001", "img\\1.3.6.1.0001.nii.gz", "./img/1.3.6.1.0001.nii.gz"],
)
def test_lists_take_names_ids_and_paths_with_windows_line_ends(folder, line):
    (folder / "training.txt").write_bytes(f"{line}\r\nb\r\n\r\n".encode())
    (folder / "testing.txt").write_text("c\n")
    assert {case: scan.split for case, scan in found(folder).items()} == {
        "1_3_6_1_0001": "training",
        "b": "training",
        "c": "testing",
    }


def test_a_list_that_names_no_image_or_a_case_twice_is_refused(folder):
    (folder / "training.txt").write_text("nobody\n")
    with pytest.raises(DatasetError, match="nobody is not among the images"):
        found(folder)
    (folder / "training.txt").write_text("b\n")
    (folder / "testing.txt").write_text("b\n")
    with pytest.raises(DatasetError, match="keep it in one list"):
        found(folder)


def test_lists_of_deeper_folders_are_not_the_user_s(folder):
    (folder / "folds/0").mkdir(parents=True)
    (folder / "folds/0/training.txt").write_text("b\n")
    assert {scan.split for scan in found(folder).values()} == {""}


def test_a_bids_tree_is_read_with_its_patients(tmp_path):
    trees.verse_scan(tmp_path, "sub-a_dir-ax")
    trees.verse_scan(tmp_path, "sub-a_dir-sag", seed=2)
    (tmp_path / "training.txt").write_text("sub-a_dir-ax\n")
    scans = found(tmp_path)
    assert {scan.patient for scan in scans.values()} == {"sub-a"}
    assert scans["sub-a_dir-ax"].split == "training"


@pytest.mark.parametrize(
    ("image", "mask", "case"),
    [
        ("img/X_0000.nii.gz", "msk/X.nii.gz", "X"),
        ("img/X.nii", "msk/X.nii.gz", "X"),
        ("img/X.nii.gz", "msk/X.nii", "X"),
        ("img/X_ct.nii.gz", "msk/X_seg.nii.gz", "X"),
        ("img/X.nii.gz", "msk/X_mask.nii.gz", "X"),
        ("imagesTr/X_0000.nii.gz", "labelsTr/X.nii.gz", "X"),
        ("images/X.nii.gz", "labels/X_label.nii.gz", "X"),
        ("X_ct.nii.gz", "X_seg.nii.gz", "X"),
        ("X.nii.gz", "X_seg-vert_msk.nii.gz", "X"),
        ("ct/X_ct.nii.gz", "truth/X_msk.nii.gz", "X"),
        ("scans/X.nii.gz", "labels/X.nii.gz", "X"),
        ("img/X.nii.gz", "truth/X.nii.gz", "X"),
        ("sub-a/ct/sub-a_ct.nii.gz", "derivatives/sub-a/sub-a_mod-ct_seg-vert_msk.nii.gz", "sub-a"),
    ],
)
def test_pairs_are_found_by_the_conventions_that_people_use(tmp_path, image, mask, case):
    scans.write_pair(tmp_path / image, tmp_path / mask)
    (scan,) = custom.find(manifest.tree(tmp_path))
    assert (scan.case, scan.image, scan.mask) == (case, tmp_path / image, tmp_path / mask)


def test_lists_may_name_the_channel_too(tmp_path):
    scans.write_pair(tmp_path / "img/X_0000.nii.gz", tmp_path / "msk/X.nii.gz")
    (tmp_path / "training.txt").write_text("X_0000.nii.gz\n")
    assert found(tmp_path)["X"].split == "training"


def test_where_no_name_fits_the_error_names_both_sides(folder):
    for path in list((folder / "msk").iterdir()):
        path.rename(path.with_name(f"other{path.name}"))
    with pytest.raises(
        DatasetError, match=r"images 1\.3\.6\.1\.0001\.nii\.gz, b\.nii\.gz, .*; masks other1.*otherb.*; give"
    ):
        found(folder)


def test_single_files_without_their_other_half_are_said(folder, caplog):
    (folder / "msk/c.nii.gz").rename(folder / "msk/d.nii.gz")
    assert found(folder)["c"].mask is None
    assert "masks without an image, left out: d.nii.gz; images without a mask: c.nii.gz" in caplog.text


def test_two_files_of_one_case_are_refused(folder):
    for name in ("d_ct", "d_0000"):
        scans.write_pair(folder / f"img/{name}.nii.gz", None)
    with pytest.raises(DatasetError, match=r"expected one of the images for d, got .*d_0000\.nii\.gz too"):
        found(folder)
    (folder / "img/d_ct.nii.gz").unlink()
    for name in ("d_msk", "d_seg"):
        scans.write_pair(folder / f"msk/{name}.nii.gz", None)
    with pytest.raises(DatasetError, match=r"expected one of the masks for d"):
        found(folder)


def test_an_empty_folder_is_refused(tmp_path):
    with pytest.raises(DatasetError, match=r"expected img/\*\.nii\.gz"):
        found(tmp_path)


def test_folders_of_other_names_are_refused_with_the_place_and_what_lies_there(tmp_path):
    scans.write_pair(tmp_path / "set/CT/X.nii.gz", tmp_path / "set/Seg/X.nii.gz")
    with pytest.raises(DatasetError, match=rf"^{tmp_path}/set: expected .*, got CT/X.nii.gz, Seg/X.nii.gz; name"):
        found(tmp_path / "set")
