"""Counting by hand: names by place, what the table of vertebrae does not allow, rivals laid onto the answer."""

from __future__ import annotations

import pytest

from siil.errors import InputError
from siil.inference.count import count_on, place_at, refusal, rival_names, shifted
from siil.inference.enumeration import Enumeration


@pytest.mark.parametrize(
    ("places", "known", "names"),
    [
        (3, {0: "T12"}, "T12 L1 L2"),
        (3, {2: "L5"}, "L3 L4 L5"),
        (4, {1: "C7"}, "C6 C7 T1 T2"),
        (4, {1: "T13"}, "T12 T13 L1 L2"),
        (3, {0: "T13"}, "T13 L1 L2"),
        (3, {2: "L6"}, "L4 L5 L6"),
        (4, {0: "T12", 3: "L3"}, "T12 L1 L2 L3"),
        (4, {0: "T12", 1: "T13", 3: "L2"}, "T12 T13 L1 L2"),
        (1, {0: "C1"}, "C1"),
    ],
)
def test_the_count_goes_on_from_what_is_known_along_the_ordinary_order(places, known, names):
    assert count_on(places, known) == tuple(names.split())


@pytest.mark.parametrize(
    ("places", "known", "why"),
    [
        (3, {0: "L1", 2: "L1"}, "L1 would stand twice"),
        (3, {0: "L1", 1: "T12"}, "T12 would stand below L1"),
        (3, {0: "T12", 1: "L1", 2: "T13"}, "T12 T13 L1 are 3 vertebrae, the scan has 2 there"),
        (4, {0: "T11", 3: "L1"}, "T11 T12 L1 are 3 vertebrae, the scan has 4 there"),
        (3, {1: "C1"}, "1 beyond C1"),
        (4, {0: "L4"}, "2 beyond L5"),
        (3, {0: "L4"}, "say --last L6"),
        (3, {1: "L6"}, "1 beyond L6"),
    ],
)
def test_a_count_that_the_table_does_not_allow_is_refused_with_its_reason(places, known, why):
    with pytest.raises(InputError, match=why):
        count_on(places, known)


@pytest.mark.parametrize(
    ("names", "by", "moved"),
    [
        ("T11 T12 L1", 1, "T12 L1 L2"),
        ("T12 L1 L2", -2, "T10 T11 T12"),
        ("L1 L2 L3 L4 L5 L6", -1, "T12 L1 L2 L3 L4 L5"),
        ("C1 C2", 6, "C7 T1"),
    ],
)
def test_a_shift_moves_along_the_ordinary_order(names, by, moved):
    assert shifted(names.split(), by) == tuple(moved.split())


@pytest.mark.parametrize(
    ("names", "by", "why"),
    [
        ("T12 L1", 0, "moves nothing"),
        ("C1 C2", -1, "make C1 a vertebra above C1"),
        ("L4 L5", 2, "make L5 a vertebra below L6"),
        ("L4 L5", 1, "say --last L6"),
        ("T11 T12 T13 L1", 1, "with T13 does not say which part moves"),
        ("T11 L1 L2", 1, "without T12 does not say which part moves"),
    ],
)
def test_a_shift_that_cannot_be_meant_is_refused(names, by, why):
    with pytest.raises(InputError, match=why):
        shifted(names.split(), by)


def test_a_height_names_the_nearest_body_within_20_mm():
    bodies = {"L1": -100.0, "L3": -160.0}  # L2 holds no voxel
    names = ("L1", "L2", "L3")
    assert place_at(-118.0, bodies, names) == 0
    assert place_at(-141.0, bodies, names) == 2
    with pytest.raises(InputError, match=r"no vertebra lies at z = -130 mm, the nearest is L1 at -100\.0 mm"):
        place_at(-130.0, bodies, names)


def rival(names: str, calls: str) -> Enumeration:
    pairs = [call.split(":") for call in calls.split()]
    return Enumeration(tuple(names.split()), 0.0, tuple((best, called) for best, called in pairs))


@pytest.mark.parametrize(
    ("names", "other", "expected"),
    [
        ("T11 T12 L1", rival("T10 T11 T12", "T11:T10 T12:T11 L1:T12"), "T10 T11 T12"),
        # the sliver T10 was not judged and stands in no rival's names: counted on
        ("T10 T11 T12 L1", rival("T12 L1 L2", "T11:T12 T12:L1 L1:L2"), "T11 T12 L1 L2"),
        # the rival's own sliver at the lower border lies in no place
        ("L1 L2", rival("L2 L3 L4", "L1:L2 L2:L3"), "L2 L3"),
        ("T11 T12 L1 L2", rival("T12 T13 L1 L2", "T11:T12 T12:T13 L1:L1 L2:L2"), "T12 T13 L1 L2"),
        ("T11 T12 L1", rival("T10 T11 L1", "T11:T10 T12:T11 L1:L1"), "T10 T11 L1"),
        # an unseen place between is counted with the others
        ("L1 L2 L3", rival("T12 L1 L2", "L1:T12 L3:L2"), "T12 L1 L2"),
    ],
)
def test_a_rival_with_as_many_vertebrae_names_every_place(names, other, expected):
    assert rival_names(tuple(names.split()), other) == tuple(expected.split())


@pytest.mark.parametrize(
    ("names", "other"),
    [
        ("T11 T12 L1", rival("T11 T12 T13 L1", "T11:T11 T12:T13 L1:L1")),  # T12 split in two
        ("T11 T12 L1", rival("T11 T12", "T11:T11 T12:T12 L1:T12")),  # T12 and L1 as one
        ("T11 T12 L1", rival("T11 T12", "T11:T11 T12:T12 L1:")),  # nothing where L1 is
        ("C1 C2", rival("C1", "C2:C1")),  # nothing is left for the upper one
        ("L4 L5", rival("L5 L6", "L4:L6")),
    ],
)
def test_a_rival_that_counts_another_number_names_none(names, other):
    assert rival_names(tuple(names.split()), other) is None


def test_names_that_are_no_spine_are_told_apart():
    assert refusal(("T12", "T13", "L1", "L2")) == ""
    assert refusal(("T11", "L1")) == ""
    assert refusal(("L5", "L6")) == ""
    assert refusal(("T13", "L1")) == ""
    assert refusal(("L1", "L1")) == "L1 would stand twice"
    assert refusal(("L1", "T12")) == "T12 would stand below L1"
    assert refusal(("T12", "L2")) == "L2 would follow T12"
    assert refusal(("T10", "L1")) == "L1 would follow T10"
    assert refusal(("T12", "X1")) == "X1 is no vertebra"
