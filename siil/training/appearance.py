"""Domain randomisation: a patch as another scanner, dose, kernel or patient would show it. Only the image changes.

For networks that train on phantoms alone (`train.augment.appearance`, off elsewhere): every change below happens by
itself with that probability, on top of the geometric augmentation. HU in, HU out; noise comes last, as in a scanner.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from scipy import ndimage

_KNOTS_HU: Final = np.array([-1100.0, -300, -100, 0, 60, 150, 350, 800, 1600, 3200])
"""Where the tone curve is moved: air, fat, water, soft tissue, marrow, cortex, metal."""
_KNOT_SHIFT: Final = 0.3
"""Standard deviation of a knot's shift, over the distance to its nearest neighbour."""
_BIAS_HU: Final = 40.0
_CELL_MM: Final = 60.0


def randomise(
    image: np.ndarray, generator: np.random.Generator, *, probability: float, spacing_mm: float
) -> np.ndarray:
    """`image` [Z, Y, X] float32 in HU, changed; the same object when nothing happens (probability 0: nothing drawn)."""
    if probability == 0:
        return image
    happens = generator.random(6) < probability
    if happens[0]:
        image = _tone(image, generator)
    if happens[1]:
        image = image + _smooth_field(image.shape, generator, spacing_mm) * np.float32(_BIAS_HU)
    if happens[2]:
        image = _thick_slices(image, generator)
    if happens[3]:
        image = _kernel(image, generator)
    if happens[4]:
        image = _streaks(image, generator)
    if happens[5]:
        image = _noise(image, generator)
    return image.astype(np.float32, copy=False)


def _tone(image: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """A monotone curve of HU: denser or poorer bone, contrast agent, another tube voltage, a badly calibrated zero."""
    gaps = np.diff(_KNOTS_HU)
    room = np.minimum(np.append(gaps, np.inf), np.insert(gaps, 0, np.inf))
    moved = _KNOTS_HU + np.clip(generator.standard_normal(len(_KNOTS_HU)) * _KNOT_SHIFT, -0.45, 0.45) * room
    return np.interp(image, _KNOTS_HU, moved).astype(np.float32)


def _smooth_field(shape: tuple[int, ...], generator: np.random.Generator, spacing_mm: float) -> np.ndarray:
    """Standard normal at control points 60 mm apart, linear between them: cupping, say."""
    points = [max(2, round(n * spacing_mm / _CELL_MM) + 1) for n in shape]
    control = generator.standard_normal(points).astype(np.float32)
    for axis, count in enumerate(shape):
        places = np.linspace(0, control.shape[axis] - 1, count)
        low = np.minimum(places.astype(int), control.shape[axis] - 2)
        share = (places - low).astype(np.float32).reshape([-1 if a == axis else 1 for a in range(3)])
        control = control.take(low, axis) * (1 - share) + control.take(low + 1, axis) * share
    return control


def _thick_slices(image: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Slices of up to three voxels, averaged and interpolated back: along Z mostly, else along Y or X."""
    axis = int(generator.choice(3, p=[0.7, 0.15, 0.15]))
    factor = generator.uniform(1.2, 3.0)
    count = image.shape[axis]
    places = np.clip(np.arange(0, count + factor, factor) + generator.uniform(-0.5, 0.5) * factor, 0, count - 1)
    kept = ndimage.uniform_filter1d(image, max(1, round(factor)), axis=axis, mode="nearest").take(
        np.round(places).astype(int), axis
    )
    at = np.interp(np.arange(count), places, np.arange(len(places)))
    low = np.minimum(at.astype(int), len(places) - 2)
    share = (at - low).astype(np.float32).reshape([-1 if a == axis else 1 for a in range(3)])
    return kept.take(low, axis) * (1 - share) + kept.take(low + 1, axis) * share


def _kernel(image: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """A softer reconstruction kernel, or a harder one that overshoots at edges."""
    soft = ndimage.gaussian_filter(image, generator.uniform(0.4, 1.0))
    return soft if generator.random() < 0.5 else image + np.float32(generator.uniform(0.3, 1.2)) * (image - soft)


def _streaks(image: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Rays from a point in or beside each slice, with a strength that changes slowly along Z (photon starvation)."""
    _, height, width = image.shape
    y, x = np.mgrid[:height, :width].astype(np.float32)
    centre = generator.uniform(-0.2, 1.2, 2) * (height, width)
    angle = np.arctan2(y - centre[0], x - centre[1])
    rays = sum(np.cos(n * angle + generator.uniform(0, 2 * np.pi)) for n in generator.integers(6, 30, 5))
    along = ndimage.gaussian_filter1d(generator.standard_normal(len(image)), 3, mode="nearest")
    along = along / max(float(np.abs(along).max()), 1e-6) * generator.uniform(5, 40)
    return image + (along[:, None, None] * rays).astype(np.float32)


def _noise(image: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Noise with the grain of a reconstruction: correlated over up to a voxel in the plane."""
    noise = generator.standard_normal(image.shape, dtype=np.float32)
    grain = generator.uniform(0, 0.8)
    noise = ndimage.gaussian_filter(noise, (0, grain, grain))
    return image + noise / noise.std() * np.float32(generator.uniform(5, 80))
