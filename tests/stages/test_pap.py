"""Stage `pap`: the map lies on the mask's grid and sums to 1 on disk."""

from __future__ import annotations

import json

import numpy as np
import pytest

from siil import config as configuration
from siil.datasets.cases import write_cases
from siil.errors import InputError
from siil.run import checksums
from siil.scan import volume
from siil.scan.volume import Grid
from siil.stages.pap import pap
from tests import scans
from tests.datasets.test_cases import case

CONFIG = configuration.partial({"dataset": {"pap": scans.PAP.model_dump()}})


def run(folder):
    write_cases(folder / "cases.tsv", [case("a")])
    pap(config=CONFIG, cases=folder / "cases.tsv", data=folder, manifest=folder / "pap/1.of.1.sha256")


def test_the_map_on_disk_sums_to_one_on_the_grid_of_the_mask(tmp_path):
    scans.write_pair(tmp_path / "a.nii.gz", tmp_path / "msk/a.nii.gz")
    run(tmp_path)
    made = volume.read_volume(tmp_path / "pap/a.nii.gz")
    assert made.array.dtype == np.float32
    assert made.array.sum(dtype=np.float64) == pytest.approx(1, abs=1e-6)
    assert made.grid == volume.read_grid(tmp_path / "msk/a.nii.gz")
    assert json.loads((tmp_path / "pap/a.run.json").read_text())["config"]["dataset"]["pap"]["background_mass"] == 0.15
    assert list(checksums.read(tmp_path / "pap/1.of.1.sha256")) == [tmp_path / "pap/a.nii.gz"]


def test_a_mask_that_is_not_on_a_working_grid_is_refused(tmp_path):
    volume.write_volume(tmp_path / "msk/a.nii.gz", scans.labels(Grid((16, 14, 12), (3.0, 1.0, 1.0))))
    with pytest.raises(InputError, match="expected the isotropic working grid"):
        run(tmp_path)
    assert not (tmp_path / "pap/a.nii.gz").exists()
