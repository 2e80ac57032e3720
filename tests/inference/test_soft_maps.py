"""Soft maps: exact labels where the spacing is kept, a finer surface where it is not."""

from __future__ import annotations

import numpy as np
import pytest

from siil.anatomy import indices_to_codes
from siil.inference.soft_maps import soft_maps
from siil.scan.geometry import Geometry
from siil.scan.grid import Grid
from siil.scan.undo import undo_soft
from tests.inference import spines


def same_grid(shape: tuple[int, ...], spacing_mm: float) -> Geometry:
    grid = Grid(shape, (spacing_mm,) * 3)
    return Geometry(grid, grid, (0, 0, 0), shape)


@pytest.mark.parametrize("threshold", [0.3, 0.5, 0.7])
def test_labels_come_back_exactly_where_the_spacing_is_kept(threshold):
    spine = spines.tube(["L1", "L2", "L3"])
    found = spines.posterior(spine, spine_noise=1.5)
    strong = found.spine.astype(np.float32) > threshold
    labels = np.where(strong, spine.truth, 0).astype(np.uint8)
    back = undo_soft(soft_maps(found, labels, threshold=threshold), same_grid(labels.shape, 4.0))
    assert (back.array == indices_to_codes(labels)).all()


def test_weak_voxels_beside_a_vertebra_make_its_surface_finer():
    spine = spines.tube(["L2"])
    found = spines.posterior(spine, spine_noise=2)
    labels = np.where(found.spine.astype(np.float32) > 0.5, spine.truth, 0).astype(np.uint8)
    soft = next(soft_maps(found, labels, threshold=0.5))
    box = tuple(slice(c, c + n) for c, n in zip(soft.corner_zyx, soft.probability.shape, strict=True))
    weak = (labels[box] == 0) & (soft.probability > 0)
    assert weak.any()
    assert soft.probability[weak].max() < 0.5 < soft.probability[labels[box] > 0].min()


def test_maps_do_not_overlap():
    spine = spines.tube(["T12", "L1", "L2"])
    found = spines.posterior(spine, spine_noise=1)
    total = np.zeros(spine.truth.shape)
    for soft in soft_maps(found, spine.truth, threshold=0.5):
        box = tuple(slice(c, c + n) for c, n in zip(soft.corner_zyx, soft.probability.shape, strict=True))
        total[box] += soft.probability
    assert total.max() <= 1
