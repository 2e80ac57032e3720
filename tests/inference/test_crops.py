"""Crops: boxes of one fine grid of the scan, with its own voxels where the spacing is kept."""

from __future__ import annotations

import numpy as np
import pytest

from siil.inference.crops import cut_crops, fine_grid, image_on
from siil.scan.geometry import Geometry
from siil.scan.grid import Grid, Volume
from siil.scan.undo import SoftMap

TURNED = (0.0, 0.0, 1.0, 1.0, 0.0, 0.0, 0.0, -1.0, 0.0)
OBLIQUE = (0.96, -0.28, 0.0, 0.28, 0.96, 0.0, 0.0, 0.0, 1.0)


def ramp(grid: Grid) -> Volume:
    """A scan whose HU are x + 2 y + 3 z of the patient's millimetres, so that any place can be checked."""
    z, y, x = np.indices(grid.shape)
    places = grid.matrix @ np.stack([x.ravel(), y.ravel(), z.ravel(), np.ones(x.size)])
    values = places[0] + 2 * places[1] + 3 * places[2]
    return Volume(np.rint(values).reshape(grid.shape).astype(np.int16), grid)


def around(grid: Grid, working_mm: float) -> Geometry:
    """A working grid that lies around a scan near the origin."""
    reach = 60.0
    count = int(2 * reach / working_mm)
    return Geometry(grid, Grid((count,) * 3, (working_mm,) * 3, (-reach,) * 3))


def cube(code: int, corner: tuple[int, int, int], size: int = 4) -> SoftMap:
    return SoftMap(code, corner, np.ones((size,) * 3, np.float32))


def test_voxels_of_a_scan_that_has_the_spacing_are_its_own():
    source = Volume(
        np.random.default_rng(0).integers(-900, 1200, (30, 40, 50)).astype(np.int16), Grid((30, 40, 50), (1.0,) * 3)
    )
    crop = next(cut_crops(source, [cube(20, (22, 22, 22))], around(source.grid, 3.0), spacing_mm=1, margin_mm=2))
    z, y, x = crop.corner_zyx
    d, h, w = crop.image.shape
    assert (crop.image == source.array[z : z + d, y : y + h, x : x + w]).all()


@pytest.mark.parametrize(
    "grid",
    [
        Grid((24, 60, 60), (2.5, 0.8, 0.8), (-20.0, -22.0, -25.0)),
        Grid((60, 40, 50), (0.7, 1.0, 1.0), (20.0, -20.0, 18.0), TURNED),
        Grid((30, 50, 50), (1.5, 0.9, 0.9), (-18.0, -25.0, -20.0), OBLIQUE),
    ],
    ids=["thick", "turned", "oblique"],
)
def test_a_place_of_the_crop_has_the_scans_value_there(grid):
    source = ramp(grid)
    centre = grid.matrix @ [*(n / 2 for n in grid.shape[::-1]), 1]
    corner = tuple(int((c + 60) / 3) - 2 for c in centre[2::-1])
    crop = next(cut_crops(source, [cube(20, corner)], around(grid, 3.0), spacing_mm=1, margin_mm=2))
    wanted = ramp(crop.grid).array
    inside = tuple(slice(2, -2) for _ in range(3))
    assert crop.image.shape == crop.own.shape == crop.others.shape
    assert np.abs(crop.image[inside].astype(int) - wanted[inside]).max() <= 3


def test_the_crop_holds_its_map_and_the_margin_and_nothing_outside_the_scan():
    grid = Grid((40, 40, 40), (1.0,) * 3, (-20.0,) * 3)
    crop = next(cut_crops(ramp(grid), [cube(20, (17, 17, 17))], around(grid, 3.0), spacing_mm=1, margin_mm=4))
    # the map covers -10.5 to 1.5 mm: 9.5 to 21.5 voxels of the scan
    assert crop.corner_zyx == (5, 5, 5)
    assert crop.image.shape == (22, 22, 22)
    wide = next(cut_crops(ramp(grid), [cube(20, (17, 17, 17))], around(grid, 3.0), spacing_mm=1, margin_mm=99))
    assert wide.image.shape == grid.shape


def test_soft_maps_lie_where_the_first_look_saw_the_vertebrae():
    grid = Grid((60, 60, 60), (1.0,) * 3, (-30.0,) * 3)
    maps = [cube(20, (17, 17, 17)), cube(21, (21, 17, 17))]
    first, second = cut_crops(ramp(grid), maps, around(grid, 3.0), spacing_mm=1, margin_mm=4)
    for crop, own in ((first, maps[0]), (second, maps[1])):
        z, y, x = np.argwhere(crop.own > 127).mean(0) + crop.corner_zyx
        middle = [-60 + 3 * (c + 1.5) + 30 for c in own.corner_zyx]
        assert (z, y, x) == pytest.approx(middle, abs=0.6)
        assert (crop.own > 127).sum() == pytest.approx(12**3, rel=0.2)
        assert crop.others.max() == 255
    together = first.own.astype(int) + first.others
    assert together.max() <= 256


def test_a_scan_is_never_refined_beyond_its_finest_axis():
    grid = Grid((10, 20, 20), (5.0, 1.4, 1.4))
    assert fine_grid(grid, 1.0).spacing_mm == (1.4,) * 3
    assert fine_grid(grid, 3.0).spacing_mm == (3.0,) * 3


@pytest.mark.parametrize("spacing_mm", [0.5, 0.8, 1.0, 1.3, 2.9])
def test_the_fine_grid_reaches_every_voxel_of_the_scan(spacing_mm):
    grid = Grid((13, 17, 19), (3.0, 0.5, 0.7))
    fine = fine_grid(grid, spacing_mm)
    for count, old, made, new in zip(grid.shape, grid.spacing_mm, fine.shape, fine.spacing_mm, strict=True):
        assert (count - 1) * old <= (made - 1) * new + 1e-2 < (count - 1) * old + new + 1e-2


def test_a_map_beside_the_scan_gives_no_crop():
    grid = Grid((20, 20, 20), (1.0,) * 3, (-10.0,) * 3)
    assert not list(cut_crops(ramp(grid), [cube(20, (35, 17, 17))], around(grid, 3.0), spacing_mm=1, margin_mm=4))


def test_an_image_outside_an_oblique_scan_is_air():
    grid = Grid((20, 20, 20), (1.0,) * 3, (0.0, 0.0, 0.0), OBLIQUE)
    far = image_on(Volume(np.zeros(grid.shape, np.int16), grid), Grid((4, 4, 4), (1.0,) * 3, (500.0, 0.0, 0.0)))
    assert (far == -1024).all()
