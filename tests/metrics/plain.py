"""The straightforward way, as an oracle: whole arrays, distance maps, one vertebra after the other. Slow and simple."""

from __future__ import annotations

import itertools

import numpy as np
from scipy import ndimage

from siil.metrics.surfels import area_table

Spacing = tuple[float, float, float]


def surface_metrics(
    truth: np.ndarray, prediction: np.ndarray, spacing_mm: Spacing, tolerance_mm: float
) -> dict[str, float]:
    """hd_mm, hd95_mm, assd_mm, nsd of two whole bool arrays, by distance maps of the whole array."""
    (one, one_mm2), (two, two_mm2) = (_surface(mask, spacing_mm) for mask in (truth, prediction))
    to_two = ndimage.distance_transform_edt(~two, sampling=spacing_mm)[one]
    to_one = ndimage.distance_transform_edt(~one, sampling=spacing_mm)[two]
    total = one_mm2.sum() + two_mm2.sum()
    near = one_mm2[to_two <= tolerance_mm + 1e-6].sum() + two_mm2[to_one <= tolerance_mm + 1e-6].sum()
    return {
        "hd_mm": max(to_two.max(), to_one.max()),
        "hd95_mm": max(_percentile(to_two, one_mm2), _percentile(to_one, two_mm2)),
        "assd_mm": ((to_two * one_mm2).sum() + (to_one * two_mm2).sum()) / total,
        "nsd": near / total,
    }


def _surface(mask: np.ndarray, spacing_mm: Spacing) -> tuple[np.ndarray, np.ndarray]:
    padded = np.pad(mask, 1).astype(np.uint8)
    codes = np.zeros([n - 1 for n in padded.shape], np.int64)
    for number, shift in enumerate(itertools.product((0, 1), repeat=3)):
        window = tuple(slice(s, s + n) for s, n in zip(shift, codes.shape, strict=True))
        codes += padded[window].astype(np.int64) << (7 - number)
    border = (codes > 0) & (codes < 255)
    return border, area_table(spacing_mm)[codes][border]


def _percentile(distance: np.ndarray, area: np.ndarray) -> float:
    order = np.argsort(distance, kind="stable")
    share = np.cumsum(area[order]) / area.sum()
    return float(distance[order][np.argmax(share >= 0.95 - 1e-9)])
