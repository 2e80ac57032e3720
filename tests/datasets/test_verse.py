"""The reader of VerSe trees: every quirk of the release."""

from __future__ import annotations

import pytest

from siil.datasets import manifest, verse
from siil.errors import DatasetError
from tests.datasets import trees


def found(folder, edition="verse19"):
    return {scan.case: scan for scan in verse.find(manifest.tree(folder), edition=edition)}


def test_cases_patients_and_splits_of_verse19(tmp_path):
    scans = found(trees.verse19(tmp_path))
    assert {case: (scan.patient, scan.split) for case, scan in scans.items()} == {
        "sub-verse004": ("sub-verse004", "training"),
        "sub-verse401_split-verse201": ("sub-verse401", "training"),
        "sub-verse401_split-verse253": ("sub-verse401", "training"),
        "sub-verse012": ("sub-verse012", "training"),
        "sub-verse010": ("sub-verse010", "validation"),
        "sub-verse011": ("sub-verse011", "testing"),
    }
    assert {scan.edition for scan in scans.values()} == {"verse19"}


def test_both_names_of_the_centroid_file_are_found_and_sub_region_masks_are_not_taken(tmp_path):
    scans = found(trees.verse19(tmp_path))
    assert scans["sub-verse004"].centroids.name == "sub-verse004_seg-subreg_ctd.json"
    assert scans["sub-verse401_split-verse201"].centroids.name.endswith("_seg-vb_ctd.json")
    assert scans["sub-verse004"].mask.name == "sub-verse004_seg-vert_msk.nii.gz"
    assert scans["sub-verse401_split-verse253"].mask.name == "sub-verse401_split-verse253_seg-vert_msk.nii.gz"
    assert scans["sub-verse012"].mask is None


@pytest.mark.parametrize("infix", ["_mod-ct", "_ct"])
def test_a_mask_whose_name_says_the_modality_is_found_and_the_plain_name_comes_first(tmp_path, infix):
    trees.verse_scan(tmp_path, "sub-a_dir-ax")
    derived = tmp_path / "derivatives/sub-a"
    for path in list(derived.iterdir()):
        path.rename(path.with_name(path.name.replace("_seg-", f"{infix}_seg-")))
    scan = found(tmp_path)["sub-a_dir-ax"]
    assert scan.mask == derived / f"sub-a_dir-ax{infix}_seg-vert_msk.nii.gz"
    assert scan.centroids.name == f"sub-a_dir-ax{infix}_seg-subreg_ctd.json"
    plain = derived / "sub-a_dir-ax_seg-vert_msk.nii.gz"
    plain.write_bytes(b"x")
    assert found(tmp_path)["sub-a_dir-ax"].mask == plain


def test_the_three_forms_of_dir_are_part_of_the_case(tmp_path):
    scans = found(trees.verse20(tmp_path), "verse20")
    assert {case: (scan.patient, scan.split) for case, scan in scans.items()} == {
        "sub-verse500_dir-ax": ("sub-verse500", "training"),
        "sub-verse501_dir-sag": ("sub-verse501", "validation"),
        "sub-gl016_dir-iso": ("sub-gl016", "validation"),
        "sub-verse502": ("sub-verse502", "testing"),
    }
    assert all(scan.mask and scan.centroids for scan in scans.values())


def test_the_table_of_scans_adds_the_other_edition(tmp_path):
    trees.verse19(tmp_path)
    (tmp_path / verse.SCAN_TABLE).write_text(trees.TABLE)
    scans = found(tmp_path)
    assert scans["sub-verse004"].edition == "verse19"
    assert scans["sub-verse010"].edition == "verse19 verse20"
    assert scans["sub-verse401_split-verse253"].edition == "verse19 verse20"


def test_a_foreign_table_is_refused(tmp_path):
    trees.verse19(tmp_path)
    (tmp_path / verse.SCAN_TABLE).write_text("a,b\n1,2\n")
    with pytest.raises(DatasetError, match="columns"):
        found(tmp_path)


def test_another_layout_is_refused(tmp_path):
    (tmp_path / "verse004.nii.gz").write_bytes(b"x")
    with pytest.raises(DatasetError, match="expected rawdata/"):
        found(tmp_path)


def test_masks_of_another_root_are_not_taken(tmp_path):
    trees.verse_scan(tmp_path / "dataset-01training", "sub-a", mask=False)
    trees.verse_scan(tmp_path / "dataset-03test", "sub-a", seed=3)
    scans = verse.find(manifest.tree(tmp_path), edition="")
    assert [scan.mask is None for scan in scans] == [True, False]


def test_the_real_tree_has_all_its_masks_and_centroids(real_data, tmp_path):
    """The release's own names (its CTs are not there: empty files stand for them)."""
    names = []
    for mask in sorted(real_data.glob("verse-labels/*/derivatives/*/*_seg-vert_msk.nii.gz")):
        root = tmp_path / mask.parts[-4]
        names.append(mask.name.replace("_seg-vert_msk", "_ct"))
        for path in (
            root / "rawdata" / mask.parent.name / names[-1],
            root / "derivatives" / mask.parent.name / mask.name,
        ):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
        for centroids in mask.parent.glob("*_ctd.json"):
            (root / "derivatives" / mask.parent.name / centroids.name).touch()
    scans = verse.find(manifest.tree(tmp_path), edition="")
    assert sorted(scan.image.name for scan in scans) == sorted(names)
    assert all(scan.mask and scan.centroids and scan.split for scan in scans)
