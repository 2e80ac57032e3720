"""Surface distances, by hand on a few voxels and against distance maps of whole arrays on random shapes."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from siil.metrics.surface import nsd_name, surface_scores
from siil.metrics.surfels import surface_of
from tests.metrics.plain import surface_metrics

UNIT = (1.0, 1.0, 1.0)


def scores(truth: np.ndarray, prediction: np.ndarray, spacing_mm=UNIT, tolerances_mm=(1.0, 2.0)) -> dict[str, float]:
    sides = [surface_of(mask, corner_vox=(0, 0, 0), spacing_mm=spacing_mm) for mask in (truth, prediction)]
    return surface_scores(*sides, tolerances_mm=tolerances_mm)


def voxel(*where: int, shape: tuple[int, int, int] = (6, 6, 6)) -> np.ndarray:
    mask = np.zeros(shape, bool)
    mask[where] = True
    return mask


def test_equal_masks_have_no_distance_and_full_surface_dice() -> None:
    found = scores(voxel(2, 2, 2), voxel(2, 2, 2))
    assert found == {"hd_mm": 0, "hd95_mm": 0, "assd_mm": 0, "nsd_1mm": 1, "nsd_2mm": 1}


def test_two_voxels_2_mm_apart() -> None:
    # Corners: four of eight lie 1 mm from the other voxel's, four 2 mm; all areas are equal.
    found = scores(voxel(1, 2, 2), voxel(3, 2, 2))
    assert found == pytest.approx({"hd_mm": 2, "hd95_mm": 2, "assd_mm": 1.5, "nsd_1mm": 0.5, "nsd_2mm": 1})


def test_neighbouring_slices_are_as_far_apart_as_the_slices() -> None:
    found = scores(voxel(1, 2, 2), voxel(2, 2, 2), (3.0, 1.0, 1.0))
    assert found == pytest.approx({"hd_mm": 3, "hd95_mm": 3, "assd_mm": 1.5, "nsd_1mm": 0.5, "nsd_2mm": 0.5})


def test_each_axis_has_its_own_spacing() -> None:
    spacing = (3.0, 2.0, 0.5)
    far = [scores(voxel(1, 1, 1), voxel(1 + z, 1 + y, 1 + x), spacing)["hd_mm"] for z, y, x in np.eye(3, dtype=int)]
    assert far == pytest.approx(spacing)


def test_a_tolerance_on_the_lattice_is_not_left_to_rounding() -> None:
    found = scores(voxel(0, 5, 5), voxel(0, 5, 4), (0.7, 0.1, 0.1), (0.1, 0.0999))
    assert found["nsd_0.1mm"] == 1
    assert found["nsd_0.0999mm"] == 0.5


def test_hd95_passes_over_a_small_piece_far_away() -> None:
    truth = np.zeros((30, 12, 12), bool)
    truth[2:12, 1:11, 1:11] = True
    prediction = truth.copy()
    prediction[25, 5, 5] = True
    found = scores(truth, prediction)
    assert found["hd_mm"] == 14  # its upper corners at 25.5 to the face at 11.5
    assert found["hd95_mm"] == 0


def test_hd95_is_the_worse_of_the_two_directions() -> None:
    small, large = np.zeros((6, 6, 20), bool), np.zeros((6, 6, 20), bool)
    small[1:5, 1:5, 1:5] = True
    large[1:5, 1:5, 1:17] = True
    one, two = scores(small, large), scores(large, small)
    assert one["hd95_mm"] == two["hd95_mm"] == 12


def test_columns_are_named_by_their_tolerance() -> None:
    assert [nsd_name(t) for t in (1, 2.0, 0.5)] == ["nsd_1mm", "nsd_2mm", "nsd_0.5mm"]


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("spacing_mm", [UNIT, (3.0, 0.8, 0.7)])
def test_nearest_points_equal_distance_maps(seed: int, spacing_mm: tuple[float, float, float]) -> None:
    rng = np.random.default_rng(seed)
    truth, prediction = (ndimage.gaussian_filter(rng.normal(size=(14, 18, 16)), 2) > 0.04 for _ in range(2))
    found = scores(truth, prediction, spacing_mm)
    plain = surface_metrics(truth, prediction, spacing_mm, 1.0)
    assert [found[name] for name in ("hd_mm", "hd95_mm", "assd_mm", "nsd_1mm")] == pytest.approx(
        [plain[name] for name in ("hd_mm", "hd95_mm", "assd_mm", "nsd")], abs=1e-6
    )
