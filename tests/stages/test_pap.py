"""Stage `pap`: the map lies on the mask's grid and sums to 1 on disk."""

from __future__ import annotations

import json

import numpy as np
import pytest

from siil import config as configuration
from siil.errors import InputError
from siil.scan import volume
from siil.scan.volume import Grid
from siil.stages.pap import pap
from tests import scans

CONFIG = configuration.partial({"dataset": {"pap": scans.PAP.model_dump()}})


def test_the_map_on_disk_sums_to_one_on_the_grid_of_the_mask(tmp_path):
    scans.write_pair(tmp_path / "a.nii.gz", tmp_path / "m.nii.gz")
    pap(config=CONFIG, mask=tmp_path / "m.nii.gz", output=tmp_path / "pap/a.nii.gz")
    made = volume.read_volume(tmp_path / "pap/a.nii.gz")
    assert made.array.dtype == np.float32
    assert made.array.sum(dtype=np.float64) == pytest.approx(1, abs=1e-6)
    assert made.grid == volume.read_grid(tmp_path / "m.nii.gz")
    assert json.loads((tmp_path / "pap/a.run.json").read_text())["config"]["dataset"]["pap"]["background_mass"] == 0.15


def test_a_mask_that_is_not_on_a_working_grid_is_refused(tmp_path):
    volume.write_volume(tmp_path / "m.nii.gz", scans.labels(Grid((16, 14, 12), (3.0, 1.0, 1.0))))
    with pytest.raises(InputError, match="expected the isotropic working grid"):
        pap(config=CONFIG, mask=tmp_path / "m.nii.gz", output=tmp_path / "pap.nii.gz")
    assert not (tmp_path / "pap.nii.gz").exists()
