"""Surface elements: hand-computed areas, and MONAI's copy of the published table."""

from __future__ import annotations

import numpy as np
import pytest

from siil.metrics.surfels import area_table, surface_of

UNIT = (1.0, 1.0, 1.0)


def test_one_voxel_is_an_octahedron_of_eight_small_triangles() -> None:
    surface = surface_of(np.ones((1, 1, 1), bool), corner_vox=(0, 0, 0), spacing_mm=UNIT)
    assert surface.points_mm.shape == (8, 3)
    assert surface.areas_mm2 == pytest.approx([np.sqrt(3) / 8] * 8)  # triangle of sides sqrt(1/2)


def test_points_are_the_corners_of_the_voxels_in_millimetres() -> None:
    surface = surface_of(np.ones((1, 1, 1), bool), corner_vox=(4, 2, 1), spacing_mm=(2.0, 1.0, 0.5))
    assert sorted(map(tuple, surface.points_mm.tolist())) == [
        (z, y, x) for z in (7.0, 9.0) for y in (1.5, 2.5) for x in (0.25, 0.75)
    ]


def test_a_flat_face_has_the_area_of_its_voxels() -> None:
    areas = area_table((3.0, 2.0, 0.5))
    assert areas[0b11110000] == pytest.approx(2.0 * 0.5)  # z: four set below four unset
    assert areas[0b11001100] == pytest.approx(3.0 * 0.5)
    assert areas[0b10101010] == pytest.approx(3.0 * 2.0)


def test_areas_that_need_a_choice_of_triangles_are_the_published_ones() -> None:
    areas = area_table(UNIT)
    assert [areas[code] for code in (0b1, 0b11, 0b101, 0b111)] == pytest.approx(
        [0.21650635, 0.70710677, 0.70710677, 1.1495191]
    )
    assert areas[0b10000001] == areas[0b1001] == pytest.approx(2 * 0.21650635)  # two corners apart


def test_inside_and_outside_have_no_surface_and_swapping_them_changes_nothing() -> None:
    areas = area_table((1.0, 2.0, 3.0))
    assert areas[0] == areas[255] == 0
    assert areas == pytest.approx(areas[::-1])
    assert (areas[1:255] > 0).all()


def test_a_mask_at_the_border_of_its_box_is_closed_there() -> None:
    box = surface_of(np.ones((2, 3, 4), bool), corner_vox=(0, 0, 0), spacing_mm=UNIT)
    padded = surface_of(np.pad(np.ones((2, 3, 4), bool), 2), corner_vox=(-2, -2, -2), spacing_mm=UNIT)
    assert np.array_equal(box.points_mm, padded.points_mm)
    assert np.array_equal(box.areas_mm2, padded.areas_mm2)


@pytest.mark.slow
@pytest.mark.parametrize("spacing_mm", [UNIT, (1.0, 2.0, 3.0), (3.0, 0.8, 0.7)])
def test_areas_equal_the_published_table(spacing_mm: tuple[float, float, float]) -> None:
    from monai.metrics.utils import create_table_neighbour_code_to_surface_area

    table, _ = create_table_neighbour_code_to_surface_area(spacing_mm)
    assert area_table(spacing_mm) == pytest.approx(table.numpy(), rel=1e-5)
