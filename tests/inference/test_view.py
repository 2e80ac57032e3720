"""What a scan shows to count by, and what the decoding makes of rare anatomy with and without it."""

from __future__ import annotations

import numpy as np
import pytest

from siil.anatomy import BY_NAME, CLASSES
from siil.inference.view import View, find_view, hidden
from tests.inference import spines
from tests.inference.test_sequence import DECODE, decode

T13 = [*spines.names("C6", "T12"), "T13", *spines.names("L1", "L5")]
NO_T12 = [*spines.names("C6", "T11"), *spines.names("L1", "L5")]
L6 = [*spines.names("C6", "L5"), "L6"]


def share(**lengths_mm: float) -> np.ndarray:
    """[S, K]: the network is 0.9 sure of these vertebrae, one after the other; bins of 2 mm."""
    rows = []
    for name, length in lengths_mm.items():
        row = np.full(CLASSES, 0.1 / (CLASSES - 1))
        row[BY_NAME[name].index] = 0.9
        rows += [row] * round(length / 2)
    return np.array(rows)


@pytest.mark.parametrize(
    ("lengths", "neck", "loin"),
    [
        ({"C7": 18, "T1": 20, "T2": 20}, True, False),
        ({"C7": 8, "T1": 20, "T2": 20}, False, False),  # a sliver is no neck
        ({"C7": 18, "T1": 8}, False, False),
        ({"T12": 12, "L1": 12}, False, True),
        ({"T12": 30, "L1": 8}, False, False),
        ({"C7": 12, "T1": 20, "T12": 30, "L1": 12}, True, True),
        ({"C7": 40, "L1": 40}, False, False),
        ({"L1": 40, "T12": 40, "C7": 40}, False, False),  # upside down
    ],
)
def test_a_border_is_in_view_where_enough_on_either_side_is_surely_of_its_region(lengths, neck, loin):
    assert find_view(share(**lengths)) == View(neck=neck, loin=loin)


def test_a_network_that_is_unsure_of_the_region_shows_no_border():
    assert find_view(np.full((60, CLASSES), 1 / CLASSES)) == View(neck=False, loin=False)
    assert find_view(np.zeros((1, CLASSES))) == View(neck=False, loin=False)


def test_what_cannot_be_counted_is_named():
    chest, loins, whole = View(neck=True, loin=False), View(neck=False, loin=True), View(neck=True, loin=True)
    assert hidden(("T12", "T13", "L1"), loins) == ["with T13"]
    assert hidden(("T11", "L1"), chest) == ["without T12"]
    assert hidden(("L5", "L6"), chest) == ["with L6"]
    assert hidden(("L5", "L6"), loins) == []
    assert hidden((*T13, "L6"), whole) == []
    assert hidden(("T11", "T12", "L1"), View(neck=False, loin=False)) == []


@pytest.mark.parametrize("sharp", [0.5, 0.7])
@pytest.mark.parametrize("levels", [T13, NO_T12, L6], ids=["T13", "no T12", "L6"])
def test_rare_anatomy_is_believed_where_both_borders_are_in_view(levels, sharp):
    spine = spines.tube(levels, margin_bottom_mm=40)
    sequence, _, names = decode(spines.posterior(spine, sharp=sharp))
    assert names == spine.names
    assert not sequence.uncertain


@pytest.mark.parametrize(
    ("levels", "ordinary"),
    [
        (T13[6:], spines.names("T4", "L5")),
        (T13[-8:], spines.names("T10", "L5")),
        (NO_T12[8:], spines.names("T8", "L5")),
    ],
)
def test_without_the_neck_the_ordinary_names_are_given_and_the_rare_ones_are_the_first_rival(levels, ordinary):
    spine = spines.tube(levels, margin_bottom_mm=40)
    sequence, _, names = decode(spines.posterior(spine, sharp=0.4))
    assert list(names) == ordinary
    rival = sequence.candidates[1]
    assert list(rival.names) == levels
    assert rival.score > sequence.candidates[0].score
    assert sequence.margin == 0
    assert "fits better, but the scan does not show the borders" in sequence.reason
    assert (rival.parts - sequence.candidates[0].parts).priors == pytest.approx(DECODE.prior_t13 + DECODE.prior_hidden)


def test_without_the_loins_the_ordinary_names_are_given():
    spine = spines.tube([*spines.names("C6", "T12"), "T13"])
    sequence, _, names = decode(spines.posterior(spine, sharp=0.3))
    assert "T13" not in names
    assert sequence.candidates[1].names == spine.names
    assert sequence.uncertain


def test_a_rare_rival_that_fits_little_better_is_listed_without_a_flag():
    spine = spines.tube(T13[-7:], margin_bottom_mm=40)
    sequence, _, names = decode(
        spines.posterior(spine, sharp=1.5), settings=DECODE.model_copy(update={"uncertain_renamed": 1})
    )
    assert list(names) == spines.names("T11", "L5")
    assert spine.names in [rival.names for rival in sequence.candidates]
    assert "fits better" not in sequence.reason


@pytest.mark.parametrize("first", ["C6", "T11"])
def test_a_sixth_lumbar_vertebra_is_counted_from_the_last_rib_with_or_without_the_neck(first):
    spine = spines.tube(L6[L6.index(first) :], margin_bottom_mm=40)
    assert decode(spines.posterior(spine))[2] == spine.names


def test_a_sixth_lumbar_vertebra_is_not_counted_without_the_last_rib():
    spine = spines.tube(L6[-6:], margin_bottom_mm=40)
    sequence, _, names = decode(spines.posterior(spine))
    assert "L6" not in names
    assert sequence.candidates[1].names == spine.names
    assert sequence.uncertain


def test_four_lumbar_vertebrae_over_a_sacrum_after_a_t13_are_counted_from_the_neck():
    spine = spines.tube(T13[:-1], margin_bottom_mm=60)
    assert decode(spines.posterior(spine))[2] == spine.names
