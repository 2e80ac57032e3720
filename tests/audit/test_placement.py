"""How a mask lies on its image."""

from __future__ import annotations

import numpy as np

from siil.audit.placement import placement


def bone() -> np.ndarray:
    spine = np.zeros((12, 30, 40), bool)
    spine[2:8, 10:16, 8:14] = True
    return spine


def test_a_mask_on_its_bone_gains_nothing_by_being_turned_or_moved():
    found = placement(bone(), np.where(bone(), 300, 0))
    assert found.hu == 300
    assert found.mirrored[1] < 0
    assert found.moved[1] < 0


def test_a_mirrored_mask_gains_by_being_mirrored_back():
    found = placement(bone()[:, :, ::-1], np.where(bone(), 300, 0))
    assert found.mirrored == ("left to right", 300.0)


def test_a_moved_mask_gains_by_being_moved_back():
    found = placement(np.roll(bone(), 5, axis=1), np.where(bone(), 300, 0))  # five voxels back
    assert found.moved[0] == "forward"
    assert found.moved[2] == 5
    assert found.moved[1] == 250.0  # a sixth of it lay on the bone already
