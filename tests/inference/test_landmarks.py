"""Sacrum and ribs: what they say of a cross-section, what is counted from them, and which scans that flags."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from siil.anatomy import BY_NAME, RIB_CODE, SACRUM_CODE, VERTEBRAE
from siil.config import resolve
from siil.inference.enumeration import Sequence
from siil.inference.landmarks import (
    FIRST_RIB,
    LAST_RIB,
    SACRUM,
    Bones,
    count,
    disagreement,
    find_bones,
    landmark_evidence,
)
from siil.inference.posterior import Landmarks, Posterior
from siil.inference.sequence import decode_sequence
from tests.inference import spines

DECODE = resolve("pretrain").inference.decode
PIECES = [(20.0 * n, 20.0 * n + 20) for n in range(4)]
WHOLE = [True] * 4


def bones(*ribs_mm3: float, sacrum: int | None = None, sides: int = 2) -> Bones:
    """Ribs of vertebrae of 20 mm, spread over their ten bins."""
    area = np.repeat(np.array(ribs_mm3), 10) / 20
    return Bones(area, np.full(len(area), sides), sacrum)


def test_from_the_last_rib_vertebrae_are_counted_both_ways() -> None:
    found = count(bones(1000, 1000, 0, 0), PIECES, WHOLE)
    assert found == {LAST_RIB: ("T11", "T12", "L1", "L2")}


def test_from_the_first_rib_vertebrae_are_counted_both_ways() -> None:
    found = count(bones(0, 0, 1000, 900), PIECES, WHOLE)
    assert found == {FIRST_RIB: ("C6", "C7", "T1", "T2")}


@pytest.mark.parametrize(
    ("seen", "whole"),
    [
        (bones(1000, 1000, 150, 0), WHOLE),  # neither a rib nor none
        (bones(1000, 1000, 0, 0, sides=1), WHOLE),  # the other side may have one
        (bones(1000, 1000, 0, 0), [True, True, False, True]),  # the border took what would tell
        (bones(1000, 1000, 1000, 1000), WHOLE),  # ribs do not end in view
        (bones(0, 0, 0, 0), WHOLE),
    ],
)
def test_where_ribs_do_not_plainly_end_nothing_is_counted(seen, whole) -> None:
    assert count(seen, PIECES, whole) == {}


def test_from_the_sacrum_vertebrae_are_counted_up_where_it_meets_the_last_one() -> None:
    assert count(bones(0, 0, 0, 0, sacrum=38), PIECES, WHOLE) == {SACRUM: ("L2", "L3", "L4", "L5")}
    assert count(bones(0, 0, 0, 0, sacrum=28), PIECES, WHOLE) == {}  # 24 mm off: something was missed


def test_counts_that_agree_say_nothing_and_others_are_told_with_their_names() -> None:
    seen = bones(1000, 0, 0, 0, sacrum=40)
    counts = count(seen, PIECES, WHOLE)
    assert counts == {SACRUM: ("L2", "L3", "L4", "L5"), LAST_RIB: ("T12", "L1", "L2", "L3")}
    told = disagreement(counts, ("L2", "L3", "L4", "L5"))
    assert told == "counted from the sacrum up L2-L5 and from the last rib T12-L3, but the names are L2-L5"
    assert disagreement({SACRUM: counts[SACRUM]}, ("L2", "L3", "L4", "L5")) == ""
    assert "but the names are L1-L4" in disagreement({SACRUM: counts[SACRUM]}, ("L1", "L2", "L3", "L4"))
    assert disagreement({}, ("L1",)) == ""


def against(nats: np.ndarray, place: int) -> set[str]:
    return {v.name for v, value in zip(VERTEBRAE, nats[place], strict=True) if value < 0}


def test_a_last_rib_that_is_a_stump_is_no_disagreement_but_a_rib_in_the_loins_is() -> None:
    counts = count(bones(1000, 1000, 0, 0), PIECES, WHOLE)
    assert disagreement(counts, ("T11", "T12", "L1", "L2")) == ""
    assert disagreement(counts, ("T10", "T11", "T12", "L1")) == ""  # T12's is not seen
    assert "from the last rib T11-L2" in disagreement(counts, ("T12", "L1", "L2", "L3"))
    assert disagreement(counts, ("T9", "T10", "T11", "T12"))
    counts = count(bones(0, 0, 1000, 900), PIECES, WHOLE)
    assert disagreement(counts, ("C7", "T1", "T2", "T3")) == ""  # T1's is not seen
    assert "from the first rib down C6-T2" in disagreement(counts, ("C5", "C6", "C7", "T1"))


def test_ribs_speak_against_neck_and_loins_and_their_absence_says_nothing() -> None:
    nats = landmark_evidence(bones(1000, 1000, 0, 0), DECODE)
    assert against(nats, 5) == {v.name for v in VERTEBRAE if v.region != "T"}
    assert nats[5, BY_NAME["L1"].index - 1] == -2 * DECODE.rib_weight
    assert not nats[20:].any()
    assert nats.max() <= 0


def test_right_above_a_sacrum_there_is_a_last_lumbar_vertebra_and_below_none() -> None:
    nats = landmark_evidence(bones(0, 0, 0, 0, sacrum=30), replace_rib_weight(0.0))
    assert against(nats, 24) == {v.name for v in VERTEBRAE} - {"L4", "L5", "L6"}
    assert against(nats, 15) == set()
    assert against(nats, 36) == {v.name for v in VERTEBRAE}


def replace_rib_weight(weight: float):
    return DECODE.model_copy(update={"rib_weight": weight})


def with_bones(spine: spines.Spine, said: Posterior, *, ribs: tuple[str, ...], sacrum_mm: float = 0.0) -> Posterior:
    """Ribs on both sides of the middles of some vertebrae; the lowest `sacrum_mm` of the scan hold a sacrum."""
    codes = np.zeros(spine.truth.shape, np.uint8)
    middle = spine.truth.shape[2] // 2
    for name in ribs:
        z = np.argwhere(spine.truth == BY_NAME[name].index)[:, 0]
        rows = slice(round(z.mean()) - 1, round(z.mean()) + 1)
        for aside in (-5, 4):  # 16 to 20 mm
            codes[rows, 8:14, middle + aside] = RIB_CODE
    if sacrum_mm:
        codes[: round(sacrum_mm / spine.spacing_mm), 2:12, middle - 6 : middle + 6] = SACRUM_CODE
    chance = np.stack([codes == SACRUM_CODE, codes == RIB_CODE]).reshape(2, -1)
    index = np.flatnonzero(chance.any(axis=0))
    return replace(said, landmarks=Landmarks(index, chance[:, index].T.astype(np.float16)))


@pytest.fixture(scope="module")
def loins() -> tuple[spines.Spine, Posterior]:
    """T10 to L5 over 40 mm without spine, in a field wide enough to show both sides, of a
    network that is not very sure."""
    made = spines.tube(spines.names("T10", "L5"), margin_bottom_mm=40)
    wide = np.pad(made.truth, ((0, 0), (0, 0), (6, 6)))
    spine = replace(made, truth=wide)
    return spine, spines.posterior(spine, sharp=0.8)


def decode(said: Posterior) -> Sequence:
    return decode_sequence(said, spacing_mm=4.0, decode=DECODE)[0]


def test_a_scan_whose_counts_agree_is_counted_from_both_and_not_flagged_for_it(loins) -> None:
    spine, said = loins
    found = decode(with_bones(spine, said, ribs=("T10", "T11", "T12"), sacrum_mm=40))
    assert dict(found.counts) == {SACRUM: "T10-L5", LAST_RIB: "T10-L5"}
    assert found.candidates[0].names == spine.names
    assert not found.reason.startswith("counted")


def test_a_scan_whose_counts_disagree_is_flagged_with_both(loins) -> None:
    spine, said = loins
    found = decode(with_bones(spine, said, ribs=("T10", "T11", "T12", "L1"), sacrum_mm=40))
    assert found.uncertain
    assert found.reason.startswith("counted from the sacrum up T10-L5 and from the last rib T9-L4, but the names are ")


def test_the_score_says_what_sacrum_and_ribs_speak_against(loins) -> None:
    spine, said = loins
    found = decode(with_bones(spine, said, ribs=("T10", "T11", "T12"), sacrum_mm=40))
    assert found.candidates[0].parts.landmarks == 0
    best = decode(with_bones(spine, said, ribs=("T10", "T11", "T12", "L2"), sacrum_mm=40)).candidates[0]
    assert best.names == spine.names
    assert best.parts.landmarks < -3
    assert best.score == pytest.approx(best.parts.total())


@pytest.mark.parametrize("rows", [slice(-12, None), slice(30, 42)])
def test_what_is_taken_for_a_sacrum_above_vertebrae_is_none(loins, rows: slice) -> None:
    """In a neck a jaw was; every name below it was then forbidden, and the answer was that there is no spine."""
    spine, said = loins
    wrong = with_bones(spine, said, ribs=("T10", "T11", "T12"))
    codes = np.zeros(spine.truth.shape, bool)
    codes[rows, 2:12, spine.truth.shape[2] // 2 - 6 : spine.truth.shape[2] // 2 + 6] = True
    index = np.flatnonzero(codes)
    jaw = np.stack([np.ones(len(index)), np.zeros(len(index))], axis=1).astype(np.float16)
    both = Landmarks(np.r_[wrong.landmarks.index, index], np.r_[wrong.landmarks.chance, jaw])
    found = decode(replace(wrong, landmarks=both))
    assert found.candidates[0].names == spine.names
    assert dict(found.counts) == {LAST_RIB: "T10-L5"}


def test_without_the_head_nothing_changes_and_with_an_empty_one_nothing_is_counted(loins) -> None:
    _, said = loins
    assert said.landmarks is None
    assert find_bones(said, decode_sequence(said, spacing_mm=4.0, decode=DECODE)[1], 4.0, np.zeros(9)) is None
    bare = decode(said)
    assert bare.counts == ()
    assert bare.candidates[0].parts.landmarks == 0
    other = DECODE.model_copy(update={"rib_weight": 9.0, "sacrum_weight": 9.0})
    assert decode_sequence(said, spacing_mm=4.0, decode=other)[0] == bare
    empty = replace(said, landmarks=Landmarks(np.zeros(0, np.int64), np.zeros((0, 2), np.float16)))
    assert decode(empty).counts == ()
