"""To the working grid and back: exact where the spacing is kept, the resampling ceiling elsewhere."""

from __future__ import annotations

import itertools
import json

import numpy as np
import pytest
from scipy import ndimage

from siil.errors import DatasetError
from siil.scan import preprocess, volume
from siil.scan.geometry import Geometry, lps_axes, lps_grid
from siil.scan.labels import labels_present
from siil.scan.preprocess import SoftMap, undo_labels, undo_soft
from siil.scan.resample import plan_axis, resample_image, weights
from siil.scan.volume import Grid, Volume
from tests import scans

UNCROPPED = scans.SETTINGS.model_copy(update={"crop_to_body": False})
ORDERS = [
    (order, signs) for order in itertools.permutations(range(3)) for signs in itertools.product((1, -1), repeat=3)
]


def turned(order: tuple[int, ...], signs: tuple[int, ...], spacing=(3.0, 3.0, 3.0)) -> Grid:
    """A grid with voxel axis a along world axis order[a], reversed where signs[a] is -1."""
    direction = np.zeros((3, 3))
    for axis, (world, sign) in enumerate(zip(order, signs, strict=True)):
        direction[world, axis] = sign
    return Grid((16, 14, 18), spacing, (-31.2, 11.7, 100.3), tuple(direction.ravel().tolist()))


def oblique(shape=(20, 24, 28), spacing=(2.0, 1.0, 1.5)) -> Grid:
    from scipy.spatial.transform import Rotation

    cosines = Rotation.from_euler("xyz", [15, -8, 20], degrees=True).as_matrix()
    return Grid(shape, spacing, (-31.2, 11.7, 100.3), tuple(cosines.ravel().tolist()))


def marked(grid: Grid) -> Volume:
    """Blocks of T13 and L1 and a single voxel of C3 in the corner."""
    array = np.zeros(grid.shape, np.uint8)
    array[5:9, 5:9, 6:12] = 28
    array[9:13, 5:9, 6:12] = 20
    array[0, 0, 0] = 3
    return Volume(array, grid)


def crisp(labels: np.ndarray) -> list[SoftMap]:
    return [SoftMap(code, (0, 0, 0), (labels == code).astype(np.float32)) for code in labels_present(labels)]


def dice(one: np.ndarray, two: np.ndarray, code: int) -> float:
    return float(2 * ((one == code) & (two == code)).sum() / ((one == code).sum() + (two == code).sum()))


def places(grid: Grid) -> np.ndarray:
    """LPS millimetres (x, y, z) of every voxel."""
    z, y, x = np.indices(grid.shape).astype(float)
    return np.einsum("ab,b...->a...", grid.matrix, np.stack([x, y, z, np.ones_like(x)]))[:3]


def balls(grid: Grid) -> Volume:
    z, y, x = np.indices(grid.shape)
    centre = np.array(grid.shape) / 2
    far = [((axis - c) * s) ** 2 for axis, c, s in zip((z, y, x), centre, grid.spacing_mm, strict=True)]
    array = np.where(sum(far) < 14**2, 20, 0).astype(np.uint8)
    array[(array > 0) & (z > centre[0])] = 19
    return Volume(array, grid)


@pytest.mark.parametrize(("order", "signs"), ORDERS)
def test_every_order_of_axes_comes_back_exactly(order, signs):
    grid = turned(order, signs)
    made = preprocess.preprocess(scans.scan(grid), marked(grid), settings=scans.SETTINGS)
    assert made.image.grid.direction == (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)
    for back in (undo_labels(made.mask.array, made.geometry), undo_soft(crisp(made.mask.array), made.geometry)):
        assert back.grid == grid
        np.testing.assert_array_equal(back.array, marked(grid).array)


@pytest.mark.parametrize(("order", "signs"), ORDERS[::7])
def test_a_voxel_keeps_its_place_in_the_patient(order, signs):
    grid = turned(order, signs)
    made = preprocess.preprocess(scans.scan(grid), marked(grid), settings=scans.SETTINGS)
    world = grid.matrix @ [0, 0, 0, 1]  # the C3 voxel
    x, y, z = np.linalg.solve(made.image.grid.matrix, world)[:3].round().astype(int)
    assert made.mask.array[z, y, x] == 3


def test_a_scan_on_the_working_grid_keeps_its_voxels_bit_by_bit():
    image = scans.scan(scans.grid())
    made = preprocess.preprocess(image, None, settings=UNCROPPED)
    np.testing.assert_array_equal(made.image.array, np.clip(image.array, -500, 1300))
    assert made.image.array.dtype == np.int16
    assert made.image.grid == image.grid


@pytest.mark.parametrize("spacing", [(2.0, 0.8, 0.8), (5.0, 1.1, 1.1), (2.4, 1.3, 4.0)])
def test_undo_restores_the_grid_of_any_spacing_and_reaches_the_ceiling(spacing):
    grid = Grid((14, 30, 30), spacing, (3.0, -4.0, 9.0))
    mask, fine = balls(grid), scans.SETTINGS.model_copy(update={"spacing_mm": 1.5})
    made = preprocess.preprocess(scans.scan(grid), mask, settings=fine)
    back = undo_soft(crisp(made.mask.array), made.geometry)
    assert back.grid == grid
    assert undo_labels(made.mask.array, made.geometry).grid == grid
    assert min(dice(back.array, mask.array, code) for code in (19, 20)) > 0.9


def test_an_oblique_scan_comes_back_to_its_grid_near_the_ceiling():
    mask, fine = balls(oblique()), scans.SETTINGS.model_copy(update={"spacing_mm": 1.5})
    made = preprocess.preprocess(scans.scan(oblique()), mask, settings=fine)
    for back in (undo_soft(crisp(made.mask.array), made.geometry), undo_labels(made.mask.array, made.geometry)):
        assert back.grid == oblique()
        assert min(dice(back.array, mask.array, code) for code in (19, 20)) > 0.93


@pytest.mark.parametrize(
    "grid", [oblique(), turned((1, 2, 0), (1, -1, -1), (2.0, 2.2, 4.0)), turned((0, 1, 2), (-1, -1, 1))]
)
def test_every_voxel_has_the_hu_of_its_place_in_the_patient(grid):
    ramp = lambda world: 3 * world[0] - 2 * world[1] + 4 * world[2] - 300  # noqa: E731
    image = Volume(np.rint(ramp(places(grid))).astype(np.int16), grid)
    inside = Volume(np.ones(grid.shape, np.uint8), grid)
    made = preprocess.preprocess(image, inside, settings=UNCROPPED)
    depth = ndimage.binary_erosion(made.mask.array > 0, iterations=2)
    assert depth.sum() > 50
    off = made.image.array - ramp(places(made.image.grid))
    assert np.abs(off[depth]).max() < 3


def test_soft_maps_come_back_better_than_their_nearest_voxels():
    grid = Grid((20, 30, 30), (1.0, 1.0, 1.0))
    mask = balls(grid)
    made = preprocess.preprocess(scans.scan(grid), mask, settings=UNCROPPED)
    plans = [plan_axis(length, 1.0, 3.0) for length in grid.shape]
    from siil.scan.resample import apply

    matrices = tuple(plan.matrix for plan in plans)
    soft = [SoftMap(c, (0, 0, 0), apply((mask.array == c).astype(np.float32), matrices)) for c in (19, 20)]
    lifted, nearest = undo_soft(soft, made.geometry), undo_labels(made.mask.array, made.geometry)
    for code in (19, 20):
        assert dice(lifted.array, mask.array, code) > 0.95
        assert dice(lifted.array, mask.array, code) > dice(nearest.array, mask.array, code) + 0.02


def test_a_soft_map_in_a_box_is_the_same_as_the_whole_map():
    made = preprocess.preprocess(scans.scan(turned((2, 0, 1), (1, -1, 1), (2.0, 1.0, 1.5))), None, settings=UNCROPPED)
    whole = np.zeros(made.image.array.shape, np.float32)
    whole[3:7, 2:5, 1:4] = np.random.default_rng(0).random((4, 3, 3))
    boxed = undo_soft([SoftMap(20, (3, 2, 1), whole[3:7, 2:5, 1:4])], made.geometry)
    np.testing.assert_array_equal(boxed.array, undo_soft([SoftMap(20, (0, 0, 0), whole)], made.geometry).array)
    assert boxed.array.any()


def test_no_map_at_all_gives_background():
    made = preprocess.preprocess(scans.scan(scans.grid()), None, settings=UNCROPPED)
    back = undo_soft([], made.geometry)
    assert back.grid == scans.grid()
    assert not back.array.any()


def test_the_geometry_survives_its_file():
    image = scans.scan(oblique())
    made = preprocess.preprocess(Volume(image.array, image.grid, ("two_forms: x",)), None, settings=scans.SETTINGS)
    text = json.dumps(made.geometry.to_json())
    assert Geometry.from_json(text) == made.geometry
    assert Geometry.from_json(json.loads(text)).defects == ("two_forms: x",)
    with pytest.raises(DatasetError, match="run the preprocess step again"):
        Geometry.from_json("{}")


def test_the_coccyx_becomes_background_sacrum_and_ribs_stay():
    grid = scans.grid()
    made = preprocess.preprocess(scans.scan(grid), scans.labels(grid, (25, 26, 27, 252)), settings=UNCROPPED)
    assert labels_present(made.mask.array) == {25, 26, 252}


@pytest.mark.parametrize("grid", [Grid((20, 24, 28), (2.0, 1.0, 1.5)), oblique()])
def test_vertebrae_are_resampled_as_if_there_were_no_sacrum_and_no_ribs(grid):
    mask = np.zeros(grid.shape, np.uint8)
    mask[3:9, 5:9, 5:9] = 20
    alone = preprocess.preprocess(scans.scan(grid), Volume(mask, grid), settings=UNCROPPED).mask.array
    beside = mask.copy()
    beside[3:9, 5:9, 9:14] = 252
    beside[9:11, 5:9, 5:9] = 26
    both = preprocess.preprocess(scans.scan(grid), Volume(beside, grid), settings=UNCROPPED).mask.array
    assert {26, 252} <= set(np.unique(both).tolist())
    np.testing.assert_array_equal(np.where(np.isin(both, (26, 252)), 0, both), alone)


def test_the_crop_leaves_out_air_and_a_thin_table_but_no_body_and_no_mask():
    grid = Grid((20, 32, 32), (3.0, 3.0, 3.0))
    array = np.full(grid.shape, -1000, np.int16)
    array[:, 10:22, 10:22] = 30
    array[:, 28, 2:30] = 200  # the shell of a table, one voxel thick
    mask = np.zeros(grid.shape, np.uint8)
    mask[4:8, 14:17, 14:17] = 20
    made = preprocess.preprocess(Volume(array, grid), Volume(mask, grid), settings=scans.SETTINGS)
    z, y, x = made.geometry.crop_corner_vox
    depth, height, width = made.image.array.shape
    assert (z, depth) == (0, 20)
    assert y <= 10
    assert y + height >= 22
    assert y + height <= 28
    assert x <= 10
    assert 22 <= x + width < 30
    assert made.geometry.uncropped_shape_vox == (20, 32, 32)
    assert made.geometry.defects == ()
    mask[4, 31, 31] = 21  # far outside of the body
    made = preprocess.preprocess(Volume(array, grid), Volume(mask, grid), settings=scans.SETTINGS)
    assert made.geometry.defects[0].startswith("outside_body")  # prediction, without a mask, would not see it
    assert labels_present(made.mask.array) == {20, 21}


def test_a_scan_that_is_all_air_or_all_body_is_not_cropped():
    grid = scans.grid()
    for hu in (-1000, 40):
        image = Volume(np.full(grid.shape, hu, np.int16), grid)
        assert preprocess.preprocess(image, None, settings=scans.SETTINGS).image.array.shape == grid.shape


def test_coarsening_is_the_mean_over_the_footprint():
    ramp = np.tile(np.array([0, 30, 60, 90, 120, 150], np.int16), (2, 2, 1))
    plan = plan_axis(6, 1.0, 3.0)
    np.testing.assert_allclose(plan.matrix, [[1 / 3] * 3 + [0] * 3, [0] * 3 + [1 / 3] * 3], atol=1e-6)
    made = resample_image(ramp, (None, None, plan.matrix), low=-500, high=1300)
    np.testing.assert_array_equal(made[0, 0], [30, 120])


def test_refining_interpolates_linearly():
    np.testing.assert_allclose(weights(3, np.array([0.25, 1.5]), 0.5), [[0.75, 0.25, 0], [0, 0.5, 0.5]], atol=1e-6)


def test_a_fine_pattern_does_not_alias():
    stripes = np.tile(np.array([1000, -400], np.int16), 15)[None, None, :].repeat(30, 1).repeat(20, 0)
    made = preprocess.preprocess(Volume(stripes, Grid((20, 30, 30), (3.0, 1.0, 1.0))), None, settings=UNCROPPED)
    assert np.ptp(made.image.array) <= 500  # 1400 with nearest neighbours
    even = preprocess.preprocess(
        Volume(stripes, Grid((20, 30, 30), (3.0, 1.5, 1.5))), None, settings=UNCROPPED
    )  # two stripes a voxel
    assert np.ptp(even.image.array) == 0


def test_normalise_maps_the_window_to_minus_one_and_one():
    made = preprocess.normalise(np.array([-2000, -500, 400, 1300, 3000], np.int16), (-500, 1300))
    np.testing.assert_allclose(made, [-1, -1, 0, 1, 1])
    assert made.dtype == np.float32


def test_a_grid_a_hair_off_the_axes_is_not_interpolated():
    near = np.eye(3) + np.array([[0, 1e-4, 0], [-1e-4, 0, 0], [0, 0, 0]])
    grid = Grid((16, 14, 12), (3.0, 3.0, 3.0), (0.0, 0.0, 0.0), tuple(near.ravel().tolist()))
    axes = lps_axes(grid)
    assert axes is not None
    assert lps_grid(grid, axes).shape == grid.shape


@pytest.mark.slow
def test_a_perfect_soft_map_of_a_real_mask_comes_back_above_the_floor(real_data):
    """The ceiling on real masks: at least 0.92 on average for every one of them at 3 mm."""
    from siil.scan.resample import apply

    for path in sorted(real_data.glob("verse-labels/*/derivatives/*/*_seg-vert_msk.nii.gz")):
        mask = volume.read_mask(path)
        axes = lps_axes(mask.grid)
        if axes is None:
            continue
        image = Volume(np.where(mask.array > 0, 300, 0).astype(np.int16), mask.grid)
        made = preprocess.preprocess(image, mask, settings=UNCROPPED)
        grid = lps_grid(mask.grid, axes)
        plans = [plan_axis(n, old, 3.0) for n, old in zip(grid.shape, grid.spacing_mm, strict=True)]
        matrices = tuple(plan.matrix for plan in plans)
        codes = labels_present(mask.array)
        soft = (
            SoftMap(c, (0, 0, 0), apply((axes.to_lps(mask.array) == c).astype(np.float32), matrices)) for c in codes
        )
        back = undo_soft(soft, made.geometry).array
        assert np.mean([dice(back, mask.array, code) for code in codes]) > 0.92, path.name
