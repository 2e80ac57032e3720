"""Voxels: consistent classes keep their label, shifted ones are renamed, one component each but for cut ones."""

from __future__ import annotations

import numpy as np

from siil.inference.assign import one_component_each


def test_the_largest_component_is_kept_and_a_lone_fragment_dropped():
    labels = np.zeros((3, 3, 9), np.uint8)
    labels[:, :, :3] = 5
    labels[1, 1, 6] = 5
    cleaned = one_component_each(labels, min_voxels=1)
    assert (cleaned == 5).sum() == 27
    assert cleaned[1, 1, 6] == 0


def test_a_fragment_inside_another_vertebra_becomes_part_of_it():
    labels = np.full((5, 5, 5), 7, np.uint8)
    labels[2, 2, 2] = 8
    labels[:, :, 0] = 8  # the vertebra itself, larger than the fragment
    cleaned = one_component_each(labels, min_voxels=1)
    assert cleaned[2, 2, 2] == 7
    assert (cleaned == 8).sum() == 25


def test_a_fragment_goes_to_the_vertebra_that_it_touches_most():
    labels = np.zeros((1, 4, 7), np.uint8)
    labels[0, :, 0], labels[0, :, 6] = 3, 4
    labels[0, 1:3, 1:6] = 9  # touches 3 and 4 alike ...
    labels[0, 3, 5] = 4  # ... but 4 once more
    labels[0, 0, 2:4] = 0
    big = np.concatenate([labels, np.zeros((1, 4, 7), np.uint8), np.full((2, 4, 7), 9, np.uint8)])
    cleaned = one_component_each(big, min_voxels=1)
    assert (cleaned[0, 1:3, 1:6] == 4).all()


def test_a_fragment_behind_a_fragment_is_reached():
    labels = np.zeros((1, 1, 30), np.uint8)
    labels[0, 0, :8], labels[0, 0, 8], labels[0, 0, 9] = 5, 6, 7
    labels[0, 0, 12:16], labels[0, 0, 20:25] = 6, 7
    cleaned = one_component_each(labels, min_voxels=1)
    assert cleaned[0, 0, :10].tolist() == [5] * 10


def test_a_vertebra_below_the_least_size_is_dropped_or_swallowed():
    labels = np.zeros((2, 2, 8), np.uint8)
    labels[0, 0, 7] = 4
    labels[:, :, :3] = 5
    labels[0, 0, 3] = 6
    cleaned = one_component_each(labels, min_voxels=3)
    assert set(np.unique(cleaned)) == {0, 5}
    assert cleaned[0, 0, 3] == 5
    assert cleaned[0, 0, 7] == 0


def test_a_vertebra_that_the_border_cuts_may_be_in_pieces():
    labels = np.zeros((2, 2, 20), np.uint8)
    labels[:, :, :3], labels[:, :, 8:10], labels[0, 0, 19] = 5, 5, 5
    assert not one_component_each(labels, min_voxels=16).any()
    cut = one_component_each(labels, min_voxels=16, in_pieces={5})
    assert (cut[:, :, :10] == labels[:, :, :10]).all()
    assert not cut[0, 0, 19], "too small for a piece"
    assert not one_component_each(labels, min_voxels=21, in_pieces={5}).any()


def test_a_fragment_of_a_cut_vertebra_away_from_the_border_leaves_no_hole():
    labels = np.zeros((9, 5, 5), np.uint8)
    labels[:7], labels[7:] = 7, 8
    labels[3, 1:3, 1:3] = 8
    cleaned = one_component_each(labels, min_voxels=4, in_pieces={8})
    assert (cleaned[:7] == 7).all()
    assert (cleaned[7:] == 8).all()


def test_nothing_stays_nothing():
    assert not one_component_each(np.zeros((2, 2, 2), np.uint8), min_voxels=1).any()
