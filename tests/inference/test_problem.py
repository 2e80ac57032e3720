"""The decoding problem of a scan: priors by what is in view, and discs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage

from siil.anatomy import BY_INDEX, BY_NAME
from siil.inference.problem import build_lattice, disc_evidence, left_over
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


def test_what_is_left_over_is_the_share_of_a_vertebra_right_behind():
    share = np.zeros((40, 2))
    share[:, 0] = [0.0] * 20 + [1.0] * 20  # 40 mm of spine, then none
    found = left_over(share, 32.0)  # of the next 24 mm 19.2 are enough
    assert found.shape == (41,)
    assert (found[:11] == 1).all()
    assert found[[15, 18, 20, 40]] == pytest.approx([10 / 19.2, 4 / 19.2, 0, 0])
    assert left_over(share[:8], 32.0)[0] == pytest.approx(16 / 19.2)  # the border
    assert left_over(share[:0], 32.0).tolist() == [0.0]


def test_ending_with_l5_or_l6_costs_what_is_left_of_a_vertebra_below_and_a_blob_far_below_costs_nothing():
    spine = spines.tube([*spines.names("T12", "L5"), "L6"], margin_bottom_mm=60)
    _, _, evidence = decode_sequence(spines.posterior(spine), spacing_mm=4.0, decode=DECODE)
    share = np.zeros((250, evidence.share.shape[1]))
    share[:, 0] = 1
    share[: len(evidence.share)] = evidence.share
    l6, far = 113, slice(160, 175)  # where L6 ends; a piece of 30 mm
    share[far, 0], share[far, 1] = 0, 1
    evidence = replace(evidence, share=share, log_share=np.log(share + 0.02), body_mm2=np.zeros(len(share)))
    chain = build_lattice(evidence, DECODE, View(neck=False, loin=True)).chain
    for name in ("L5", "L6"):
        closes = chain.closes[BY_NAME[name].index - 1]
        assert closes[97] == DECODE.prior_outside  # where L6 begins
        assert (np.diff(closes[97:140]) >= 0).all()
        assert DECODE.prior_outside < closes[l6 - 6] < 0
        assert closes[l6:140] == pytest.approx(0)
    others = np.delete(chain.closes, [BY_NAME["L5"].index - 1, BY_NAME["L6"].index - 1], axis=0)
    assert (others == DECODE.prior_outside).all()
