"""The centreline follows the spine and nothing else."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from siil.inference.centreline import find_centreline
from siil.inference.posterior import Posterior
from tests.inference import spines


def with_bone(found: Posterior, added: np.ndarray) -> Posterior:
    """The posterior with more spine voxels (bool [Z, Y, X]) that O_R falsely sees."""
    spine = np.where(added, np.float16(0.95), found.spine)
    index = np.flatnonzero(spine.reshape(-1) > 0.1)
    classes = np.full((len(index), found.classes.shape[1]), 1 / found.classes.shape[1], np.float16)
    classes[np.searchsorted(index, found.index)] = found.classes
    return replace(found, spine=spine, index=index, classes=classes)


def middle_x(line, length: float = 0.5) -> float:
    return float(line.at(np.array([length * line.length_mm]))[0, 2])


def test_straight_spine_gives_a_straight_line_of_its_own_length():
    spine = spines.tube(spines.names("T8", "L2"))
    line = find_centreline(spines.posterior(spine), 4.0)
    assert line.length_mm == pytest.approx(4 * spine.truth.shape[0], rel=0.02)
    assert np.ptp(line.points_mm[:, 2]) < 1
    assert line.points_mm[0, 0] > line.points_mm[-1, 0]  # from the head down
    assert (line.tangents[:, 0] < -0.95).all()


@pytest.mark.parametrize(("lean_deg", "tolerance_mm"), [(22.5, 3), (30, 4), (45, 8)])
def test_scoliosis_is_followed(lean_deg, tolerance_mm):
    curve = spines.scoliosis(lean_deg)
    spine = spines.tube(spines.names("T4", "L3"), curve=curve)
    line = find_centreline(spines.posterior(spine), 4.0)
    inner = line.points_mm[5:-5]
    down = inner[0, 0] + 5 * 4 - inner[:, 0] - 4  # roughly the depth below the top
    away = inner[:, 2] - curve(down)[1]
    assert np.abs(away - np.median(away)).max() < 2 * tolerance_mm
    assert np.std(away) < tolerance_mm
    leaning = np.degrees(np.arccos(np.abs(line.tangents[5:-5, 0]).min()))
    assert lean_deg * 0.75 < leaning < lean_deg + 3


def test_pelvis_beside_and_below_the_spine_does_not_attract_it():
    spine = spines.tube(spines.names("L1", "L5"), margin_bottom_mm=60)
    truth = np.pad(spine.truth, ((0, 0), (0, 0), (20, 20)))
    spine = replace(spine, truth=truth)
    found = spines.posterior(spine)
    added = np.zeros(truth.shape, bool)
    added[:20, 4:20, 2:14] = True  # two wings of iliac bone, each larger than a vertebra
    added[:20, 4:20, -14:-2] = True
    line = find_centreline(with_bone(found, added), 4.0)
    centre = truth.shape[2] * 4 / 2
    upper = line.at(np.linspace(0, 120, 20))  # to the middle of L4; below, the wings may bend it
    assert np.abs(upper[:, 2] - centre).max() < 6


def test_ribs_do_not_attract_it():
    spine = spines.tube(spines.names("T4", "T10"))
    truth = np.pad(spine.truth, ((0, 0), (0, 0), (18, 18)))
    spine = replace(spine, truth=truth)
    added = np.zeros(truth.shape, bool)
    added[10:14, 5:9, :18] = True
    added[30:34, 5:9, -18:] = True
    line = find_centreline(with_bone(spines.posterior(spine), added), 4.0)
    assert np.abs(line.points_mm[:, 2] - truth.shape[2] * 2).max() < 8


def test_a_strong_false_positive_beside_a_weak_stretch_does_not_attract_it():
    spine = spines.tube(spines.names("T3", "T12"))
    truth = np.pad(spine.truth, ((0, 0), (0, 0), (18, 18)))
    found = spines.posterior(replace(spine, truth=truth))
    weak = found.spine.copy()
    weak[20:36] = np.minimum(weak[20:36], np.float16(0.15))
    added = np.zeros(truth.shape, bool)
    added[22:34, 5:13, 2:10] = True
    line = find_centreline(with_bone(replace(found, spine=weak), added), 4.0)
    assert np.abs(line.points_mm[:, 2] - truth.shape[2] * 2).max() < 8


def test_a_gap_of_40_mm_is_bridged_straight():
    spine = spines.tube(spines.names("T6", "L1"))
    truth = spine.truth.copy()
    truth[15:25] = 0
    line = find_centreline(spines.posterior(replace(spine, truth=truth)), 4.0)
    assert np.ptp(line.points_mm[:, 2]) < 3
    assert np.ptp(line.points_mm[:, 1]) < 10


def test_project_finds_the_cross_section_of_a_point_beside_the_line():
    spine = spines.tube(spines.names("T4", "L3"), curve=spines.scoliosis(40))
    line = find_centreline(spines.posterior(spine), 4.0)
    lengths = np.linspace(40, line.length_mm - 40, 15)
    aside = np.cross(line.direction(lengths), [0, 1, 0])
    aside /= np.linalg.norm(aside, axis=1, keepdims=True)
    found, offset = line.project(line.at(lengths) + 25 * aside)
    assert np.abs(found - lengths).max() < 1.5
    assert np.linalg.norm(offset, axis=1) == pytest.approx(25, abs=0.5)


def test_no_spine_gives_no_line():
    spine = spines.Spine(np.zeros((8, 8, 8), np.uint8), (), 4.0)
    found = spines.posterior(spines.tube(["L1"]))
    empty = replace(
        found, spine=np.zeros((8, 8, 8), np.float16), index=np.zeros(0, np.int64), classes=found.classes[:0]
    )
    assert find_centreline(empty, spine.spacing_mm) is None
