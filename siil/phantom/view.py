"""One scan of a patient: field of view, grid, orientation, contrast agent and what the scanner adds.

The field of view follows the request (neck, chest, abdomen, lumbar spine, whole spine); its ends fall anywhere, so that
they cut vertebrae.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from siil.config.schema.phantom import PhantomRecipe
from siil.phantom.anatomy import Anatomy
from siil.phantom.bones import bounds
from siil.phantom.variety import PLAIN, Conditions, draw_conditions

ORIENTATIONS = ("LPS", "RAS", "LAS", "LPI", "PIR", "ASL", "AIL", "PSR", "RSA", "RPI")
"""Axis codes (where each voxel axis grows to), as met in VerSe."""
RANGES = {
    "cervical": (("skull",), ("T1", "T2", "T3", "T4")),
    "chest": (("C5", "C6", "C7", "T1"), ("T12", "L1", "L2")),
    "abdomen": (("T8", "T9", "T10", "T11"), ("S3", "hips")),
    "lumbar": (("T10", "T11", "T12"), ("S1", "S3")),
    "whole": (("skull",), ("S1", "S3", "hips")),
}
"""Where the scan begins and ends: one of these, at any height within it."""
VERTEBRA_MARGIN_MM = 8.0


@dataclass(frozen=True, slots=True)
class View:
    """A scan to be rendered. Lengths in mm; (Z, Y, X) in LPS before the file's orientation is applied."""

    region: str
    shape: tuple[int, int, int]
    spacing_mm: tuple[float, float, float]
    origin_mm: tuple[float, float, float]
    """x, y, z of the first voxel"""
    orientation: str
    contrast: float
    """0: none; 1: strong arterial or portal phase"""
    noise_hu: float
    blur: float
    """side weight of the in-plane blur kernel"""
    streaks: float
    table: bool
    kvp: int
    noise_seed: int
    conditions: Conditions = PLAIN


def draw_view(rng: np.random.Generator, recipe: PhantomRecipe, anatomy: Anatomy) -> View:
    """Draw a scan of `anatomy`."""
    names, weights = zip(*sorted(recipe.fields_of_view.items()), strict=True)
    region = str(rng.choice(names, p=np.array(weights) / sum(weights)))
    first, last = RANGES[region]
    top = _height(anatomy, str(rng.choice(first)), float(rng.random()))
    bottom = _height(anatomy, str(rng.choice(last)), float(rng.random()))
    pixel = float(np.round(rng.uniform(*recipe.spacing_xy_mm), 4))
    slice_mm = float(np.round(rng.uniform(*recipe.spacing_z_mm), 2))
    side_mm = float(rng.uniform(*recipe.lateral_fov_mm))
    middle, needed = _spine_extent(anatomy, bottom, top)
    side_mm = max(side_mm, needed + 2 * VERTEBRA_MARGIN_MM)
    slack = max(0.0, (side_mm - needed) / 2 - VERTEBRA_MARGIN_MM)
    shift = rng.uniform(-1, 1, size=2) * min(slack, 15.0)
    forward = min(slack, 0.22 * max(side_mm - 220.0, 0.0))  # a wide field is centred on the body, which lies in front
    count = round(side_mm / pixel)
    slices = max(round((top - bottom) / slice_mm), 16)
    origin = (
        middle[0] + shift[0] - pixel * (count - 1) / 2,
        middle[1] + shift[1] - forward - pixel * (count - 1) / 2,
        bottom,
    )
    contrasted = rng.random() < recipe.contrast
    strength = float(rng.uniform(0.3, 1.0))
    conditions = PLAIN
    if recipe.variety:
        conditions = draw_conditions(rng.spawn(1)[0], recipe.variety, side_mm=count * pixel, slice_mm=slice_mm)
    return View(
        region=region,
        shape=(slices, count, count),
        spacing_mm=(slice_mm, pixel, pixel),
        origin_mm=(float(origin[0]), float(origin[1]), float(origin[2])),
        orientation=str(rng.choice(ORIENTATIONS)),
        contrast=strength if contrasted else 0.0,
        noise_hu=float(rng.uniform(10, 38)),
        blur=float(rng.uniform(0.03, 0.13)),
        streaks=float(rng.uniform(0.3, 1.0)),
        table=bool(rng.random() < 0.9),
        kvp=int(rng.choice((100, 120, 120, 120, 140))),
        noise_seed=int(rng.integers(2**31)),
        conditions=conditions,
    )


def _height(anatomy: Anatomy, name: str, share: float) -> float:
    """z of a landmark, at `share` of its height."""
    sacrum = anatomy.levels[-1].place.centre_mm[2] - anatomy.levels[-1].sizes.height / 2
    if name == "skull":
        return float(anatomy.levels[0].place.centre_mm[2]) + 12 + 35 * share
    if name == "S1":
        return float(sacrum) - 5 - 30 * share
    if name == "S3":
        return float(sacrum) - 35 - 40 * share
    if name == "hips":
        return float(sacrum) - 80 - 60 * share
    level = anatomy.level(name) or anatomy.level("T11")
    assert level is not None
    return float(level.place.centre_mm[2]) + (share - 0.5) * (level.sizes.height + level.sizes.disc)


def _spine_extent(anatomy: Anatomy, bottom: float, top: float) -> tuple[np.ndarray, float]:
    """Middle (x, y) of the vertebrae between two heights, and the side of the square that holds them."""
    corners = [bounds(level) for level in anatomy.levels if bottom - 10 < level.place.centre_mm[2] < top + 10]
    low = np.min([c[0] for c in corners], axis=0)[:2]
    high = np.max([c[1] for c in corners], axis=0)[:2]
    return (low + high) / 2, float((high - low).max())
