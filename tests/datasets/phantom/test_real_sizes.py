"""Phantom vertebrae against masks of real scans: volumes and extents agree within the spread between two people."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from siil.anatomy import BY_CODE
from siil.datasets.phantom import bones, draw_anatomy
from siil.datasets.phantom.canvas import Canvas

Sizes = dict[str, list[np.ndarray]]


def _measure(mask: np.ndarray, spacing_mm: np.ndarray, into: Sizes) -> None:
    """Volume (cm3) and extents (left-right, front-back, up-down, mm) of the vertebrae that no end slice cuts."""
    for code in np.unique(mask):
        if code not in BY_CODE:
            continue
        place = np.argwhere(mask == code)
        low, high = place.min(axis=0), place.max(axis=0)
        if low[0] == 0 or high[0] == mask.shape[0] - 1:
            continue
        extent = (high - low + 1) * spacing_mm
        into[BY_CODE[code].name].append(np.array([len(place) * np.prod(spacing_mm) / 1000, *extent[::-1]]))


def _real(folder: Path) -> Sizes:
    sizes: Sizes = defaultdict(list)
    for path in sorted(folder.glob("verse-labels*/**/*_seg-vert_msk.nii.gz")):
        image = nib.as_closest_canonical(nib.load(path))
        mask = np.rint(np.asarray(image.dataobj)).astype(np.uint8).T
        _measure(mask, np.array(image.header.get_zooms()[:3][::-1], float), sizes)
    return sizes


def _phantom(make_recipe, count: int) -> Sizes:
    sizes: Sizes = defaultdict(list)
    recipe = make_recipe(scoliosis=0, fracture=0)
    for seed in range(count):
        patient = draw_anatomy(np.random.default_rng((seed, 0)), recipe)
        corners = [bones.bounds(level) for level in patient.levels]
        low = np.min([c[0] for c in corners], axis=0) - 3
        high = np.max([c[1] for c in corners], axis=0) + 3
        shape = tuple(int(v) for v in (high - low)[::-1])
        canvas = Canvas(shape=shape, spacing_mm=(1.0, 1.0, 1.0), origin_mm=low)
        mask, _ = bones.label(canvas, bones.solids(canvas, patient))
        _measure(mask, np.ones(3), sizes)
    return sizes


@pytest.mark.slow
def test_volumes_and_extents_agree_with_real_masks_within_fifteen_percent(real_data, make_recipe):
    real, phantom = _real(real_data), _phantom(make_recipe, 8)
    assert len(real) >= 24
    ratio = np.array([np.mean(phantom[n], axis=0) / np.mean(real[n], axis=0) for n in real if n in phantom])
    assert np.abs(ratio - 1).mean(axis=0).max() < 0.15
    assert np.abs(ratio - 1).max() < 0.35
