"""Densities of bone by depth: known answers on a block, and uneven phantoms nearer to a real scan than even ones."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest

from benchmarks import bone_density
from benchmarks.bone_density import Places, densities, main, phantoms, real, rows
from siil import config as configuration
from siil.scan.grid import Grid, Volume

ARCH = "arch, 0 to 3.5 mm deep"


def test_a_block_has_its_shell_and_its_inside_apart():
    shape = (16, 24, 16)
    grid = Grid(shape, (3.0, 3.0, 3.0), (0.0, 0.0, 0.0))
    labels, hu = np.zeros(shape, np.uint8), np.full(shape, 40, np.int16)
    labels[2:14, 4:16, 2:14] = 22  # L3
    hu[2:14, 4:16, 2:14] = 900
    hu[4:12, 6:14, 4:12] = 100
    found: Places = defaultdict(list)
    densities(Volume(hu, grid), Volume(labels, grid), found)
    assert found["body, 0 to 3.5 mm deep"][0].tolist() == [900, 900, 900]
    assert found["body, deeper than 6.5 mm"][0].tolist() == [100, 100, 100]
    assert found["around"][0].tolist() == [40, 40, 40]
    assert rows({"x": found})[0] == "| where | x (n = 1) |"


def test_a_vertebra_that_the_scan_cuts_is_left_out():
    grid = Grid((8, 8, 8), (3.0, 3.0, 3.0), (0.0, 0.0, 0.0))
    labels = np.zeros((8, 8, 8), np.uint8)
    labels[3:] = 22
    found: Places = defaultdict(list)
    densities(Volume(labels.astype(np.int16), grid), Volume(labels, grid), found)
    assert not found


def test_without_the_folder_of_real_scans_one_line_says_what_to_set(monkeypatch):
    monkeypatch.delenv("SIIL_REAL_DATA", raising=False)
    monkeypatch.setattr("sys.argv", ["bone_density"])
    with pytest.raises(SystemExit, match="SIIL_REAL_DATA: expected"):
        main()


def test_arches_of_uneven_phantoms_spread_as_those_of_a_real_scan(monkeypatch, real_data: Path):
    monkeypatch.setattr(bone_density, "SEEDS", range(500, 503))
    dataset = configuration.resolve("phantom_more").dataset
    theirs = np.mean(dict(real(real_data, dataset))["ts-example-ct"][ARCH], axis=0)
    even, uneven = (np.mean(phantoms(dataset, uneven=share)[ARCH], axis=0) for share in (0.0, 1.0))
    gaps = [np.abs(values - theirs) for values in (even, uneven)]
    assert (gaps[1] < gaps[0]).all()
