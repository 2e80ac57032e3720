"""Where the slices of a series lie, and their pixels in HU.

A missing or double slice, steps that vary, a gantry tilt and slices of different pixel spacing are refused, each by its
name: a grid has one step, and what a resampled scan would say about the slices between is not known.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from siil.errors import InputError
from siil.scan.dicom.objects import read_header

if TYPE_CHECKING:
    from siil.scan.dicom.objects import Slice

_DRIFT: Final = 1e-2
"""Slices may run off their normal by this much (0.6 degrees) before it counts as a gantry tilt."""


def ordered(slices: list[Slice], path: Path) -> tuple[list[Slice], float]:
    """Slices along their normal and the distance between them, mm. Raises InputError."""
    spacings = np.array([one.spacing_mm for one in slices])
    low, high = spacings.min(axis=0), spacings.max(axis=0)
    if (high - low > 1e-3 * low).any():
        got = " to ".join(f"{row:g} x {column:g}" for row, column in (low, high))
        raise InputError(f"{path}: expected one pixel spacing in a series, got {got} mm; give one reconstruction")
    normal = slices[0].normal
    along = sorted(slices, key=lambda one: float(one.position_mm @ normal))
    _check_steps(np.diff([one.position_mm @ normal for one in along]), path)
    whole = along[-1].position_mm - along[0].position_mm
    drift = float(np.linalg.norm(whole - (whole @ normal) * normal) / np.linalg.norm(whole))
    if drift > _DRIFT:
        tilt = np.degrees(np.arcsin(min(1.0, drift)))
        raise InputError(
            f"{path}: expected slices above each other, got a gantry tilt of {tilt:.1f} degrees; "
            "convert with dcm2niix and give its file that ends in _Tilt_1"
        )
    return along, float(whole @ normal) / (len(along) - 1)


def _check_steps(steps: np.ndarray, path: Path) -> None:
    """Raise InputError for two slices at one place, a gap, or steps that vary."""
    usual = float(np.median(steps))
    if steps.min() < 0.01:
        raise InputError(f"{path}: expected one slice at each place, got two; give one reconstruction of the series")
    odd = np.abs(steps - usual) > max(0.1 * usual, 0.05)
    if not odd.any():
        return
    gap = np.abs(steps / usual - np.round(steps / usual)) < 0.1
    if gap[odd].all() and (steps[odd] > usual).all() and not (odd[1:] & odd[:-1]).any():
        worst = int(np.argmax(steps))
        raise InputError(
            f"{path}: expected slices every {usual:.2f} mm, got {steps[worst]:.2f} mm after slice {worst + 1} of "
            f"{len(steps) + 1}; a slice is missing, export the series again"
        )
    counts = Counter(f"{step:.2f}" for step in np.round(steps, 2).tolist())
    told = ", ".join(f"{step} mm ({count} times)" for step, count in counts.most_common(4))
    raise InputError(
        f"{path}: expected slices at equal steps, got steps of {told}; give a reconstruction of equal steps, or "
        "convert with dcm2niix and give its file that ends in _Eq_1"
    )


def pixels(slices: list[Slice], path: Path) -> np.ndarray:
    """HU of the slices in their order, int16 (Z, Y, X). Raises InputError for pixels that cannot be decoded."""
    try:
        array = np.empty((len(slices), *slices[0].size), np.int16)
    except MemoryError:
        rows, columns = slices[0].size
        raise defects.refusal(
            "too_large", path, f"{columns}x{rows}x{len(slices)} voxels, more than memory holds"
        ) from None
    for number, one in enumerate(slices):
        try:
            array[number] = plane(one.path)
        except Exception as error:  # decoders raise whatever they like on damaged pixels
            raise InputError(f"{path}: cannot decode {one.path.name} ({type(error).__name__}); copy it again") from None
    return array


def plane(path: Path) -> np.ndarray:
    """HU of one file [rows, columns], rounded, clipped to 16 bits. Raises what decoders raise."""
    header = read_header(path, pixels=True)
    slope, intercept = float(header.get("RescaleSlope") or 1), float(header.get("RescaleIntercept") or 0)
    return np.clip(np.rint(header.pixel_array * np.float32(slope) + np.float32(intercept)), -32768, 32767)
