"""The benchmark of `siil audit` in a small size: defects are found, clean scans are left alone."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.audit import all_of, drawn, judge
from benchmarks.defects import KINDS, PLANTS
from siil.audit.norms import norms


def test_every_plant_changes_the_scan_and_says_what_finds_it(tmp_path):
    scan = drawn(97501, tmp_path)
    again = drawn(97501, tmp_path)  # from the folder
    np.testing.assert_array_equal(scan.mask.array, again.mask.array)
    assert set(KINDS) == {*PLANTS, "duplicate"}
    for number, (kind, plant) in enumerate(PLANTS.items()):
        bad = plant(np.random.default_rng(number), scan)
        assert bad is not None, kind
        same = (bad.mask.array == scan.mask.array).all() and bad.mask.grid == scan.mask.grid
        assert not same or bad.centroids != scan.centroids or bad.header is not None, kind


@pytest.mark.slow
def test_planted_defects_are_found_and_clean_scans_left_alone(tmp_path, capsys):
    clean = [all_of(seed, folder=tmp_path, planted=False)[""] for seed in range(97400, 97412)]
    bad = [all_of(seed, folder=tmp_path, planted=True) for seed in range(97412, 97418)]
    counts = judge(clean, bad, norms([*clean, *(found["mixed"] for found in bad if "mixed" in found)]))
    assert counts[""][1] <= 1, capsys.readouterr().out
    total = sum(counts[kind][0] for kind in KINDS)
    assert sum(counts[kind][1] for kind in KINDS) >= 0.95 * total, capsys.readouterr().out
    assert all(found >= scans - 1 for scans, found, _ in (counts[kind] for kind in KINDS))
