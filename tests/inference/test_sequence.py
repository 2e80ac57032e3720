"""Whole-scan decoding on constructed evidence with a known answer."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import pytest

from siil import config
from siil.anatomy import BY_INDEX, BY_NAME, CLASSES
from siil.inference.assign import assign, one_component_each
from siil.inference.enumeration import span
from siil.inference.evidence import gather_evidence
from siil.inference.fuse import raw_labels
from siil.inference.sequence import decode_sequence
from tests.inference import spines
from tests.inference.test_centreline import with_bone

SHIPPED = config.resolve("demo").inference.decode.model_copy(update={"uncertain_margin": 2.0})
"""With a margin for evidence made by hand, not for the weights that ship."""
DECODE = SHIPPED.model_copy(update={"uncertain_below": 0, "uncertain_unusual": False})
"""What the evidence says, also of fewer vertebrae and rarer ones than the configuration trusts."""


def decode(posterior, spacing_mm=4.0, settings=DECODE):
    """Sequence, labels, and the names that own voxels."""
    sequence, _, evidence = decode_sequence(posterior, spacing_mm=spacing_mm, decode=settings)
    if evidence is None or not sequence.levels:
        return sequence, np.zeros(posterior.spine.shape, np.uint8), ()
    labels = assign(posterior, evidence, sequence, threshold=0.5, distance_mm=settings.distance_mm)
    labels = one_component_each(labels, min_voxels=3)
    present = np.unique(labels)
    return sequence, labels, tuple(BY_INDEX[k].name for k in present if k)


def shifted(spine: spines.Spine, *, below_share: float, by: int) -> np.ndarray:
    """What a network says that is off by `by` in the lower part of the scan."""
    says = spine.truth.astype(np.int64)
    last = round(below_share * len(says))
    part = says[:last]
    part[part > 0] = np.clip(part[part > 0] + by, 1, CLASSES - 1)
    return says.astype(np.uint8)


WHOLE = [
    ("cervical", spines.names("C1", "T4"), {"margin_top_mm": 30.0, "cut_bottom": 0.4}),
    ("thoracic", spines.names("T4", "T12"), {"cut_top": 0.5, "cut_bottom": 0.3}),
    ("lumbar", spines.names("T11", "L5"), {"cut_top": 0.5, "margin_bottom_mm": 50.0}),
    ("small patient", spines.names("T8", "L5"), {"scale": 0.82, "cut_top": 0.3, "margin_bottom_mm": 40.0}),
    ("tall patient", spines.names("T8", "L4"), {"scale": 1.25, "cut_top": 0.3, "cut_bottom": 0.6}),
    ("scoliosis", spines.names("T1", "L5"), {"curve": spines.scoliosis(22.5), "margin_bottom_mm": 20.0}),
    ("leaning 45 degrees", spines.names("T3", "L5"), {"curve": spines.scoliosis(45), "margin_bottom_mm": 20.0}),
    ("with T13", [*spines.names("C6", "T12"), "T13", *spines.names("L1", "L5")], {"margin_bottom_mm": 30.0}),
    ("with L6", [*spines.names("T11", "L5"), "L6"], {"margin_bottom_mm": 30.0}),
    ("with four lumbar", spines.names("T9", "L4"), {"cut_top": 0.4, "margin_bottom_mm": 60.0}),
    ("without T12", [*spines.names("C5", "T11"), *spines.names("L1", "L3")], {"cut_top": 0.4, "cut_bottom": 0.4}),
    (
        "with T13 and L6",
        [*spines.names("C5", "T12"), "T13", *spines.names("L1", "L5"), "L6"],
        {"margin_bottom_mm": 30.0},
    ),
    (
        "without T12, with L6",
        [*spines.names("C6", "T11"), *spines.names("L1", "L5"), "L6"],
        {"margin_bottom_mm": 30.0},
    ),
    ("from the skull", ["C1", "C2"], {"margin_top_mm": 30.0, "cut_bottom": 0.5}),
    ("two of the neck", ["C6", "C7"], {"cut_top": 0.3, "cut_bottom": 0.3}),
    ("one of the chest", ["T6"], {}),
    ("one whole", ["L3"], {}),
    ("one cut at both ends", ["L2"], {"cut_top": 0.2, "cut_bottom": 0.2}),
    ("two cut", ["T11", "T12"], {"cut_top": 0.5, "cut_bottom": 0.4}),
    ("three", ["L2", "L3", "L4"], {"cut_top": 0.6, "cut_bottom": 0.6}),
]


@pytest.mark.parametrize(("levels", "options"), [case[1:] for case in WHOLE], ids=[case[0] for case in WHOLE])
def test_clean_evidence_is_decoded_as_it_is(levels, options):
    spine = spines.tube(levels, **options)
    sequence, labels, names = decode(spines.posterior(spine))
    assert names == tuple(levels)
    assert spines.identified(spine, labels) == 1
    assert not sequence.uncertain
    wrong = (labels != spine.truth) & (spine.truth > 0)
    assert wrong.sum() / (spine.truth > 0).sum() < 0.05


@pytest.mark.parametrize(
    ("levels", "options"),
    [case[1:] for case in WHOLE if case[0] in ("cervical", "lumbar", "scoliosis", "with T13", "with L6", "three")],
)
def test_fragments_of_neighbouring_labels_are_put_right(levels, options):
    spine = spines.tube(levels, **options)
    found = spines.posterior(spine, error=0.6, sharp=0.7, correlation_mm=20, spine_noise=1, seed=1)
    _, labels, names = decode(found)
    raw = raw_labels(found, threshold=0.5)
    agree = [(grid == spine.truth)[spine.truth > 0].mean() for grid in (raw, labels)]
    assert names == tuple(levels)
    assert agree[0] < 0.85
    assert agree[1] > max(agree[0], 0.8)


@pytest.mark.parametrize(
    ("levels", "cut", "few"),
    [
        (["L3"], 0.0, True),
        (["L2", "L3"], 0.0, True),
        (["L2", "L3", "L4"], 0.6, True),
        (["L2", "L3", "L4"], 0.0, False),
        (["L1", "L2", "L3", "L4"], 0.0, False),
    ],
)
def test_fewer_than_three_well_visible_vertebrae_are_flagged_however_sure_the_network_is(levels, cut, few):
    spine = spines.tube(levels, cut_top=cut, cut_bottom=cut)
    sequence, _, names = decode(spines.posterior(spine), settings=SHIPPED)
    assert names == tuple(levels)
    assert sequence.uncertain == few
    assert ("too few to count by" in sequence.reason) == few


@pytest.mark.parametrize("levels", [["C4"], ["T6"], ["C6", "C7"], ["L4", "L5"], ["T8", "T9", "T10"]])
def test_few_vertebrae_from_an_unsure_network_are_right_or_flagged(levels):
    spine = spines.tube(levels, cut_top=0.3, cut_bottom=0.2)
    for seed in range(6):  # blobs of 30 mm that are off by a half: a vertebra's evidence is one such blob
        found = spines.posterior(spine, error=0.4, sharp=0.7, correlation_mm=30, spine_noise=1, seed=seed)
        sequence, _, names = decode(found)
        assert names == spine.names or sequence.uncertain
    if len(levels) > 1:  # half a vertebra of the neck is too little to be sure of, however sharp
        assert not decode(spines.posterior(spine))[0].uncertain


def test_decoding_beats_the_network_alone_on_strong_noise():
    raws, decoded = [], []
    for seed in range(6):
        spine = spines.tube(spines.names("T6", "L5"), cut_top=0.4, margin_bottom_mm=30)
        found = spines.posterior(spine, error=0.9, sharp=0.8, correlation_mm=30, spine_noise=1, seed=seed)
        raws.append(spines.identified(spine, raw_labels(found, threshold=0.5)))
        decoded.append(spines.identified(spine, decode(found)[1]))
    assert np.mean(raws) < 0.75
    assert np.mean(decoded) > 0.9


@pytest.mark.parametrize("by", [-1, 1])
def test_a_shift_by_one_over_the_smaller_part_of_the_scan_is_mended(by):
    spine = spines.tube(spines.names("T3", "T12"), cut_top=0.5, cut_bottom=0.5)
    found = spines.posterior(spine, says=shifted(spine, below_share=0.3, by=by))
    sequence, labels, names = decode(found)
    assert names == spine.names
    assert spines.identified(spine, labels) == 1
    assert spines.identified(spine, raw_labels(found, threshold=0.5)) < 0.8
    assert sequence.candidates[1].changes


@pytest.mark.parametrize("by", [-1, 1])
def test_a_shift_by_one_over_half_of_the_scan_is_right_or_flagged(by):
    spine = spines.tube(spines.names("T2", "T9"))
    found = spines.posterior(spine, says=shifted(spine, below_share=0.55, by=by))
    sequence, labels, names = decode(found)
    assert names == spine.names or sequence.uncertain
    owned = [np.unique(labels[spine.truth == k]).tolist() for k in np.unique(spine.truth) if k]
    assert len(names) == len(owned)  # consecutive labels, one per vertebra, whichever half was believed


def test_the_sacrum_below_tells_which_half_is_right():
    spine = spines.tube(spines.names("T10", "L5"), margin_bottom_mm=50)
    says = shifted(spine, below_share=0.62, by=-1)  # the lumbar part is called T12-L4 with more than half of the scan
    sequence, _, names = decode(spines.posterior(spine, says=says, sharp=0.9))
    assert names == spine.names or sequence.uncertain


def test_a_vertebra_that_the_network_leaves_out_keeps_its_number():
    spine = spines.tube(spines.names("T5", "L2"), cut_top=0.4, cut_bottom=0.4)
    gone = spine.truth == BY_NAME["T9"].index
    found = spines.posterior(replace(spine, truth=np.where(gone, 0, spine.truth).astype(np.uint8)), says=spine.truth)
    _, labels, names = decode(found)
    assert names == tuple(name for name in spine.names if name != "T9")
    assert spines.identified(replace(spine, truth=np.where(gone, 0, spine.truth)), labels) == 1


def test_pelvis_that_o_r_takes_for_spine_is_no_vertebra():
    spine = spines.tube(spines.names("L1", "L5"), margin_bottom_mm=60)
    truth = np.pad(spine.truth, ((0, 0), (0, 0), (20, 20)))
    spine = replace(spine, truth=truth)
    added = np.zeros(truth.shape, bool)
    added[:20, 4:20, 2:14] = added[:20, 4:20, -14:-2] = True
    _, labels, names = decode(with_bone(spines.posterior(spine), added))
    assert names == spine.names
    assert spines.identified(spine, labels) == 1
    assert not labels[added].any()


def test_spine_that_goes_on_without_a_name_is_flagged():
    spine = spines.tube([*spines.names("T8", "L5"), "L6"], margin_bottom_mm=30)
    l5, l6 = BY_NAME["L5"].index, BY_NAME["L6"].index
    unaware = np.where(spine.truth == l6, l5, spine.truth)  # as of a network that never met an L6
    blind = DECODE.model_copy(update={"prior_l6": -100.0})
    sequence, *_ = decode(spines.posterior(spine, says=unaware), settings=blind)
    assert sequence.candidates[0].names[-1] == "L5"
    assert sequence.uncertain
    assert "the spine goes on below L5" in sequence.reason
    sequence, *_ = decode(spines.posterior(spine))
    assert "goes on" not in sequence.reason


@pytest.mark.parametrize("first", ["C1", "T8", "T12"])
def test_a_sixth_lumbar_vertebra_that_the_network_calls_the_fifth_gets_a_name_of_its_own(first):
    spine = spines.tube([*spines.names(first, "L5"), "L6"], margin_bottom_mm=30)
    l5, l6 = BY_NAME["L5"].index, BY_NAME["L6"].index
    unaware = np.where(spine.truth == l6, l5, spine.truth)
    sequence, labels, names = decode(spines.posterior(spine, says=unaware, sharp=0.3), settings=SHIPPED)
    assert names == spine.names
    assert (labels[spine.truth == l6] == l6).mean() > 0.8
    assert sequence.uncertain


@pytest.mark.parametrize("cut", [0.1, 0.2, 0.3])
@pytest.mark.parametrize("first", ["T8", "T12"])
def test_an_answer_is_flagged_where_the_border_cuts_a_sixth_lumbar_vertebra(first, cut):
    spine = spines.tube([*spines.names(first, "L5"), "L6"], cut_bottom=cut)
    unaware = np.where(spine.truth == BY_NAME["L6"].index, BY_NAME["L5"].index, spine.truth)
    for sharp in (0.2, 0.3, 0.5):
        sequence, *_ = decode(spines.posterior(spine, says=unaware, sharp=sharp), settings=SHIPPED)
        assert sequence.uncertain


@pytest.mark.parametrize("first", ["L1", "L2"])
def test_where_a_sixth_lumbar_vertebra_cannot_be_counted_the_others_keep_the_names_that_the_network_is_sure_of(first):
    spine = spines.tube([*spines.names(first, "L5"), "L6"], margin_bottom_mm=30)
    unaware = np.where(spine.truth == BY_NAME["L6"].index, BY_NAME["L5"].index, spine.truth)
    sequence, _, names = decode(spines.posterior(spine, says=unaware, sharp=0.3), settings=SHIPPED)
    assert names == tuple(spines.names(first, "L5"))
    assert sequence.uncertain


def test_above_c1_there_is_only_the_skull():
    spine = spines.tube(spines.names("C1", "T3"), margin_top_mm=40)
    added = np.zeros(spine.truth.shape, bool)
    top = int(np.flatnonzero((spine.truth > 0).any(axis=(1, 2))).max())
    added[top + 1 : top + 8] = (spine.truth > 0)[top - 6 : top + 1].any(axis=0)
    unaware = np.where(added, BY_NAME["C1"].index, spine.truth).astype(np.uint8)
    sequence, *_ = decode(with_bone(spines.posterior(spine, says=unaware), added))
    assert sequence.candidates[0].names[0] == "C1"
    assert "goes on" not in sequence.reason


@pytest.mark.parametrize(
    ("levels", "least"), [(("C1", "T2"), "uncertain_margin_c1"), (("C3", "T4"), "uncertain_margin")]
)
def test_where_c1_is_in_view_less_margin_is_enough(levels, least):
    spine = spines.tube(spines.names(*levels), margin_top_mm=20)
    both = {"uncertain_margin": 0.0, "uncertain_margin_c1": 0.0, "uncertain_renamed": 1.0}
    free, *_ = decode(spines.posterior(spine), settings=DECODE.model_copy(update=both))
    assert free.margin is not None
    strict = DECODE.model_copy(update={**both, least: free.margin + 1})
    sequence, *_ = decode(spines.posterior(spine), settings=strict)
    assert "nats behind" in sequence.reason
    other = {"uncertain_margin", "uncertain_margin_c1"} - {least}
    lax = DECODE.model_copy(update={**both, other.pop(): free.margin + 1})
    sequence, *_ = decode(spines.posterior(spine), settings=lax)
    assert "nats behind" not in sequence.reason


@pytest.mark.parametrize("spacing_mm", [3.0, 4.0])
@pytest.mark.parametrize("sharp", [0.5, 0.7])
def test_no_fifth_lumbar_vertebra_is_made_of_the_processes_of_a_fourth_and_its_absence_is_flagged(spacing_mm, sharp):
    spine = spines.tube(spines.names("T8", "L4"), margin_bottom_mm=60, spacing_mm=spacing_mm)
    sequence, _, names = decode(spines.posterior(spine, sharp=sharp), spacing_mm=spacing_mm, settings=SHIPPED)
    assert names == spine.names
    assert "four lumbar" in sequence.reason
    whole = spines.tube(spines.names("T8", "L5"), margin_bottom_mm=60, spacing_mm=spacing_mm)
    sequence, _, names = decode(spines.posterior(whole, sharp=sharp), spacing_mm=spacing_mm, settings=SHIPPED)
    assert names == whole.names
    assert not sequence.uncertain


def test_an_end_in_view_that_the_network_calls_by_its_neighbours_name_is_flagged():
    spine = spines.tube(spines.names("T8", "L5"), margin_bottom_mm=60)
    unaware = np.where(spine.truth == BY_NAME["L5"].index, BY_NAME["L4"].index, spine.truth)
    sequence, *_ = decode(spines.posterior(spine, says=unaware))
    assert sequence.candidates[0].names[-1] == "L5"  # where spines end
    assert "sees no L5" in sequence.reason


@pytest.mark.parametrize(
    "levels",
    [
        [*spines.names("C6", "T12"), "T13", "L1", "L2"],
        ["T12", *spines.names("L1", "L5"), "L6"],
        [*spines.names("C6", "T11"), "L1", "L2"],
    ],
)
def test_an_unusual_answer_is_flagged_however_sure_the_network_is(levels):
    spine = spines.tube(levels, margin_bottom_mm=30 if levels[-1] == "L6" else 0)
    assert not decode(spines.posterior(spine))[0].uncertain
    sequence, _, names = decode(spines.posterior(spine), settings=SHIPPED)
    assert names == tuple(levels)
    assert "the answer is unusual" in sequence.reason


def test_reversed_garbage_is_flagged_or_of_low_confidence():
    spine = spines.tube(spines.names("T4", "L2"))
    says = np.where(spine.truth > 0, 28 - spine.truth.astype(int), 0).astype(np.uint8)
    sequence, labels, names = decode(spines.posterior(spine, says=says))
    indices = [BY_NAME[name].index for name in names]
    assert indices == sorted(indices)
    assert sequence.uncertain or min(level.confidence for level in sequence.levels) < 0.6
    assert (labels > 0).sum() <= (spine.truth > 0).sum() * 1.05


def test_random_labels_are_flagged():
    spine = spines.tube(spines.names("T6", "T12"))
    found = spines.posterior(spine)
    flat = np.full(found.classes.shape, 1 / CLASSES, np.float16)
    sequence, _, _ = decode(replace(found, classes=flat))
    assert sequence.uncertain
    assert sequence.reason


def test_empty_scan_and_scattered_specks_give_no_vertebra():
    found = spines.posterior(spines.tube(["L1"]))
    empty = replace(found, spine=np.zeros_like(found.spine), index=found.index[:0], classes=found.classes[:0])
    sequence, labels, names = decode(empty)
    assert (names, labels.any(), sequence.uncertain) == ((), False, True)
    speck = np.zeros_like(found.spine)
    speck[5, 5, 5] = 0.9
    specks = replace(found, spine=speck, index=np.flatnonzero(speck.reshape(-1)), classes=found.classes[:1])
    assert decode(specks)[2] == ()


def test_t13_and_l6_need_evidence_against_their_prior():
    spine = spines.tube(spines.names("T10", "L5"), margin_bottom_mm=30)
    unsure = spines.posterior(spine, sharp=1.2)
    assert decode(unsure)[2] == spine.names


def test_the_rest_of_a_long_l5_at_the_border_is_no_l6_but_an_l6_that_the_network_sees_is():
    spine = spines.tube([*spines.names("T12", "L5"), "L6"], cut_bottom=0.5)
    l5, l6 = BY_NAME["L5"].index, BY_NAME["L6"].index
    long = replace(spine, truth=np.where(spine.truth == l6, l5, spine.truth))
    assert decode(spines.posterior(long))[0].candidates[0].names[-1] == "L5"
    assert decode(spines.posterior(spine))[0].candidates[0].names[-1] == "L6"


def test_cut_ends_are_told_from_complete_ones():
    spine = spines.tube(spines.names("T10", "L3"), cut_top=0.5, margin_bottom_mm=40)
    sequence, _, _ = decode(spines.posterior(spine))
    seen = {BY_INDEX[level.index].name: level.cut for level in sequence.levels}
    assert seen["T10"]
    assert not seen["T11"]
    assert sequence.below


def test_rivals_are_named_with_their_changes_and_scores():
    spine = spines.tube(spines.names("T12", "L4"), cut_top=0.5, cut_bottom=0.5)
    sequence, _, _ = decode(spines.posterior(spine, sharp=1.0))
    best, *rivals = sequence.candidates
    assert span(best.names) == "T12-L4"
    assert len(rivals) >= 3
    assert [r.score for r in rivals] == sorted((r.score for r in rivals), reverse=True)
    assert sequence.margin == pytest.approx(best.score - rivals[0].score)
    assert any(change.startswith("L2 as ") for rival in rivals for change in rival.changes)


def test_confidence_falls_with_the_evidence():
    spine = spines.tube(spines.names("T8", "L1"))
    sure, unsure = (decode(spines.posterior(spine, sharp=s))[0] for s in (0.5, 4.0))
    assert min(level.confidence for level in sure.levels) > 0.95
    assert np.mean([level.confidence for level in unsure.levels]) < 0.8


def test_evidence_counts_missing_spine_as_nothing():
    spine = spines.tube(["L2", "L3"], margin_top_mm=30)
    found = spines.posterior(spine)
    sequence, line, evidence = decode_sequence(found, spacing_mm=4.0, decode=DECODE)
    assert np.abs(evidence.share.sum(axis=1) - 1).max() < 1e-5
    assert evidence.share[:10, 0].min() > 0.9
    assert evidence.share[20, BY_NAME["L2"].index] > 0.7
    again = gather_evidence(found, line, 4.0)
    assert (again.log_share == evidence.log_share).all()
    assert sequence.above


def test_decoding_500_slices_takes_less_than_a_second():
    spine = spines.tube(spines.names("C1", "L5"), spacing_mm=1.5 * 1.2, margin_bottom_mm=30)
    truth = np.repeat(spine.truth, 2, axis=0)[:500] if len(spine.truth) < 500 else spine.truth[:500]
    found = spines.posterior(replace(spine, truth=truth))
    begin = time.process_time()
    decode_sequence(found, spacing_mm=1.5, decode=DECODE)
    assert time.process_time() - begin < 3.0  # 0.5 s when the machine is quiet


def test_span_names_what_is_unusual():
    assert span(()) == "nothing"
    assert span(("L3",)) == "L3"
    assert span(("T11", "L1", "L2")) == "T11-L2 (without T12)"
    assert span(("T12", "T13", "L1", "L2", "L3", "L4", "L5", "L6")) == "T12-L6 (with T13, with L6)"
