"""Augmentation: at most one of affine, elastic and noise per patch; never a mirror (a body has a left and a right).

A spatial augmentation is a field of sampling positions around the patch's centre, in voxels of the working grid. Image
and labels are read from the whole scan at the same positions, so labels stay aligned and the patch's border shows
anatomy, not fill. Everything runs on the CPU in a few milliseconds.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
import torch
from scipy.spatial.transform import Rotation
from torch.nn import functional

from siil.config.schema.training import Augment
from siil.scan.preprocess import AIR

ELASTIC_STEP_MM: Final = 24.0
"""Distance of the elastic control points: about the height of a vertebra, so that neighbours deform apart."""

SHORTEST: Final = 0.15
"""The shortest slab that `shorten` leaves, as a share of the patch's height."""

Kind = Literal["none", "affine", "elastic", "noise"]


@dataclass(frozen=True, slots=True)
class Augmentation:
    """What happens to one patch.

    positions_vox: [3, Z, Y, X] float32, where each voxel of the patch is read, relative to the centre; None: in place.
    noise_hu: [Z, Y, X] float32 added to the image, or None.
    """

    kind: Kind
    positions_vox: np.ndarray | None = None
    noise_hu: np.ndarray | None = None


def draw_augmentation(
    generator: np.random.Generator, *, settings: Augment, patch_vox: tuple[int, int, int], spacing_mm: float
) -> Augmentation:
    """Draw what happens to one patch: nothing with probability 1 - p, else one of the three kinds, equally likely."""
    if generator.random() >= settings.probability:
        return Augmentation("none")
    match generator.integers(3):
        case 0:
            return Augmentation("affine", _grid(patch_vox, draw_matrix(generator, settings=settings)))
        case 1:
            displacement = _displacement(generator, settings.elastic_mm, patch_vox, spacing_mm)
            return Augmentation("elastic", _grid(patch_vox, np.eye(3)) + displacement)
        case _:
            noise = generator.standard_normal(patch_vox, dtype=np.float32)
            return Augmentation("noise", noise_hu=settings.noise_hu * noise)


def shorten(
    image: np.ndarray, labels: np.ndarray, generator: np.random.Generator, *, probability: float
) -> tuple[np.ndarray, np.ndarray]:
    """With `probability` a patch of a scan that ends within it: air above and below a slab that holds the centre.

    image [Z, Y, X] is normalised, labels are uint8. The slab is SHORTEST of the patch's slices high at
    least and lies anywhere around the centre, so it may end at one side alone. The same objects when nothing happens.
    """
    if probability == 0 or generator.random() >= probability:
        return image, labels
    slices = len(image)
    high = int(generator.integers(math.ceil(SHORTEST * slices), slices, endpoint=True))
    first = slices // 2 - int(generator.integers(high))
    outside = np.ones(slices, bool)
    outside[max(first, 0) : first + high] = False
    image, labels = image.copy(), labels.copy()
    image[outside], labels[outside] = AIR, 0
    return image, labels


def draw_matrix(generator: np.random.Generator, *, settings: Augment) -> np.ndarray:
    """[3, 3] rotation about the three axes times a scale per axis. Its determinant is positive: it cannot mirror."""
    angles = generator.uniform(-settings.rotation_deg, settings.rotation_deg, 3)
    scales = generator.uniform(1 - settings.scale, 1 + settings.scale, 3)
    return Rotation.from_euler("zyx", angles, degrees=True).as_matrix() * scales


def resample(
    array: np.ndarray, *, centre: tuple[int, int, int], positions_vox: np.ndarray, fill: float, nearest: bool
) -> np.ndarray:
    """Read `array` [Z, Y, X] at `positions_vox` [3, z, y, x] around `centre`; voxels outside are `fill`.

    Only the box that the positions span is touched. Returns float32 [z, y, x]; linear, or nearest for labels.
    """
    flat = positions_vox.reshape(3, -1)
    low = np.floor(flat.min(axis=1)).astype(int)
    high = np.ceil(flat.max(axis=1)).astype(int) + 1
    size = np.maximum(high - low + 1, 2)
    block = crop(array, start=tuple(np.asarray(centre) + low), size=tuple(size), fill=fill)
    source = torch.from_numpy(block.astype(np.float32))[None, None]
    first, step = (a.astype(np.float32)[:, None, None, None] for a in (low, 2 / (size - 1)))
    unit = (positions_vox - first) * step - 1  # grid_sample counts from -1 to 1, and x before z
    grid = torch.from_numpy(np.ascontiguousarray(unit[::-1].transpose(1, 2, 3, 0)))[None]
    mode = "nearest" if nearest else "bilinear"
    return functional.grid_sample(source, grid, mode=mode, padding_mode="border", align_corners=True)[0, 0].numpy()


def crop(array: np.ndarray, *, start: tuple[int, ...], size: tuple[int, ...], fill: float) -> np.ndarray:
    """`size` voxels of `array` from `start`, which may lie outside: there the crop is `fill`. Returns a copy."""
    out = np.full(size, fill, array.dtype)
    inside, outside = [], []
    for first, length, extent in zip(start, size, array.shape, strict=True):
        low, high = max(first, 0), min(first + length, extent)
        if low >= high:
            return out
        inside.append(slice(low, high))
        outside.append(slice(low - first, high - first))
    out[tuple(outside)] = array[tuple(inside)]
    return out


def _grid(patch_vox: tuple[int, int, int], matrix: np.ndarray) -> np.ndarray:
    """[3, Z, Y, X] float32: matrix times (voxel index - centre index)."""
    z, y, x = (np.arange(n, dtype=np.float32) - n // 2 for n in patch_vox)
    m = matrix.astype(np.float32)[:, :, None, None, None]
    return m[:, 0] * z[:, None, None] + m[:, 1] * y[:, None] + m[:, 2] * x


def _displacement(
    generator: np.random.Generator, sigma_mm: float, patch_vox: tuple[int, int, int], spacing_mm: float
) -> np.ndarray:
    """[3, Z, Y, X] float32 voxels: normal at control points, linear between them."""
    points = tuple(math.ceil(n * spacing_mm / ELASTIC_STEP_MM) + 1 for n in patch_vox)
    control = generator.standard_normal((1, 3, *points), dtype=np.float32) * np.float32(sigma_mm / spacing_mm)
    return functional.interpolate(torch.from_numpy(control), size=patch_vox, mode="trilinear", align_corners=True)[
        0
    ].numpy()
