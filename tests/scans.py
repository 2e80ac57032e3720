"""Small scans for tests of the data part: HU with air, fat, soft tissue and bone, in files of the wanted shape."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np

from siil.config.schema.dataset import Pap, Preprocess, Split
from siil.scan.volume import Grid, Volume, write_volume

SETTINGS = Preprocess(
    spacing_mm=3.0,
    window_hu=(-500, 1300),
    crop_to_body=True,
    body_threshold_hu=-300,
    body_margin_mm=3,
    max_voxels=7e8,
    min_length_mm=20,
)
PAP = Pap(background_mass=0.15, end_weight=2, rare_weight=2, rare=("T13", "L6"))
KFOLD = Split(scheme="kfold", folds=2, validation_fraction=0.34, seed=0)


def grid(shape: tuple[int, int, int] = (16, 14, 12), spacing_mm: float = 3.0) -> Grid:
    """An LPS grid at an odd place."""
    return Grid(shape, (spacing_mm,) * 3, (-31.5, 12.25, 100.0))


def scan(on: Grid, seed: int = 0) -> Volume:
    """A trunk of soft tissue and fat in air, with a bone in the middle."""
    random = np.random.default_rng(seed)
    array = np.full(on.shape, -1000, np.int16)
    z, y, x = on.shape
    array[:, 2 : y - 2, 2 : x - 2] = random.integers(-110, 60, (z, y - 4, x - 4))
    array[:, y // 2 - 1 : y // 2 + 2, x // 2 - 1 : x // 2 + 2] = 400
    return Volume(array, on)


def labels(on: Grid, codes: tuple[int, ...] = (19, 20)) -> Volume:
    """The bone, cut into one vertebra per code from the head down."""
    array = np.zeros(on.shape, np.uint8)
    z, y, x = on.shape
    edges = np.linspace(z, 0, len(codes) + 1).round().astype(int)
    for code, high, low in zip(codes, edges[:-1], edges[1:], strict=True):
        array[low:high, y // 2 - 1 : y // 2 + 2, x // 2 - 1 : x // 2 + 2] = code
    return Volume(array, on)


def write_pair(image: Path, mask: Path | None, *, codes: tuple[int, ...] = (19, 20), seed: int = 0) -> None:
    """Write a scan and, if a path is given, its mask."""
    write_volume(image, scan(grid(), seed))
    if mask is not None:
        write_volume(mask, labels(grid(), codes))


def save(path: Path, array: np.ndarray, affine: np.ndarray | None = None) -> Path:
    """Write (x, y, z) voxels with nibabel, sform only, as the release does."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = nib.Nifti1Image(array, np.diag([3.0, 3, 3, 1]) if affine is None else affine)
    image.header.set_sform(image.affine, code=1)
    image.header.set_qform(image.affine, code=0)
    nib.save(image, path)
    return path


def hu_xyz(shape: tuple[int, ...] = (12, 14, 16), seed: int = 0) -> np.ndarray:
    """Plausible HU in nibabel's order of axes, int16."""
    array = np.random.default_rng(seed).integers(-150, 300, shape).astype(np.int16)
    array[:2] = -1000
    return array
