"""Each check finds its own defect in a spine made by hand, and nothing in a good one."""

from __future__ import annotations

from dataclasses import replace

import pytest

from siil.anatomy import BY_NAME
from siil.audit import checks
from siil.audit.placement import Placement
from tests.audit.spines import NORMS, spine

LOINS = "T10 T11 T12 L1 L2 L3 L4 L5"
NECK = "C1 C2 C3 C4 C5 C6 C7 T1 T2 T3"


def said(scan, least: float = 1.0) -> dict[str, str]:
    """Kind -> where, of what is suspected."""
    return {row.kind: row.where for row in checks.check(scan, NORMS) if row.suspicion >= least}


def changed(scan, name: str, **values):
    bones = tuple(replace(b, **values) if b.name == name else b for b in scan.bones)
    return replace(scan, bones=bones)


@pytest.mark.parametrize("looks", [LOINS, NECK, f"{NECK} T4 T5 T6 T7 T8 T9 {LOINS}", "L2 L3"])
def test_nothing_is_said_of_a_good_scan(looks):
    assert checks.check(spine(looks), NORMS) == []


def test_nor_of_a_small_and_of_a_large_patient():
    for factor in (0.88, 1.12):
        good = spine(LOINS)
        bones = tuple(
            replace(
                b,
                centre_mm=b.centre_mm * factor,
                volume_cm3=b.volume_cm3 * factor**3,
                across=b.across * factor,
                deep=b.deep * factor,
                along=b.along * factor,
            )
            for b in good.bones
        )
        assert said(replace(good, bones=bones)) == {}


def test_names_a_level_off_are_told_by_sizes_ribs_and_pelvis():
    assert said(spine(LOINS, "T11 T12 L1 L2 L3 L4 L5 L6")) == {"shift": "-1"}
    assert said(spine(LOINS, "T9 T10 T11 T12 L1 L2 L3 L4")) == {"shift": "+1"}
    (row,) = [row for row in checks.check(spine(LOINS, "T9 T10 T11 T12 L1 L2 L3 L4"), NORMS) if row.kind == "shift"]
    assert row.words.endswith("T10-L5 fits better than T9-L4")


def test_names_that_jump_are_a_gap_and_so_is_a_vertebra_without_a_label():
    jump = spine("T10 T11 T12 L1 L2 L3 L4", "T10 T11 T12 L1 L2 L4 L5")
    assert said(jump)["gap"] == "L2-L4"
    assert "the names jump" in next(row.words for row in checks.check(jump, NORMS) if row.kind == "gap")
    whole = spine(LOINS)
    hole = replace(whole, bones=tuple(b for b in whole.bones if b.name != "L2"))
    assert said(hole) == {"gap": "L1-L3"}
    assert "without a label" in checks.check(hole, NORMS)[0].words
    renamed = replace(spine(LOINS, "T10 T11 T12 L1 L6 L2 L3 L4"))
    renamed = replace(renamed, bones=tuple(b for b in renamed.bones if b.name != "L6"))
    assert said(renamed)["gap"] == "L1-L2"


def test_eleven_thoracic_vertebrae_are_a_remark_and_a_rib_on_the_first_lumbar_an_error():
    anatomy = spine("T9 T10 T11 L1 L2 L3 L4 L5")
    assert said(anatomy) == {}
    assert said(anatomy, least=0.5)["gap"] == "T11-L1"
    jump = spine("T9 T10 T11 T12 L1 L2 L3 L4 L5", "T9 T10 T11 L1 L2 L3 L4 L5 L6")
    assert said(jump)["gap"] == "T11-L1"


def test_a_t13_between_t12_and_l1_is_no_gap():
    assert said(spine("T10 T11 T12 T12 L1 L2 L3", "T10 T11 T12 T13 L1 L2 L3")) == {}


def test_a_name_that_stands_at_two_places_is_a_repeat():
    twice = changed(spine(LOINS), "L2", piece_cm3=40.0, piece_mm=33.0)
    assert said(twice) == {"repeat": "L2"}
    assert said(changed(spine(LOINS), "L2", piece_cm3=40.0, piece_mm=5.0)) == {}  # an arch apart from its body
    assert said(changed(spine(LOINS), "L2", piece_cm3=3.0, piece_mm=33.0)) == {}  # a crumb


def test_two_vertebrae_under_one_name_are_merged_also_where_the_border_cuts_them():
    for cut in (False, True):
        scan = spine(LOINS)
        volume = next(b.volume_cm3 for b in scan.bones if b.name == "T10")
        assert said(changed(scan, "T10", volume_cm3=1.8 * volume, cut=cut))["merged"] == "T10"


def test_a_part_under_the_neighbours_name_makes_the_two_uneven_and_a_large_face():
    scan = spine(LOINS)
    one, two = (next(b.volume_cm3 for b in scan.bones if b.name == name) for name in ("L2", "L3"))
    uneven = changed(changed(scan, "L2", volume_cm3=1.3 * one), "L3", volume_cm3=0.7 * two)
    assert said(uneven) == {"mixed": "L2-L3"}
    pair = (BY_NAME["L2"].code, BY_NAME["L3"].code)
    assert said(replace(scan, touching={pair: 20.0})) == {"mixed": "L2-L3"}
    assert said(replace(scan, touching={pair: 5.0})) == {}


def test_labels_beside_the_bone_are_told_for_the_scan_and_for_one_vertebra():
    moved = Placement(60.0, ("left to right", -80.0), ("back", 50.0, 5))
    assert said(replace(spine(LOINS), placement=moved)) == {"off bone": "scan"}
    assert said(changed(spine(LOINS), "L1", hu=70.0)) == {"off bone": "L1"}


def test_a_mirrored_mask_is_told():
    mirrored = Placement(60.0, ("left to right", 50.0), ("back", -5.0, 5))
    assert said(replace(spine(LOINS), placement=mirrored)) == {"mirrored": "scan"}


def test_masks_alone_are_checked_for_what_they_tell():
    nan = float("nan")
    scan = replace(spine(LOINS, "T9 T10 T11 T12 L1 L2 L3 L4"), placement=None)
    bones = tuple(replace(b, hu=nan, around_hu=nan, ribs=nan, aside=nan) for b in scan.bones)
    assert said(replace(scan, bones=bones)) == {"shift": "+1"}


@pytest.mark.parametrize("factor", [0.6, 1.5])
def test_slices_with_a_wrong_distance_are_told_by_heights_against_widths(factor):
    scan = spine(LOINS)
    bones = tuple(
        replace(b, centre_mm=b.centre_mm * (factor, 1, 1), along=b.along * factor, volume_cm3=b.volume_cm3 * factor)
        for b in scan.bones
    )
    assert said(replace(scan, bones=bones))["spacing"] == "scan"


def test_upside_down_and_out_of_order():
    assert said(spine(LOINS, " ".join(reversed(LOINS.split()))))["order"] == "scan"
    assert said(spine(LOINS, "T10 T11 T12 L1 L3 L2 L4 L5"))["order"] == "L2-L3"


def test_centroids_headers_and_held_out_predictions():
    l1, l2 = BY_NAME["L1"].code, BY_NAME["L2"].code
    assert said(replace(spine(LOINS), centroids={l1: l1, l2: l1})) == {"centroid": "L2"}
    assert said(replace(spine(LOINS), words=("image: sform says RAS, qform LAS",))) == {"header": "scan"}
    assert said(replace(spine(LOINS), shift=(1, 9.0, 8))) == {"held out": "+1"}
    assert said(replace(spine(LOINS), shift=(1, 2.0, 8))) == {}  # by a margin that may be chance
    assert said(replace(spine(LOINS), shift=(0, 30.0, 8))) == {}


def test_every_case_after_the_first_of_equal_content_is_a_duplicate():
    scans = [spine(LOINS), replace(spine(LOINS), case="b", mask="other"), replace(spine(LOINS), case="c", image="x")]
    assert [(row.case, row.words) for row in checks.duplicates(scans)] == [
        ("b", "the same image as a"),
        ("c", "the same mask as a"),
    ]
