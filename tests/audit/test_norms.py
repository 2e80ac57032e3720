"""What is usual: of the table, or of the data set itself."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from siil.anatomy import BY_NAME
from siil.audit.norms import ENOUGH, FEATURES, PLACE, built_in, features, norms, residuals
from siil.audit.usual import TABLE
from tests.audit.spines import NORMS, spine

LOINS = "T10 T11 T12 L1 L2 L3 L4 L5"
L2 = PLACE[BY_NAME["L2"].code]


def test_the_table_knows_every_level_and_the_published_distances():
    assert len(TABLE) == len(PLACE) == 25
    assert np.exp(built_in().centre[L2, 0]) == np.exp(3.526)  # 34.0 mm between L2 and L3
    assert np.isnan(built_in().centre[PLACE[BY_NAME["L6"].code], 0])


def test_cut_vertebrae_have_no_size_and_no_distance():
    scan = spine(LOINS)
    cut = replace(scan, bones=tuple(replace(b, cut=b.name == "L2") for b in scan.bones))
    found = features(cut)
    assert np.isnan(found[L2]).all()
    assert np.isnan(found[L2 - 1, 0])  # L1 to L2
    assert not np.isnan(found[L2 - 1, 1:]).any()


def test_a_level_that_enough_scans_show_is_measured_against_their_median():
    scan = spine(LOINS)
    fat = replace(scan, bones=tuple(replace(b, across=b.across * (1.3 if b.name == "L2" else 1)) for b in scan.bones))
    few, many = norms([fat] * (ENOUGH - 1)), norms([fat] * ENOUGH)
    across = FEATURES.index("across")
    assert few.centre[L2, across] == NORMS.centre[L2, across]
    assert np.isclose(many.centre[L2, across], NORMS.centre[L2, across] + np.log(1.3))
    assert many.own[L2, across] == ENOUGH
    assert many.own[0, across] == 0


def test_a_few_wrong_scans_do_not_move_what_is_usual():
    good, bad = spine(LOINS), spine(LOINS, "T9 T10 T11 T12 L1 L2 L3 L4")
    made = norms([good] * 9 + [bad] * 3)
    np.testing.assert_allclose(made.centre[L2], NORMS.centre[L2], atol=1e-6)


def test_the_patients_own_size_is_taken_out():
    scan = spine(LOINS)
    tall = replace(scan, bones=tuple(replace(b, across=b.across * 1.2) for b in scan.bones))
    rest = residuals(features(tall), NORMS)
    assert np.nanmax(np.abs(rest)) < 1e-6


def test_people_of_different_size_do_not_widen_what_is_usual():
    scans = []
    for factor in (0.8, 1.2) * ENOUGH:
        bones = tuple(replace(b, across=b.across * factor) for b in spine(LOINS).bones)
        scans.append(replace(spine(LOINS), bones=bones))
    across = FEATURES.index("across")
    made = norms(scans)
    assert np.isclose(made.centre[L2, across], NORMS.centre[L2, across])
    assert made.spread[L2, across] == 0.04  # the least
