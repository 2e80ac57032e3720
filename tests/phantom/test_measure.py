"""Vertebrae made of blocks whose sizes are known, upright and tilted, are measured to the millimetre."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from siil.anatomy import BY_NAME
from siil.phantom.measure import QUANTITIES, measure, upright

PITCH_MM = 30


def _block(mask: np.ndarray, code: int, bottom: int, *, ring: bool = True) -> None:
    """A body 30 wide, 20 deep, 18 high, before a canal 16 wide, 12 deep, whose walls are 5 thick and 10 high."""
    mask[bottom : bottom + 18, 30:50, 30:60] = code
    if ring:
        mask[bottom + 4 : bottom + 14, 50:67, 32:58] = code
        mask[bottom + 4 : bottom + 14, 50:62, 37:53] = 0


def _three() -> np.ndarray:
    """T8 on T9 on T10, 30 mm apart."""
    mask = np.zeros((110, 110, 90), np.uint8)
    for n, name in enumerate(("T10", "T9", "T8")):
        _block(mask, BY_NAME[name].code, 15 + n * PITCH_MM)
    return mask


def _named(values: np.ndarray) -> dict[str, float]:
    return dict(zip(QUANTITIES, values.tolist(), strict=True))


def test_an_upright_vertebra_of_blocks_has_the_sizes_it_was_made_with():
    sizes = _named(measure(_three())["T9"])
    # body 30 x 20 x 18 = 10 800 mm3, ring 26 x 17 x 10 less the canal 16 x 12 x 10 = 2 500 mm3
    assert sizes == {
        "volume": 13.3,
        "left-right": 30,
        "front-back": 37,
        "up-down": 18,
        "body width": 30,
        "body depth": 20,
        "body height": 18,
        "canal width": 16,
        "canal depth": 12,
    }


def test_a_spine_that_leans_by_twenty_degrees_keeps_the_sizes_along_its_own_axes():
    leaning = ndimage.rotate(_three(), 20, axes=(0, 1), order=0, reshape=True)
    straight, leant = _named(measure(_three())["T9"]), _named(measure(leaning)["T9"])
    for quantity in QUANTITIES[4:]:
        assert leant[quantity] == pytest.approx(straight[quantity], abs=1.5)
    assert leant["up-down"] > straight["up-down"] + 5


def test_a_process_at_half_height_does_not_widen_the_body():
    mask = _three()
    mask[15 + PITCH_MM + 6 : 15 + PITCH_MM + 12, 38:42, 20:70] = BY_NAME["T9"].code
    sizes = _named(measure(mask)["T9"])
    assert sizes["left-right"] == 50
    assert sizes["body width"] == 30


def test_a_vertebra_that_the_border_cuts_is_left_out():
    assert set(measure(_three()[:-28])) == {"T9", "T10"}
    assert set(measure(_three()[:, 30:])) == set()


def test_a_vertebra_without_a_closed_ring_has_volume_and_extents_alone():
    mask = np.zeros((60, 110, 90), np.uint8)
    _block(mask, BY_NAME["T9"].code, 20, ring=False)
    values = measure(mask)["T9"]
    assert values[:4].tolist() == [10.8, 30, 20, 18]
    assert np.isnan(values[4:]).all()


def test_c1_and_c2_have_a_canal_and_no_body_sizes():
    mask = _three()
    for old, new in (("T8", "C1"), ("T9", "C2"), ("T10", "C3")):
        mask[mask == BY_NAME[old].code] = BY_NAME[new].code
    found = measure(mask)
    for name in ("C1", "C2"):
        assert np.isnan(found[name][4:7]).all()
        assert found[name][7:].tolist() == [16, 12]
    assert found["C3"][4:7].tolist() == [30, 20, 18]


def test_coarse_voxels_become_cubes_of_a_millimetre_with_the_nearest_label():
    mask = np.array([[[1, 2]], [[3, 4]]], np.uint8)
    fine = upright(mask, np.array((2.0, 1.0, 3.0)))
    assert fine.shape == (4, 1, 6)
    assert fine[:, 0, 0].tolist() == [1, 1, 3, 3]
    assert fine[0, 0].tolist() == [1, 1, 1, 2, 2, 2]


def test_t13_stands_between_t12_and_l1():
    mask = np.zeros((110, 110, 90), np.uint8)
    for n, name in enumerate(("L1", "T13", "T12")):
        _block(mask, BY_NAME[name].code, 15 + n * PITCH_MM)
    assert _named(measure(mask)["T13"]) == _named(measure(_three())["T9"])
