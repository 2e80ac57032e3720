"""What makes phantoms differ beyond the textbook: each thing happens, alone, and is where it should be."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy import ndimage

from siil.config.schema.phantom import Variety
from siil.phantom import Scan, draw_anatomy, draw_view, render, sample
from siil.phantom.bones import without_slivers
from siil.phantom.scanner import METAL_HU
from siil.phantom.variety import draw_quirks

NAMES = [f"C{n}" for n in range(1, 8)] + [f"T{n}" for n in range(1, 13)] + [f"L{n}" for n in range(1, 6)]
KEYS = list(Variety.model_fields)


def variety(**shares: float) -> Variety:
    return Variety(**(dict.fromkeys(KEYS, 0.0) | shares))


def scan_of(make_recipe: Any, seed: int = 11, *, field: str = "lumbar", wide: float = 130, **shares: float) -> Scan:
    recipe = make_recipe(
        fields_of_view={field: 1}, lateral_fov_mm=(wide, wide), scoliosis=0, fracture=0, variety=variety(**shares)
    )
    return sample(seed, recipe)


@pytest.mark.parametrize("key", ["slip", "fusion", "implants", "arms", "askew", "uneven_bone", "ribs"])
def test_a_share_moves_one_thing_alone(key: str) -> None:
    none, one = (draw_quirks(np.random.default_rng(3), variety(**{key: share}), NAMES) for share in (0.0, 1.0))
    fields = {
        "slip": {"slip"},
        "fusion": {"fused"},
        "implants": {"screws", "cement"},
        "arms": {"arms"},
        "uneven_bone": {"uneven"},
        "askew": {"turned_deg", "tilted_deg"},
        "ribs": {"ribs"},
    }
    changed = {name for name in none.__slots__ if getattr(none, name) != getattr(one, name)}
    assert changed
    assert changed <= fields[key]


def test_a_slipped_vertebra_takes_all_above_it_forward(make_recipe: Any) -> None:
    plain, slipped = (
        draw_anatomy(np.random.default_rng(5), make_recipe(variety=variety(slip=share))) for share in (0.0, 1.0)
    )
    assert slipped.quirks is not None
    assert slipped.quirks.slip is not None
    name, by_mm = slipped.quirks.slip
    place = [level.name for level in plain.levels].index(name)
    moves = [b.place.centre_mm - a.place.centre_mm for a, b in zip(plain.levels, slipped.levels, strict=True)]
    lengths = np.linalg.norm(moves, axis=1)
    assert lengths[: place + 1] == pytest.approx(by_mm)
    assert lengths[place + 1 :] == pytest.approx(0)
    assert moves[place][1] < 0  # y grows to the back


def test_floating_ribs_alone_are_long_or_short_and_never_stumps(make_recipe: Any) -> None:
    shares = set()
    for seed in range(12):
        plain, varied = (
            draw_anatomy(np.random.default_rng(seed), make_recipe(variety=variety(ribs=ribs))) for ribs in (0.0, 0.6)
        )
        for before, after in zip(plain.levels, varied.levels, strict=True):
            if before.name in ("T11", "T12", "T13"):
                assert after.rib_mm >= 45  # a rib below 4 cm would make it lumbar
                shares.add(round(after.rib_mm / before.rib_mm, 3))
            else:
                assert after.rib_mm == before.rib_mm
    assert min(shares) < 0.7
    assert max(shares) > 1.4


def test_fused_vertebrae_stand_close_and_nothing_is_carved_between_them(make_recipe: Any) -> None:
    plain, fused = (
        draw_anatomy(np.random.default_rng(6), make_recipe(variety=variety(fusion=share))) for share in (0.0, 1.0)
    )
    assert fused.quirks is not None
    name = fused.quirks.fused[0]
    level, before = fused.level(name), plain.level(name)
    assert level is not None
    assert before is not None
    assert level.sizes.disc < 1 < before.sizes.disc


def test_uneven_bone_has_dark_and_bright_arches_and_fat_beside_them_on_the_same_mask(make_recipe: Any) -> None:
    plain, uneven = (scan_of(make_recipe, uneven_bone=share) for share in (0.0, 1.0))
    assert (plain.mask == uneven.mask).all()
    at = plain.centroids_vox["L3"]
    behind = np.arange(plain.mask.shape[1])[None, :, None] > at[1] + 20 / plain.view.spacing_mm[1]
    arch = (plain.mask > 0) & behind
    spread = [float(np.subtract(*np.percentile(scan.hu[arch], (90, 10)))) for scan in (plain, uneven)]
    assert spread[1] > 1.3 * spread[0]
    around = ndimage.binary_dilation(arch, iterations=3) & (plain.mask == 0)
    fat = [float((scan.hu[around] < -30).mean()) for scan in (plain, uneven)]
    assert fat[1] > fat[0] + 0.03


def left_share(scan: Scan, name: str) -> float:
    """Share of a vertebra's voxels on its left."""
    level = scan.anatomy.level(name)
    assert level is not None
    place = np.argwhere(scan.mask == level.code)[:, ::-1]
    points = place * np.array(scan.view.spacing_mm)[::-1] + np.array(scan.view.origin_mm) - level.place.centre_mm
    return float((points @ level.place.frame[:, 0] > 0).mean())


def test_one_side_of_an_uneven_vertebra_is_larger(make_recipe: Any) -> None:
    even, uneven = (scan_of(make_recipe, asymmetry=spread) for spread in (0.0, 0.15))
    whole = [name for name, complete in even.complete.items() if complete]
    off = [max(abs(left_share(scan, name) - 0.5) for name in whole) for scan in (even, uneven)]
    assert off[0] < 0.02
    assert off[1] > off[0] + 0.02


def test_metal_is_in_the_image_and_not_in_the_mask(make_recipe: Any) -> None:
    found = 0
    for seed in range(11, 17):
        bare, held = (scan_of(make_recipe, seed, implants=share) for share in (0.0, 1.0))
        assert (bare.mask == held.mask).all()
        assert held.anatomy.quirks is not None
        if held.anatomy.quirks.screws and any(name in held.complete for name in held.anatomy.quirks.screws):
            found += 1
            assert held.hu.max() == 3071
            assert (held.hu[bare.hu < METAL_HU] > 3000).sum() > 10
            streaks = np.abs(held.hu.astype(int) - bare.hu)[:, :10].max(axis=(1, 2))
            assert streaks.max() > 20  # far in front of the spine, in slices with metal
    assert found


@pytest.mark.parametrize("seed", [11, 12])
def test_arms_lie_beside_the_trunk_or_the_head(make_recipe: Any, seed: int) -> None:
    bare, armed = (scan_of(make_recipe, seed, wide=500, field="whole", arms=share) for share in (0.0, 1.0))
    more = (armed.hu > -300) & (bare.hu < -700)
    assert (bare.mask == armed.mask).all()
    assert more.sum() * np.prod(bare.view.spacing_mm) / 1000 > 300  # cm3
    assert (armed.hu[more] > 400).any()  # with bones


def test_clothes_lie_around_the_body_and_change_nothing_in_it(make_recipe: Any) -> None:
    plain, dressed = (scan_of(make_recipe, 14, wide=430, clothing=share) for share in (0.0, 1.0))
    assert plain.view.table
    assert dressed.view.conditions.cloth_hu is not None
    assert np.array_equal(plain.mask, dressed.mask)
    change = dressed.hu.astype(int) - plain.hu
    cloth = change > 100
    assert cloth.any(axis=(1, 2)).mean() > 0.9  # in nearly all slices
    assert (plain.hu[cloth] < 0).mean() > 0.99  # air, and the skin's edge
    assert not (change[plain.hu > -300] < -200).any()  # neither body nor couch gives way to the air below the cloth
    assert np.abs(change[plain.mask > 0]).mean() < 1  # streaks and noise follow what a slice holds


def test_outside_the_circle_there_is_padding_and_no_label(make_recipe: Any) -> None:
    scan = scan_of(make_recipe, circle=1.0)
    corners = scan.hu[:, [0, 0, -1, -1], [0, -1, 0, -1]]
    assert len(np.unique(corners)) == 1
    assert corners[0, 0] <= -1000
    assert not scan.mask[:, [0, -1], [0, -1]].any()
    assert scan.hu[:, scan.hu.shape[1] // 2, 1].std() > 1


def test_a_hard_kernel_is_noisier_and_sharper(make_recipe: Any) -> None:
    soft, hard = (scan_of(make_recipe, hard_kernel=share) for share in (0.0, 1.0))
    steps = [float(np.abs(np.diff(scan.hu.astype(float), axis=2)).mean()) for scan in (soft, hard)]
    assert steps[1] > 1.5 * steps[0]


def test_a_thick_slice_is_the_mean_of_thin_ones(make_recipe: Any) -> None:
    recipe = make_recipe(fields_of_view={"lumbar": 1}, spacing_z_mm=(5.0, 5.0), variety=variety())
    anatomy = draw_anatomy(np.random.default_rng(2), recipe)
    view = draw_view(np.random.default_rng(3), recipe, anatomy)
    assert view.conditions.sub_slices == 3
    quiet = replace(view, noise_hu=0.0, streaks=0.0, blur=0.0)
    thick = render(anatomy, quiet)
    thin = replace(
        quiet,
        shape=(3 * view.shape[0], *view.shape[1:]),
        spacing_mm=(view.spacing_mm[0] / 3, *view.spacing_mm[1:]),
        origin_mm=(*view.origin_mm[:2], view.origin_mm[2] - view.spacing_mm[0] / 3),
        conditions=replace(view.conditions, sub_slices=1),
    )
    many = render(anatomy, thin)
    mean = many.hu.reshape(-1, 3, *view.shape[1:]).astype(float).mean(axis=1)
    assert np.abs(mean - thick.hu).max() <= 1  # rounding to int16, before and after
    assert (thick.mask == many.mask[1::3]).all()
    assert thick.hu.shape == view.shape


def test_too_little_of_a_vertebra_in_the_slices_of_the_scan_gets_no_label() -> None:
    mask = np.zeros((6, 10, 10), np.uint8)
    mask[:2, :4, :4], mask[4, :3, :2] = 20, 19  # 32 voxels of L1, 6 of T12
    kept = without_slivers(mask, {"T12": False, "L1": True, "L2": True}, (5.0, 1.3, 1.3))
    assert kept == {"L1": True}
    assert set(np.unique(mask)) == {0, 20}
