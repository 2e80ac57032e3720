"""The straightened sagittal picture, on lines whose place is known."""

from __future__ import annotations

import numpy as np
import pytest

from siil.inference.centreline import Centreline, find_centreline
from siil.report.straight import STEP_MM, sagittal_sites, sample
from tests.inference import spines


def line(points: list[tuple[float, float, float]]) -> Centreline:
    sites = np.array(points, float)
    steps = np.diff(sites, axis=0)
    lengths = np.linalg.norm(steps, axis=1)
    tangents = np.vstack([steps / lengths[:, None], steps[-1:] / lengths[-1:, None]])
    return Centreline(sites, tangents, np.concatenate([[0], np.cumsum(lengths)]))


def test_a_vertical_line_gives_the_plane_through_it() -> None:
    sites = sagittal_sites(line([(30, 12, 7), (0, 12, 7)]), front_mm=6, back_mm=3)
    assert sites.shape == (30, 9, 3)
    assert sites[0, 0] == pytest.approx([0.5, 6, 7])  # the lowest row, the front
    assert sites[-1, -1] == pytest.approx([29.5, 12 - 6 + 8 * STEP_MM, 7])


def test_a_line_that_leans_to_the_side_is_followed_and_one_that_leans_forward_is_cut_across() -> None:
    aside = sagittal_sites(line([(30, 12, 0), (0, 12, 30)]), front_mm=3, back_mm=3)
    assert aside[..., 2] == pytest.approx(30 - aside[..., 0])
    assert len(aside) == pytest.approx(30 * np.sqrt(2) / STEP_MM, abs=1)
    forward = sagittal_sites(line([(40, 0, 5), (0, 40, 5)]), front_mm=3, back_mm=3)
    across = forward[5, -1] - forward[5, 0]
    assert across / np.linalg.norm(across) == pytest.approx([np.sqrt(0.5), np.sqrt(0.5), 0])


def test_samples_are_taken_at_voxel_centres_and_outside_is_said() -> None:
    volume = np.arange(8).reshape(2, 2, 2) * 10
    sites = np.array([[1.5, 1.5, 1.5], [4.5, 4.5, 4.5], [1.5, 1.5, 3.0], [-9.0, 0, 0]])
    assert sample(volume, sites, spacing_mm=3.0, smooth=True, outside=-1000).tolist() == [0, 70, 5, -1000]
    assert sample(volume, sites[:2], spacing_mm=3.0, smooth=False, outside=0).tolist() == [0, 70]


def test_a_scoliotic_spine_is_straight_in_the_picture() -> None:
    spine = spines.tube(spines.names("T4", "L5"), curve=spines.scoliosis(40))
    found = find_centreline(spines.posterior(spine), spine.spacing_mm)
    assert found is not None
    sites = sagittal_sites(found, front_mm=40, back_mm=50)
    picture = sample(spine.truth, sites, spacing_mm=spine.spacing_mm, smooth=False, outside=0)
    assert picture[10:-10].any(axis=1).mean() > 0.95  # every row holds spine, where a plane loses it
    assert spine.truth[:, :, spine.truth.shape[2] // 2].any(axis=1).mean() < 0.8
    order = [int(row.max()) for row in picture if row.any()]
    assert (np.diff(order) <= 0).all()  # from the foot end up, names only fall
