"""Label maps of other tools: their codes, and which file is which case."""

from __future__ import annotations

import numpy as np
import pytest

from siil.anatomy import BY_NAME
from siil.datasets import codes, labelmaps
from siil.errors import DatasetError, InputError
from tests import scans


def code(name: str) -> int:
    return BY_NAME[name].code


def column(*, split: bool) -> tuple[np.ndarray, np.ndarray]:
    """Truth (x, y, z) of L1, L2, L3 from the top with a plate above and below each body, and SPINEPS's map of it.

    Models for MR name the plates of a disc by the vertebra above (split: those for CT by their own vertebra).
    """
    truth, made = np.zeros((8, 8, 40), np.uint8), np.zeros((8, 8, 40), np.int16)
    for place, name in enumerate(("L1", "L2", "L3")):
        low = 28 - 12 * place
        truth[2:6, 2:6, low : low + 9] = code(name)  # the disc of 3 voxels below it stays empty
        made[2:6, 2:6, low + 1 : low + 8] = code(name)
        made[2:6, 2:6, low] = 200 + code(name)
        made[2:6, 2:6, low + 8] = 200 + code(name) - (0 if split else 1)
    return truth, made


@pytest.mark.parametrize("split", [True, False])
def test_an_endplate_belongs_to_the_body_that_it_touches_whatever_its_number(tmp_path, split):
    truth, made = column(split=split)
    found = labelmaps.read([scans.save(tmp_path / "a.nii.gz", made)], codes.table("spineps"))
    np.testing.assert_array_equal(found.array.T, truth)


def test_endplates_without_a_body_near_are_background(tmp_path):
    _, made = column(split=False)
    alone = np.where(made > 200, made, 0)
    assert not labelmaps.read([scans.save(tmp_path / "a.nii.gz", alone)], codes.table("spineps")).array.any()
    alone[0, 0, 0] = code("L1")
    far = labelmaps.read([scans.save(tmp_path / "b.nii.gz", alone)], codes.table("spineps")).array
    assert np.count_nonzero(far) - 1 < np.count_nonzero(alone) / 4


def save(path, labels, dtype=np.uint8):
    array = np.zeros((12, 14, 16), dtype)
    for place, label in enumerate(labels):
        array[place + 1, 2:5, 2:5] = label
    return scans.save(path, array)


def test_a_map_is_read_in_verse_codes_whatever_its_type(tmp_path):
    for dtype in (np.uint8, np.int16, np.float64):
        path = save(tmp_path / "a.nii.gz", [5, 27, 50], dtype)  # stomach is 6, gallbladder 5
        found = labelmaps.read([path], codes.table("totalsegmentator"))
        assert found.array.dtype == np.uint8
        assert sorted(np.unique(found.array)) == [0, code("C1"), code("L5")]


def test_a_label_that_the_table_does_not_hold_is_refused(tmp_path):
    path = save(tmp_path / "a.nii.gz", [27, 50])
    with pytest.raises(InputError, match=r"a\.nii\.gz: expected labels of the table .* got \[50\]; name the tool"):
        labelmaps.read([path], codes.table("verse"))
    with pytest.raises(InputError, match=r"got -1000 to 0"):
        labelmaps.read([save(tmp_path / "ct.nii.gz", [-1000], np.int16)], codes.table("verse"))
    with pytest.raises(InputError, match="fractions"):
        labelmaps.read([save(tmp_path / "f.nii.gz", [7.5], np.float32)], codes.table("verse"))


def test_one_file_per_structure_becomes_one_map(tmp_path):
    for name in ("vertebrae_L5", "vertebrae_T12", "spleen", "vertebrae_S1"):
        save(tmp_path / f"p1/segmentations/{name}.nii.gz", [1] if name != "vertebrae_T12" else [0, 1])
    found = labelmaps.find(tmp_path)
    assert list(found) == ["p1"]
    assert [path.name for path in found["p1"]] == ["vertebrae_L5.nii.gz", "vertebrae_T12.nii.gz"]
    array = labelmaps.read(found["p1"], codes.table("totalsegmentator")).array
    assert sorted(np.unique(array)) == [0, code("T12"), code("L5")]


@pytest.mark.parametrize(
    "name",
    [
        "derivatives/sub-a/sub-a_dir-ax_seg-vert_msk",
        "derivatives_seg/sub-a_dir-ax_mod-ct_seg-vert_msk",
        "sub-a_dir-ax_ct_seg",
        "sub-a_dir-ax_ct",
        "sub-a_dir-ax_seg",
        "sub-a_dir-ax_0000",
        "sub-a_dir-ax",
    ],
)
def test_the_names_of_the_tools_lead_to_the_case(tmp_path, name):
    save(tmp_path / f"{name}.nii.gz", [1])
    assert list(labelmaps.find(tmp_path)) == ["sub-a_dir-ax"]


def test_images_sub_region_maps_and_our_own_side_products_are_passed_over(tmp_path):
    kept = save(tmp_path / "derivatives/sub-a/sub-a_seg-vert_msk.nii.gz", [1])
    for name in ("rawdata/sub-a/sub-a_ct", "derivatives/sub-a/sub-a_seg-subreg_msk", "sub-a_work", "sub-a_raw",
                 "sub-a_mod-ct_seg-spine_msk", "img/sub-a", ".tmp/sub-a"):  # fmt: skip
        save(tmp_path / f"{name}.nii.gz", [1])
    assert labelmaps.find(tmp_path) == {"sub-a": (kept,)}


@pytest.mark.parametrize(("scan", "mask"), [("a_ct", "a_seg"), ("a_img", "a_label"), ("a_0000", "a"), ("a_ct", "a")])
def test_the_scan_beside_its_map_is_not_taken_for_one(tmp_path, scan, mask):
    save(tmp_path / f"{scan}.nii.gz", [1])
    kept = save(tmp_path / f"{mask}.nii.gz", [1])
    assert labelmaps.find(tmp_path) == {"a": (kept,)}


def test_dotted_names_are_as_in_case_ids(tmp_path):
    save(tmp_path / "labels/COLONOG/1.3.6.1.4.1.9328.50.4.0001_seg.nii.gz", [1])
    assert list(labelmaps.find(tmp_path)) == ["1_3_6_1_4_1_9328_50_4_0001"]


def test_two_maps_of_a_case_an_empty_and_a_missing_folder_are_refused(tmp_path):
    save(tmp_path / "a_seg.nii.gz", [1])
    save(tmp_path / "a.nii.gz", [1])
    with pytest.raises(DatasetError, match="expected one label map of a, got"):
        labelmaps.find(tmp_path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(DatasetError, match="got none"):
        labelmaps.find(tmp_path / "empty")
    with pytest.raises(DatasetError, match="got nothing"):
        labelmaps.find(tmp_path / "no")
