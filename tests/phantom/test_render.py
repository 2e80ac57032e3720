"""What a rendered scan must hold: the labels, their order, one piece each, centroids, the cut ones, plausible HU."""

from __future__ import annotations

import time
from itertools import pairwise

import numpy as np
import pytest
from scipy import ndimage

from siil.anatomy import BY_CODE, BY_NAME, RIB_CODE, SACRUM_CODE
from siil.phantom import Scan, bones, draw_anatomy, draw_view, sample
from siil.phantom.trunk import Trunk

REGIONS = ("cervical", "chest", "lumbar")


def _at(scan: Scan, point_mm: np.ndarray) -> np.ndarray:
    """HU in a 3 x 3 x 3 neighbourhood of a patient point; empty outside the scan."""
    index = np.rint((point_mm - np.array(scan.view.origin_mm))[::-1] / np.array(scan.view.spacing_mm)).astype(int)
    if (index < 1).any() or (index >= np.array(scan.hu.shape) - 1).any():
        return np.empty(0)
    return scan.hu[tuple(slice(i - 1, i + 2) for i in index)]


def test_the_same_seed_gives_the_same_scan_whatever_was_drawn_before(make_recipe, scans):
    sample(8, make_recipe())
    again = sample(7, make_recipe(fields_of_view={"lumbar": 1}))
    assert np.array_equal(again.hu, scans["lumbar"].hu)
    assert np.array_equal(again.mask, scans["lumbar"].mask)
    assert again.centroids_vox == scans["lumbar"].centroids_vox


def test_another_seed_gives_another_patient(make_recipe, scans):
    other = sample(8, make_recipe(fields_of_view={"lumbar": 1}))
    assert other.anatomy.levels[20].sizes != scans["lumbar"].anatomy.levels[20].sizes


def test_a_second_series_shows_the_same_patient_in_another_view(make_recipe, scans):
    second = sample(7, make_recipe(fields_of_view={"lumbar": 1}), series=1)
    assert [level.sizes for level in second.anatomy.levels] == [level.sizes for level in scans["lumbar"].anatomy.levels]
    assert second.view != scans["lumbar"].view


@pytest.mark.parametrize("region", REGIONS)
def test_labels_are_contiguous_and_run_from_head_to_foot(scans, region):
    scan = scans[region]
    names = list(scan.complete)
    order = [level.name for level in scan.anatomy.levels]
    first = order.index(names[0])
    assert names == order[first : first + len(names)]
    assert {BY_CODE[c].name for c in np.unique(scan.mask) if c in BY_CODE} == set(names)
    heights = [np.argwhere(scan.mask == BY_NAME[n].code)[:, 0].mean() for n in names if scan.complete[n]]
    assert all(upper > lower for upper, lower in pairwise(heights))


@pytest.mark.parametrize("region", REGIONS)
def test_a_body_centre_lies_in_its_own_label(scans, region):
    scan = scans[region]
    bodies = {name: place for name, place in scan.centroids_vox.items() if name != "C1"}
    assert len(bodies) >= 4
    for name, place in bodies.items():
        assert scan.mask[tuple(round(v) for v in place)] == BY_NAME[name].code, name


def test_the_centroid_of_c1_which_has_no_body_is_that_of_its_mask(make_recipe):
    scan = sample(8, make_recipe(fields_of_view={"cervical": 1}))  # holds the whole of C1
    expected = np.argwhere(scan.mask == 1).mean(axis=0)
    assert np.allclose(scan.centroids_vox["C1"], expected, atol=1e-6)


def test_the_mask_holds_the_ribs_of_a_chest_and_the_sacrum_below_the_loins(scans):
    held = {region: set(np.unique(scan.mask)) & {SACRUM_CODE, RIB_CODE} for region, scan in scans.items()}
    assert RIB_CODE in held["chest"]
    assert SACRUM_CODE not in held["chest"] | held["cervical"]
    lumbar = scans["lumbar"]
    last = lumbar.centroids_vox[list(lumbar.complete)[-1]][0]
    sacrum = np.argwhere(lumbar.mask == SACRUM_CODE)
    assert sacrum[:, 0].mean() < last  # below the last lumbar vertebra
    assert lumbar.hu[lumbar.mask == SACRUM_CODE].mean() > 150
    ribs = np.argwhere(scans["chest"].mask == RIB_CODE)
    middle = np.mean([place[2] for place in scans["chest"].centroids_vox.values()])
    assert min((ribs[:, 2] < middle).sum(), (ribs[:, 2] > middle).sum()) > 0.3 * len(ribs)  # on both sides


@pytest.mark.parametrize("region", REGIONS)
def test_a_whole_vertebra_is_one_piece(scans, region):
    scan = scans[region]
    for name, whole in scan.complete.items():
        if whole:
            _, pieces = ndimage.label(scan.mask == BY_NAME[name].code, np.ones((3, 3, 3)))
            assert pieces == 1, name


@pytest.mark.parametrize("region", REGIONS)
def test_neighbours_touch_at_their_facets_at_most(scans, region):
    scan = scans[region]
    whole = [name for name, complete in scan.complete.items() if complete]
    for upper, lower in pairwise(whole):
        a, b = (scan.mask == BY_NAME[n].code for n in (upper, lower))
        shared = ndimage.binary_dilation(a) & b
        assert shared.sum() < 0.06 * b.sum(), (upper, lower)


@pytest.mark.parametrize("region", REGIONS)
def test_complete_means_away_from_every_border(scans, region):
    scan = scans[region]
    for name, whole in scan.complete.items():
        z, y, x = np.nonzero(scan.mask == BY_NAME[name].code)
        inside = all(v.min() > 0 and v.max() < n - 1 for v, n in zip((z, y, x), scan.mask.shape, strict=True))
        assert inside == whole, name


def test_a_scan_of_the_chest_cuts_vertebrae_at_its_ends(scans):
    flags = list(scans["chest"].complete.values())
    assert not flags[-1]
    assert sum(flags) >= 8


def test_tissues_have_the_hu_that_ct_shows(scans):
    scan = scans["lumbar"]
    fat, muscle = scan.anatomy.tissue.fat_hu, scan.anatomy.tissue.muscle_hu
    level = scan.anatomy.level("L3")
    middle = _at(scan, level.place.centre_mm)
    assert abs(np.median(middle) - scan.anatomy.tissue.trabecular_hu) < 60
    assert 50 <= scan.anatomy.tissue.trabecular_hu <= 300
    pedicles = scan.hu[scan.mask == level.code]
    assert 450 < np.percentile(pedicles, 98) < 1600
    assert -120 < fat < -85
    assert 30 < muscle < 75


def test_lungs_are_dark_beside_the_thoracic_spine(make_recipe):
    scan = sample(3, make_recipe(fields_of_view={"chest": 1}, lateral_fov_mm=(200, 200)))
    place = scan.anatomy.level("T6").place.centre_mm
    values = _at(scan, place + np.array((60.0, 0.0, 0.0)))
    assert -1000 < np.median(values) < -600


@pytest.mark.parametrize(("variant", "last"), [("T13", "T13"), ("L6", "T12"), ("T11", "T11")])
def test_ribs_end_where_the_variant_says(make_recipe, variant, last):
    recipe = make_recipe(rare_anatomy=1, fields_of_view={"abdomen": 1}, lateral_fov_mm=(180, 180), scoliosis=0)
    scan = sample(next(n for n in range(60, 160) if _shows(n, recipe, variant, last)), recipe)
    assert scan.anatomy.last_rib == last
    path = Trunk(scan.anatomy).ribs.path(last)
    values = _at(scan, (path[1] + path[2]) / 2)
    assert values.size
    assert values.max() > 180
    below = scan.anatomy.levels[[level.name for level in scan.anatomy.levels].index(last) + 1]
    assert below.rib_mm == 0


def _shows(seed: int, recipe, variant: str, last: str) -> bool:
    """Whether the patient of a seed is of this variant and its scan reaches above the last rib."""
    anatomy = draw_anatomy(np.random.default_rng((seed, 0)), recipe)
    names = [level.name for level in anatomy.levels]
    if not {"T13": "T13" in names, "L6": "L6" in names, "T11": "T12" not in names}[variant]:
        return False
    view = draw_view(np.random.default_rng((seed, 1)), recipe, anatomy)
    top = view.origin_mm[2] + view.spacing_mm[0] * (view.shape[0] - 2)
    return bones.bounds(anatomy.level(last))[1][2] < top


@pytest.mark.slow
def test_a_scan_at_one_and_a_half_millimetres_takes_seconds(make_recipe):
    fine = {"spacing_xy_mm": (1.5, 1.5), "spacing_z_mm": (1.5, 1.5)}
    sample(1, make_recipe(**fine))
    for region, side in (("cervical", 200), ("chest", 350), ("abdomen", 350), ("lumbar", 200), ("whole", 350)):
        recipe = make_recipe(**fine, fields_of_view={region: 1}, lateral_fov_mm=(side, side))
        start = time.process_time()
        sample(5, recipe)
        assert time.process_time() - start < 8.0, region  # 2 s on an idle core
