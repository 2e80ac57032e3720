"""The labelled bones: the joint space between two neighbours, and slivers that get no label."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from scipy import ndimage

from siil.phantom import bones, draw_anatomy
from siil.phantom.bones import EDGE_MM, JOINT_GAP_MM, Solid
from siil.phantom.canvas import Canvas


def _patient(make_recipe):
    return draw_anatomy(np.random.default_rng((3, 0)), make_recipe(scoliosis=0, fracture=0))


def test_two_solids_that_overlap_by_one_millimetre_end_up_a_joint_space_apart(make_recipe):
    levels = _patient(make_recipe).levels
    z = np.linspace(-4, 5, 91, dtype=np.float32)[:, None, None]
    box = (slice(0, 91), slice(0, 1), slice(0, 1))
    far = np.full_like(z, 50.0)
    upper, lower = Solid(levels[0], box, -z, far.copy()), Solid(levels[1], box, z - 1, far.copy())
    bones._carve(upper, lower)
    # the middle of the overlap is at 0.5 mm; each side gives way by half the gap
    assert abs(z[upper.body < 0].min() - (0.5 + JOINT_GAP_MM / 2)) < 0.11
    assert abs(z[lower.body < 0].max() - (0.5 - JOINT_GAP_MM / 2)) < 0.11


def test_no_voxel_of_a_fine_grid_is_shared_and_neighbours_keep_apart(make_recipe):
    patient = _patient(make_recipe)
    middle = patient.level("L3").place.centre_mm
    canvas = Canvas(shape=(64, 80, 64), spacing_mm=(1.0, 1.0, 1.0), origin_mm=middle - (32, 20, 32))
    mask, _ = bones.label(canvas, bones.solids(canvas, patient))
    for a, b in pairwise((21, 22, 23)):
        for axis in range(3):
            first, second = mask.swapaxes(0, axis)[:-1], mask.swapaxes(0, axis)[1:]
            touching = ((first == a) & (second == b)) | ((first == b) & (second == a))
            assert touching.sum() < 30


def test_bone_begins_inside_its_mask_as_in_masks_of_experts(make_recipe):
    patient = _patient(make_recipe)
    middle = patient.level("L3").place.centre_mm
    canvas = Canvas(shape=(72, 72, 72), spacing_mm=(0.25, 0.25, 0.25), origin_mm=middle - (9, 25, 9))  # its front wall
    canvas.hu[:] = 0
    solids = bones.solids(canvas, patient)
    mask, _ = bones.label(canvas, solids)
    bones.lay_vertebrae(canvas, patient, solids, np.random.default_rng(0))
    depth = ndimage.distance_transform_edt(mask > 0, 0.25)
    rim, shell = (mask > 0) & (depth < EDGE_MM - 0.125), (depth > EDGE_MM + 0.125) & (depth < EDGE_MM + 0.4)
    assert EDGE_MM > 0.3
    assert rim.sum() > 1000
    assert shell.sum() > 1000
    assert canvas.hu[rim].mean() < 0.1 * canvas.hu[shell].mean()
    assert abs(canvas.hu[mask == 0]).max() == 0


def test_a_sliver_at_the_border_gets_no_label(make_recipe):
    patient = _patient(make_recipe)
    low, _ = bones.bounds(patient.level("L3"))
    place = patient.level("L3").place.centre_mm
    # the lowest half millimetre of L3 only: a scan that ends where the vertebra begins
    origin = np.array((place[0] - 60, place[1] - 40, low[2] - 30.0))
    canvas = Canvas(shape=(31, 130, 120), spacing_mm=(1.0, 1.0, 1.0), origin_mm=origin)
    mask, complete = bones.label(canvas, bones.solids(canvas, patient))
    complete = bones.without_slivers(mask, complete, canvas.spacing_mm)
    assert "L3" not in complete
    assert not (mask == 22).any()
    assert "L4" in complete
