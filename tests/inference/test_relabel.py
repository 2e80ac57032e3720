"""Other names for the same vertebrae: in the label map, in the findings, in the facts of the scan."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from siil.anatomy import BY_NAME
from siil.inference.relabel import facts_by_hand, relabelled, renamed
from siil.inference.vertebrae import Finding, measure
from siil.scan.grid import Grid, Volume

NAMES = ("C7", "T1", "T2")


def seg(names: tuple[str, ...] = NAMES) -> Volume:
    """Blocks of 4 slices, from the head (large z) down, with a long spine behind each body."""
    array = np.zeros((20, 16, 9), np.uint8)
    for n, name in enumerate(names):
        rows = slice(14 - 6 * n, 18 - 6 * n)
        array[rows, 2:8, 2:7] = BY_NAME[name].code
        array[rows, 8:14, 4] = BY_NAME[name].code
    return Volume(array, Grid(array.shape, (3.0, 2.0, 2.0), (0.0, 0.0, -60.0)))


def findings(names: tuple[str, ...] = NAMES) -> tuple[Finding, ...]:
    sure = {BY_NAME[name].index: 0.9 for name in names}
    return measure(seg(names), working_mm=3.0, levels={}, confidences=sure, mean_hu={}, directions={})


def test_labels_get_the_other_names_and_nothing_else_changes():
    volume = seg()
    volume.array[0, 0, 0] = 26  # a sacrum of somebody's hand
    found = relabelled(volume, {"C7": "C6", "T1": "C7", "T2": "T2"})
    assert found.grid == volume.grid
    for old, new in ((7, 6), (8, 7), (9, 9), (26, 26), (0, 0)):
        assert ((volume.array == old) == (found.array == new)).all()


def test_a_vertebra_with_another_name_keeps_its_measures_and_loses_what_was_said_of_the_name():
    first, second, third = findings()
    second = replace(second, flags=("cut", "low_confidence", "renamed"), mean_hu=211.0)
    new = {"C7": "C7", "T1": "T2", "T2": "T3"}
    one, two, three = renamed((first, second, third), new, relabelled(seg(), new))
    assert one == first
    assert (two.name, two.code, two.flags) == ("T2", 9, ("cut", "by_hand"))
    assert math.isnan(two.confidence)
    kept = ("centroid_mm", "body_mm", "body_vox", "volume_mm3", "height_mm", "mean_hu", "complete")
    assert all(getattr(two, key) == getattr(second, key) for key in kept)
    assert (three.name, three.flags) == ("T3", ("by_hand",))


def test_a_second_change_of_a_name_is_said_once():
    new, back = {"C7": "C7", "T1": "T2", "T2": "T3"}, {"C7": "C7", "T2": "T1", "T3": "T2"}
    once = renamed(findings(), new, relabelled(seg(), new))
    assert [finding.flags for finding in renamed(once, back, seg())] == [(), ("by_hand",), ("by_hand",)]


def test_the_centre_of_c1_is_that_of_its_ring_whatever_it_was_called():
    names = ("C1", "C2", "C3")
    lower = {"C1": "C2", "C2": "C3", "C3": "C4"}
    fresh = findings(tuple(lower.values()))
    changed = renamed(findings(names), lower, seg(tuple(lower.values())))
    assert findings(names)[0].body_vox != fresh[0].body_vox  # the ring's centre lies further back
    for one, other in zip(changed, fresh, strict=True):
        assert one.body_vox == pytest.approx(other.body_vox)
        assert one.body_mm == pytest.approx(other.body_mm)
        assert one.height_mm == pytest.approx(other.height_mm)
    upper = {new: old for old, new in lower.items()}
    assert renamed(fresh, upper, seg(names))[0].body_mm == pytest.approx(findings(names)[0].body_mm)


def test_the_facts_say_the_new_names_and_what_they_were():
    old, new = ("C7", "T1", "T3"), {"C7": "T1", "T1": "T2", "T3": "T4"}
    found = renamed(findings(old), new, relabelled(seg(old), new))
    before = {
        "scan": "a",
        "vertebrae": list(old),
        "enumeration": "C7-T3",
        "uncertain": True,
        "reason": "somehow",
        "margin": 1.0,
        "runner_up": "T1-T4",
        "rivals": [
            {"enumeration": "T1-T4", "changes": ["C7 as T1"], "names": ["T1", "T2", "T3", "T4"]},
            {"enumeration": "C6-T1", "changes": ["C7 as C6", "T1 as T2"], "names": None},
        ],
        "renamed": 0.5,
        "patient_scale": 1.0,
        "unseen": ["T2"],
        "cut": [],
    }
    places, names = ("C7", "T1", "T2", "T3"), ("T1", "T2", "T3", "T4")
    facts = facts_by_hand(before, found, places, names, by="--first T1", when="now")
    assert facts["vertebrae"] == [row["label"] for row in facts["details"]] == ["T1", "T2", "T4"]
    assert (facts["enumeration"], facts["unseen"]) == ("T1-T4", ["T3"])
    assert (facts["uncertain"], facts["reason"], facts["margin"], facts["runner_up"]) == (False, "", None, None)
    assert facts["corrected"] == {"from": "C7-T3", "to": "T1-T4", "by": "--first T1", "when": "now"}
    assert facts["patient_scale"] == 1.0
    first, second = facts["rivals"]
    assert first["changes"] == []  # it is the answer now
    assert second["changes"] == ["T1 as C6"]
    again = facts_by_hand(facts, found, names, names, by="--last T4", when="later")
    assert (again["corrected"]["from"], again["corrected"]["by"]) == ("C7-T3", "--last T4")
