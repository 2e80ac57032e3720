"""The CT series of a folder or a zip as a volume, and its files for what must refer to them."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from siil.scan import archive, defects
from siil.scan.dicom.choosing import choose
from siil.scan.dicom.objects import quiet
from siil.scan.dicom.stacking import ordered, pixels
from siil.scan.grid import Grid, Volume


def read_series(path: Path) -> Volume:
    """Read the CT series in a folder (searched to its depths) or a zip as int16 HU.

    Raises:
        InputError: no CT series, several patients or studies, a slice that is missing, double or cannot be used, steps
            that vary, a gantry tilt, damaged pixels.
    """
    with _folder(Path(path)) as folder, quiet():
        slices, notes = choose(folder, path)
        slices, step_mm = ordered(slices, path)
        array = pixels(slices, path)
    first = slices[0]
    offset = defects.check_hu(array, path)
    if offset:
        array -= 1024
        notes.append(offset)
    columns = np.stack([first.orientation[:3], first.orientation[3:], first.normal], axis=1)
    affine = np.eye(4)
    affine[:3, :3] = columns * [first.spacing_mm[1], first.spacing_mm[0], step_mm]
    spacing, cosines, repaired = defects.orthonormal(affine, path)
    sx, sy, sz = spacing.tolist()
    x, y, z = first.position_mm.tolist()
    depth, height, width = array.shape
    grid = Grid((depth, height, width), (sz, sy, sx), (x, y, z), tuple(cosines.ravel().tolist()))
    return Volume(array, grid, (*notes, *repaired))


@contextmanager
def series_files(path: Path) -> Iterator[list[Path]]:
    """Files of the series that `read_series` reads, in the order of the volume's slices: a DICOM-SEG refers to them.

    Files of a zip exist inside the block only. Raises InputError as `read_series` does.
    """
    with _folder(Path(path)) as folder, quiet():
        slices, _ = choose(folder, path)
        yield [one.path for one in ordered(slices, path)[0]]


@contextmanager
def _folder(path: Path) -> Iterator[Path]:
    if path.is_dir():
        yield path
        return
    if not path.is_file():
        raise defects.refusal("missing", path, "nothing")
    with tempfile.TemporaryDirectory() as place:
        archive.unpack(path, Path(place) / "series")
        yield Path(place) / "series"
