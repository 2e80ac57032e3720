"""The processed probability map: a test per property."""

from __future__ import annotations

import numpy as np
import pytest

from siil.anatomy import BY_NAME, UNLABELLED, UNNAMED
from siil.datasets.pap import NEAR_DENSITY, class_weights, processed_probability_map
from tests.scans import PAP

L1, L2, L3, L4, T12, T13, L6 = (BY_NAME[name].index for name in ("L1", "L2", "L3", "L4", "T12", "T13", "L6"))


def column(*blocks: tuple[int, int]) -> np.ndarray:
    """A mask (32, 16, 16) with blocks of (index, height) one above the other."""
    mask = np.zeros((32, 16, 16), np.uint8)
    low = 2
    for index, height in blocks:
        mask[low : low + height, 6:9, 6:9] = index
        low += height
    return mask


def made(mask: np.ndarray, **changes) -> np.ndarray:
    return processed_probability_map(mask, settings=PAP.model_copy(update=changes), spacing_mm=3.0)


def mass(probability: np.ndarray, mask: np.ndarray, index: int) -> float:
    return float(probability[mask == index].sum(dtype=np.float64))


MASKS = {
    "three": column((L3, 4), (L2, 6), (L1, 8)),
    "one": column((L1, 5)),
    "none": column(),
    "full": np.full((8, 8, 8), L1, np.uint8),
    "one voxel": column((L2, 4), (L1, 1)),
}


@pytest.mark.parametrize("name", MASKS)
def test_it_is_finite_non_negative_and_sums_to_one_as_float32(name):
    probability = made(MASKS[name])
    assert probability.dtype == np.float32
    assert np.isfinite(probability).all()
    assert (probability >= 0).all()
    assert probability.sum(dtype=np.float64) == pytest.approx(1, abs=1e-6)


def test_a_vertebra_between_the_ends_has_the_mass_of_any_other_whatever_its_size():
    mask = column((L4, 3), (L3, 4), (L2, 9), (L1, 3))
    probability = made(mask)
    assert mass(probability, mask, L3) == pytest.approx(mass(probability, mask, L2), rel=1e-5)


def test_the_mass_is_spread_evenly_over_the_voxels_of_a_vertebra():
    mask = MASKS["three"]
    inside = made(mask)[mask == L2]
    assert inside.min() == inside.max()
    assert inside[0] == pytest.approx(0.85 / 5 / 54, rel=1e-5)  # 1 of 2 + 1 + 2 shares, 54 voxels


def test_the_topmost_and_the_lowermost_vertebra_count_double():
    mask = MASKS["three"]
    probability = made(mask)
    for end in (L1, L3):
        assert mass(probability, mask, end) == pytest.approx(2 * mass(probability, mask, L2), rel=1e-5)


def test_rare_vertebrae_count_double_and_an_end_that_is_rare_counts_once():
    assert class_weights([T12, T13, L1, L2], settings=PAP) == pytest.approx(
        {T12: 2 / 7, T13: 2 / 7, L1: 1 / 7, L2: 2 / 7}
    )
    assert class_weights([L1, L2, L6], settings=PAP) == pytest.approx({L1: 2 / 5, L2: 1 / 5, L6: 2 / 5})


def test_the_background_has_its_share_and_is_denser_near_the_spine():
    mask = np.zeros((32, 32, 32), np.uint8)
    mask[2:6, 2:6, 2:6] = L1
    probability = made(mask)
    assert mass(probability, mask, 0) == pytest.approx(0.15, rel=1e-5)
    near, far = probability[10, 4, 4], probability[31, 31, 31]  # 15 mm and more than 30 mm away
    assert near == pytest.approx(NEAR_DENSITY * far, rel=1e-5)
    assert (probability > 0).all()


def test_without_background_mass_only_vertebrae_are_drawn():
    mask = MASKS["three"]
    probability = made(mask, background_mass=0.0)
    assert probability[mask == 0].max() == 0


def test_a_mask_without_vertebrae_gives_an_even_background():
    probability = made(MASKS["none"])
    assert probability.min() == probability.max()


def test_distance_is_measured_in_millimetres():
    mask = np.zeros((32, 32, 32), np.uint8)
    mask[0:2, 0:2, 0:2] = L1
    fine = processed_probability_map(mask, settings=PAP, spacing_mm=1.0)
    coarse = processed_probability_map(mask, settings=PAP, spacing_mm=4.0)
    assert fine[16, 0, 0] / fine[31, 31, 31] == pytest.approx(4)  # 15 mm
    assert coarse[16, 0, 0] / coarse[31, 31, 31] == pytest.approx(1)  # 60 mm


def test_what_nobody_annotated_has_no_mass_and_the_rest_its_shares_as_before():
    mask = column((L4, 3), (L3, 4), (L2, 9), (L1, 3))
    beyond = mask.copy()
    beyond[21:][beyond[21:] == 0] = UNLABELLED
    whole, cut = made(mask), made(beyond)
    assert not cut[beyond == UNLABELLED].any()
    assert cut.sum(dtype=np.float64) == pytest.approx(1, abs=1e-6)
    for index in (L4, L3, L2, L1):
        assert mass(cut, beyond, index) == pytest.approx(mass(whole, mask, index), rel=1e-5)
    background = PAP.background_mass
    assert mass(cut, beyond, 0) == pytest.approx(background, rel=1e-5)


def test_beyond_the_annotation_nothing_counts_as_the_neighbourhood_of_a_vertebra():
    """The same map as without the marked voxels: their distance to anything plays no part."""
    mask = np.zeros((40, 16, 16), np.uint8)
    mask[2:5, 6:9, 6:9] = L1
    mask[30:] = UNLABELLED
    found = made(mask)
    assert found[5, 7, 7] == pytest.approx(NEAR_DENSITY * found[28, 0, 0], rel=1e-5)


def test_with_nothing_but_vertebrae_and_unlabelled_voxels_all_mass_is_on_the_vertebrae():
    mask = np.full((8, 8, 8), UNLABELLED, np.uint8)
    mask[2] = L1
    assert mass(made(mask), mask, L1) == pytest.approx(1, abs=1e-6)


def test_all_spine_without_a_name_has_the_mass_of_one_vertebra():
    mask = column((L3, 4), (UNNAMED, 9), (L2, 4))
    found = made(mask, end_weight=1.0)
    third = (1 - PAP.background_mass) / 3
    assert [mass(found, mask, index) for index in (L3, UNNAMED, L2)] == pytest.approx([third] * 3, rel=1e-5)
    unnamed = column((UNNAMED, 9))
    assert mass(made(unnamed), unnamed, UNNAMED) == pytest.approx(1 - PAP.background_mass, rel=1e-5)
