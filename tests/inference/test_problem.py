"""The decoding problem of a scan: priors by what is in view, and discs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage

from siil.anatomy import BY_INDEX, BY_NAME
from siil.inference.problem import build_lattice, disc_evidence, goes_on
from siil.inference.sequence import decode_sequence
from siil.inference.view import View
from tests.inference import spines
from tests.inference.test_sequence import DECODE


def chain(*, neck: bool, loin: bool):
    _, _, evidence = decode_sequence(spines.posterior(spines.tube(["L2", "L3"])), spacing_mm=4.0, decode=DECODE)
    return build_lattice(evidence, DECODE, View(neck=neck, loin=loin)).chain


def test_only_c1_opens_and_only_l5_and_l6_close_for_free():
    found = chain(neck=True, loin=True)
    free = [BY_INDEX[n + 1].name for n in np.flatnonzero((found.opens == 0).all(axis=1))]
    assert free == ["C1"]
    free = [BY_INDEX[n + 1].name for n in np.flatnonzero((found.closes == 0).any(axis=1))]
    assert free == ["L5", "L6"]
    assert not found.closes_cut.any()


@pytest.mark.parametrize("neck", [False, True])
@pytest.mark.parametrize("loin", [False, True])
def test_a_rare_chest_has_the_prior_of_its_rate_between_two_borders_and_a_lower_one_elsewhere(neck, loin):
    found = chain(neck=neck, loin=loin)
    at = {name: vertebra.index - 1 for name, vertebra in BY_NAME.items()}
    thoracic = 0 if neck and loin else DECODE.prior_hidden
    assert dict(found.follows[at["T13"]]) == {at["T12"]: DECODE.prior_t13 + thoracic}
    assert dict(found.follows[at["L1"]])[at["T11"]] == DECODE.prior_no_t12 + thoracic
    assert dict(found.follows[at["L6"]]) == {at["L5"]: DECODE.prior_l6}
    assert found.opens_cut[at["T13"]] == DECODE.prior_t13 + thoracic
    assert found.opens_cut[at["L6"]] == DECODE.prior_l6


def test_discs_are_seen_between_the_bodies():
    bone = np.tile([10.0] * 8 + [1.0] * 2, 5)
    dips = disc_evidence(ndimage.gaussian_filter1d(bone, 0.5))
    assert len(dips) == 51
    assert dips[[9, 19, 29, 39]].min() > 0.3
    assert dips[[4, 14, 24, 34]].max() < 0
    assert not disc_evidence(np.zeros(20)).any()


def test_where_the_bodies_end_there_is_no_disc():
    bone = np.array([0.0] * 12 + ([10.0] * 8 + [1.0] * 2) * 2 + [10.0] * 8 + [0.0] * 12)
    dips = disc_evidence(bone)
    assert dips[[21, 31]].min() > 0.3
    assert dips[[10, 42]].max() < 0.1


def test_the_spine_goes_on_where_most_of_a_vertebra_is_behind():
    share = np.zeros((30, 2))
    share[:, 0] = [0.05] * 20 + [1.0] * 10  # 40 mm of spine, then none
    assert goes_on(share, 32.0).tolist() == [True] * 10 + [False] * 21  # 24 mm, of which 0.8
    assert not goes_on(share[:5], 32.0).any()
    assert goes_on(share[:0], 32.0).tolist() == [False]


def test_l5_closes_for_free_where_no_vertebra_is_left_below_not_even_after_a_gap():
    spine = spines.tube([*spines.names("T12", "L5"), "L6"], margin_bottom_mm=30)
    _, _, evidence = decode_sequence(spines.posterior(spine), spacing_mm=4.0, decode=DECODE)
    share = evidence.share.copy()
    share[84:88, 1:], share[84:88, 0] = 0, 1  # as if nothing were seen in the middle of L5
    chain = build_lattice(replace(evidence, share=share), DECODE, View(neck=False, loin=True)).chain
    closes = chain.closes[BY_NAME["L5"].index - 1]
    free = np.flatnonzero(closes == 0)
    assert free.tolist() == list(range(free[0], len(closes)))
    assert free[0] > 96  # L6 begins at 97
    assert not goes_on(share, 33.0)[84]
    assert set(closes[: free[0]]) == {DECODE.prior_outside}
