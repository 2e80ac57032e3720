"""Patients: determinism, sizes by level, curves, variants, fractures, and that nothing but anatomy tells the level."""

from __future__ import annotations

import numpy as np
import pytest

from siil.phantom import draw_anatomy, draw_view
from siil.phantom.anatomy import IN_LIFE
from siil.phantom.morphometry import TABLE, level_rows
from tests.inference.test_morphometry import NEIGHBOURS_MM


def _draw(recipe, count):
    return [draw_anatomy(np.random.default_rng((seed, 0)), recipe, seed=seed) for seed in range(count)]


@pytest.fixture(scope="module")
def patients(make_recipe):
    return _draw(make_recipe(fracture=0, scoliosis=0), 80)


def test_mean_sizes_follow_the_table(patients):
    for name in ("C5", "T6", "L3"):
        widths = [p.level(name).sizes.width for p in patients]
        assert abs(np.mean(widths) / (IN_LIFE * TABLE[name].width) - 1) < 0.03, name
        assert 0.03 < np.std(widths) / np.mean(widths) < 0.10, name


@pytest.mark.parametrize(("pair", "real_mm"), [item for item in NEIGHBOURS_MM.items() if "L6" not in item[0]])
def test_neighbours_are_as_far_apart_as_in_patients(pair, real_mm, patients):
    """Within 6 %, down to T2 12 %: bodies there follow the masks of two tall people (docs/phantoms.md)."""
    upper, lower = pair.split("-")
    apart = [np.linalg.norm(p.level(upper).place.centre_mm - p.level(lower).place.centre_mm) for p in patients]
    assert np.mean(apart) == pytest.approx(real_mm, rel=0.12 if upper[0] == "C" or upper == "T1" else 0.06)


def test_lumbar_bodies_are_wider_than_thoracic_ones_in_every_patient(make_recipe):
    for patient in _draw(make_recipe(), 20):
        assert patient.level("L4").sizes.width > patient.level("T10").sizes.width > patient.level("T5").sizes.width


def test_vertebrae_stack_upwards_without_overlap(make_recipe):
    for patient in _draw(make_recipe(scoliosis=1), 20):
        z = [level.place.centre_mm[2] for level in patient.levels]
        assert np.all(np.diff(z) < -9)
        frames = [level.place.frame for level in patient.levels]
        assert all(np.allclose(f.T @ f, np.eye(3), atol=1e-9) for f in frames)


def test_the_spine_is_lordotic_below_and_kyphotic_above(make_recipe):
    patients = _draw(make_recipe(scoliosis=0, fracture=0), 60)

    def lean(patient, name):
        up = patient.level(name).place.frame[:, 2]
        return np.degrees(np.arctan2(-up[1], up[2]))

    lordosis = np.mean([lean(p, "L5") - lean(p, "L1") for p in patients])
    kyphosis = np.mean([lean(p, "T1") - lean(p, "T12") for p in patients])
    assert 20 < lordosis < 55
    assert 25 < kyphosis < 50


def test_a_scoliosis_bends_the_spine_by_more_than_ten_degrees(make_recipe):
    for patient in _draw(make_recipe(scoliosis=1), 10):
        assert abs(patient.posture.cobb_deg) > 10
        up = np.array([level.place.frame[:, 2] for level in patient.levels])
        side = np.degrees(np.arcsin(up[:, 0]))
        assert np.ptp(side) > 8


def test_a_fracture_costs_height_in_front(make_recipe):
    for patient in _draw(make_recipe(fracture=1), 10):
        broken = [level for level in patient.levels if level.change.front_loss > 0]
        assert broken
        assert all(level.change.front_loss >= 0.15 and level.sizes.wedge < -4 for level in broken)


def test_no_fracture_and_no_variant_when_the_recipe_says_none(make_recipe):
    for patient in _draw(make_recipe(fracture=0, rare_anatomy=0), 20):
        assert all(level.change.front_loss == 0 for level in patient.levels)
        assert [level.name for level in patient.levels] == list(TABLE)
        assert patient.last_rib == "T12"


def test_the_last_lumbar_vertebra_looks_alike_whether_it_is_called_l5_or_l6():
    names = [f"C{n}" for n in range(1, 8)] + [f"T{n}" for n in range(1, 13)] + [f"L{n}" for n in range(1, 7)]
    assert level_rows(names)["L6"] == TABLE["L5"]
    assert level_rows(names)["L1"] == TABLE["L1"]


def test_a_t13_bears_short_ribs_that_are_longer_than_a_stump(make_recipe):
    patients = [p for p in _draw(make_recipe(rare_anatomy=1), 60) if p.level("T13")]
    assert patients
    for patient in patients:
        assert 40 < patient.level("T13").rib_mm < 130
        assert patient.level("L1").rib_mm == 0


def test_views_stay_in_the_recipe_s_ranges(make_recipe):
    recipe = make_recipe(lateral_fov_mm=(220, 260))
    for seed, patient in enumerate(_draw(recipe, 30)):
        view = draw_view(np.random.default_rng((seed, 1)), recipe, patient)
        slice_mm, row_mm, column_mm = view.spacing_mm
        assert 2.0 <= slice_mm <= 3.0
        assert row_mm == column_mm
        assert 1.4 <= row_mm <= 1.6
        assert 218 <= view.shape[1] * row_mm <= 262
        assert sorted("LPS".index({"R": "L", "A": "P", "I": "S"}.get(c, c)) for c in view.orientation) == [0, 1, 2]
        assert view.region in recipe.fields_of_view
