"""A vertebra of which only processes are in the scan gets its level; others and unsure ones do not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from siil import config
from siil.anatomy import BY_INDEX, BY_NAME
from siil.config.schema.inference import Inference
from siil.inference.assign import _meaning
from siil.inference.enumeration import Level, Sequence
from siil.inference.fuse import raw_labels
from siil.inference.hanging import _without_sliver
from siil.inference.predict_case import decode_labels
from siil.inference.sequence import decode_sequence
from tests.inference import spines

SHIPPED = config.resolve("demo").inference
OTHER_DOUBTS = {"uncertain_below": 0, "uncertain_margin": 0.0, "uncertain_renamed": 1.0}
SETTINGS = SHIPPED.model_copy(update={"decode": SHIPPED.decode.model_copy(update=OTHER_DOUBTS)})
"""Nothing but an unusual answer is uncertain."""


def scene(name: str, *, top: bool = True, levels: tuple[str, ...] = ("T12", "L1", "L2")) -> spines.Spine:
    """`levels` from border to border; the processes in the outermost slices belong to `name`."""
    spine = spines.tube(levels, cut_top=0.2, cut_bottom=0.4)
    truth = spine.truth.copy()
    outer = truth[-4:, 13:] if top else truth[:4, 13:]
    outer[outer > 0] = BY_NAME[name].index
    return replace(spine, truth=truth)


def decoded(spine: spines.Spine, *, inference: Inference = SETTINGS, **options) -> tuple[np.ndarray, Sequence]:
    posterior = spines.posterior(spine, **options)
    raw = raw_labels(posterior, threshold=0.5)
    labels, sequence, _ = decode_labels(posterior, raw, spacing_mm=4.0, inference=inference)
    return labels, sequence


def found(spine: spines.Spine, **options) -> tuple[list[str], np.ndarray]:
    labels, _ = decoded(spine, **options)
    return [BY_INDEX[k].name for k in np.unique(labels) if k], labels


def test_processes_of_the_vertebra_above_the_border_keep_their_name():
    spine = scene("T11")
    names, labels = found(spine, sharp=0.3)
    assert names == ["T11", "T12", "L1", "L2"]
    assert spines.identified(spine, labels) == 1


def test_processes_of_the_vertebra_below_the_border_keep_their_name():
    spine = scene("L3", top=False)
    names, labels = found(spine, sharp=0.3)
    assert names == ["T12", "L1", "L2", "L3"]
    assert spines.identified(spine, labels) == 1


def test_processes_that_come_into_view_apart_from_each_other_are_one_vertebra():
    spine = scene("T11")
    truth = spine.truth.copy()
    middle = truth.shape[2] // 2
    truth[-4:, 13:, middle - 1 : middle + 1] = 0
    spine = replace(spine, truth=truth)
    _, labels = found(spine, sharp=0.3)
    t11 = BY_NAME["T11"].index
    for half in (slice(None, middle), slice(middle, None)):
        assert (labels[:, :, half] == t11).sum() > 0.5 * (truth[:, :, half] == t11).sum() > 0


@pytest.mark.parametrize(
    ("top", "levels", "next_one", "said"),
    [
        (True, ("T12", "L1", "L2"), "T11", "T10"),
        (True, ("L1", "L2", "L3"), "T12", "T11"),
        (True, ("L2", "L3", "L4"), "L1", "T12"),
        (False, ("T12", "L1", "L2"), "L3", "L4"),
        (False, ("T9", "T10", "T11"), "T12", "L1"),
        (False, ("L2", "L3", "L4"), "L5", "L6"),
    ],
)
def test_processes_that_the_network_calls_a_level_too_far_are_of_the_next(top, levels, next_one, said):
    spine = scene(next_one, top=top, levels=levels)
    too_far = np.where(spine.truth == BY_NAME[next_one].index, BY_NAME[said].index, spine.truth)
    names, labels = found(spine, says=too_far, sharp=0.5)
    assert names == sorted([*levels, next_one], key=lambda name: BY_NAME[name].index)
    assert spines.identified(spine, labels) == 1


def test_of_two_levels_without_length_only_the_outer_one_takes_what_is_called_too_far():
    spine = spines.tube(["L1", "L2", "L3"], cut_top=0.2)
    posterior = spines.posterior(spine, sharp=0.3)
    _, centreline, evidence = decode_sequence(posterior, spacing_mm=4.0, decode=SETTINGS.decode)
    assert centreline is not None
    assert evidence is not None
    levels = tuple(
        Level(BY_NAME[name].index, start, stop, 1.0, cut=True, expected_mm=30.0, network=BY_NAME[name].index)
        for name, start, stop in (("T12", 0, 0), ("L1", 0, 0), ("L2", 0, 32), ("L3", 32, 62))
    )
    meaning = _meaning(levels, evidence)
    assert meaning[BY_NAME["T11"].index].tolist() == [1, 0, 0, 0]
    assert meaning[BY_NAME["T12"].index].tolist() == [1, 0, 0, 0]
    assert meaning[BY_NAME["L1"].index].tolist() == [0, 1, 0, 0]
    assert meaning[BY_NAME["L2"].index, :2].tolist() == [0, 0]


@pytest.mark.parametrize(("name", "top"), [("T9", True), ("L5", False)])
def test_processes_of_a_label_that_does_not_follow_are_not_believed(name, top):
    assert found(scene(name, top=top))[0] == ["T12", "L1", "L2"]


def test_processes_that_hang_far_below_a_sliver_at_the_border_are_the_slivers():
    spine = spines.tube(["T12", "L1", "L2", "L3"], cut_top=0.9)
    truth = spine.truth.copy()
    hanging = truth[-7:, 13:]
    hanging[hanging > 0] = BY_NAME["T12"].index
    spine = replace(spine, truth=truth)
    names, labels = found(spine, sharp=0.3)
    assert names == ["T12", "L1", "L2", "L3"]
    right = (labels == BY_NAME["T12"].index) & (truth == BY_NAME["T12"].index)
    assert right.sum() > 0.8 * (truth == BY_NAME["T12"].index).sum()


def test_a_sliver_that_no_voxel_is_named_after_is_its_neighbours():
    spine = spines.tube(["T12", "L1", "L2", "L3"], cut_top=0.9)
    unaware = np.where(spine.truth == BY_NAME["T12"].index, BY_NAME["L1"].index, spine.truth)
    assert found(spine, sharp=0.3)[0] == ["T12", "L1", "L2", "L3"]
    assert found(spine, says=unaware, sharp=0.3)[0] == ["L1", "L2", "L3"]


def test_above_a_sliver_the_processes_of_the_next_keep_their_name():
    spine = spines.tube(["L1", "L2", "L3", "L4"], cut_top=0.88)
    truth = spine.truth.copy()
    outer = truth[-4:, 13:]
    outer[outer > 0] = BY_NAME["T12"].index
    names, _ = found(replace(spine, truth=truth), sharp=0.3)
    assert names == ["T12", "L1", "L2", "L3", "L4"]


@pytest.mark.parametrize(
    ("levels", "ends", "ordinary"),
    [
        (["L3", "L4", "L5", "L6"], {"cut_bottom": 0.93}, ["L3", "L4", "L5"]),
        (["T11", "L1", "L2", "L3"], {"cut_top": 0.9}, ["T12", "L1", "L2", "L3"]),
    ],
)
def test_a_sliver_makes_no_rare_anatomy_that_the_scan_cannot_show(levels, ends, ordinary):
    assert found(spines.tube(levels, **ends), sharp=0.3)[0] == ordinary


def test_a_sliver_of_an_l6_stays_where_its_voxels_are_sure_and_is_flagged():
    free = SETTINGS.decode.model_copy(update={"prior_l6": 0.0})
    spine = spines.tube(["T12", "L1", "L2", "L3", "L4", "L5", "L6"], cut_bottom=0.9)
    labels, sequence = decoded(spine, inference=SETTINGS.model_copy(update={"decode": free}), sharp=0.3)
    assert "L6" in [BY_INDEX[k].name for k in np.unique(labels) if k]
    assert "unusual" in sequence.reason


@pytest.mark.parametrize(("top", "levels"), [(True, ("L1", "L2", "L3")), (False, ("T10", "T11", "T12"))])
def test_nothing_hangs_in_as_a_t13(top, levels):
    assert found(scene("T13", top=top, levels=levels), sharp=0.3)[0] == list(levels)


def test_the_confidence_of_a_sliver_is_that_of_its_name():
    spine = spines.tube(["T12", "L1", "L2", "L3"], cut_top=0.9)
    torn = spines.posterior(spine, sharp=0.3)
    t12, t10 = BY_NAME["T12"].index, BY_NAME["T10"].index
    classes = torn.classes.copy()
    mine = classes.argmax(axis=1) == t12
    classes[mine, t10], classes[mine, t12] = 0.4 * classes[mine, t12], 0.6 * classes[mine, t12]
    torn = replace(torn, classes=classes)
    _, sequence, _ = decode_labels(torn, raw_labels(torn, threshold=0.5), spacing_mm=4.0, inference=SETTINGS)
    assert sequence.levels[0].index == t12
    assert 0.5 < sequence.levels[0].confidence < 0.65


def test_beside_a_dropped_sliver_a_short_vertebra_counts_as_cut():
    t12, l1 = BY_NAME["T12"].index, BY_NAME["L1"].index
    sliver = Level(t12, 0.0, 2.0, 1.0, cut=True, expected_mm=30.0, network=t12)
    short = Level(l1, 2.0, 22.0, 1.0, cut=False, expected_mm=30.0, network=l1)
    (merged,) = _without_sliver((sliver, short))
    assert (merged.start_mm, merged.stop_mm, merged.cut) == (0.0, 22.0, True)


def test_an_unsure_network_adds_nothing():
    assert found(scene("T11"), sharp=1.2)[0] == ["T12", "L1", "L2"]
