"""Example scans lie as one's own do, are ordinary, and the same each time."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from siil.anatomy import BY_CODE
from siil.phantom.example import draw
from siil.scan.volume import read_image, read_mask


def test_an_example_is_a_scan_with_its_mask_on_one_grid_and_of_ordinary_anatomy(tmp_path: Path):
    (path,) = draw(tmp_path, scans=1, field="cervical", seed=3, lateral_mm=130.0)
    assert path == tmp_path / "img" / "cervical3.nii.gz"
    image, mask = read_image(path), read_mask(tmp_path / "msk" / path.name)
    np.testing.assert_allclose(image.grid.matrix, mask.grid.matrix)
    assert sorted(image.grid.spacing_mm) == [1.0, 1.0, 2.0]
    names = {BY_CODE[code].name for code in np.unique(mask.array) if code in BY_CODE}
    assert {"C2", "C3", "C4", "C5"} <= names
    assert names.isdisjoint({"T13", "L6"})
    assert image.array[mask.array > 0].mean() > 100 > image.array[mask.array == 0].mean()


def test_the_same_seed_draws_the_same_bytes(tmp_path: Path):
    one, two = (
        draw(tmp_path / name, scans=1, field="cervical", seed=3, lateral_mm=130.0)[0].read_bytes() for name in "ab"
    )
    assert one == two
