"""A vertebra of which only processes are in the scan gets its level; others and unsure ones do not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from siil import config
from siil.anatomy import BY_INDEX, BY_NAME
from siil.inference.fuse import raw_labels
from siil.inference.predict_case import decode_labels
from tests.inference import spines

SETTINGS = config.resolve("demo").inference


def scene(name: str, *, top: bool = True) -> spines.Spine:
    """T12 to L2 from border to border; the processes in the outermost slices belong to `name`."""
    spine = spines.tube(["T12", "L1", "L2"], cut_top=0.2, cut_bottom=0.4)
    truth = spine.truth.copy()
    outer = truth[-4:, 13:] if top else truth[:4, 13:]
    outer[outer > 0] = BY_NAME[name].index
    return replace(spine, truth=truth)


def found(spine: spines.Spine, **options) -> tuple[list[str], np.ndarray]:
    posterior = spines.posterior(spine, **options)
    raw = raw_labels(posterior, threshold=0.5)
    labels, _, _ = decode_labels(posterior, raw, spacing_mm=4.0, inference=SETTINGS)
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


def test_processes_of_a_label_that_does_not_follow_are_not_believed():
    assert found(scene("T9"))[0] == ["T12", "L1", "L2"]


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
    spine = spines.tube(["T12", "L1", "L2", "L3"], cut_top=0.88)
    truth = spine.truth.copy()
    outer = truth[-4:, 13:]
    outer[outer > 0] = BY_NAME["T11"].index
    names, _ = found(replace(spine, truth=truth), sharp=0.3)
    assert names == ["T11", "T12", "L1", "L2", "L3"]


def test_an_unsure_network_adds_nothing():
    assert found(scene("T11"), sharp=1.2)[0] == ["T12", "L1", "L2"]
