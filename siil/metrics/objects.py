"""Where the vertebrae of a label map lie: bounding box, volume and centre of mass, in one pass.

Part of `evaluate`; every other metric works in these boxes, never on the whole array. Arrays are (Z, Y, X) with VerSe
codes; sacrum, coccyx and what nobody annotated are no vertebrae and are passed over on both sides.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from siil.anatomy import BY_CODE, IGNORED_CODES, UNLABELLED, UNNAMED
from siil.errors import InputError

Box = tuple[slice, slice, slice]


@dataclass(frozen=True, slots=True)
class Located:
    """One vertebra of a label map. `box` is tight; `centroid_mm` is voxel index times spacing, in the array's axes."""

    code: int
    box: Box
    voxels: int
    centroid_mm: np.ndarray


def locate(labels: np.ndarray, spacing_mm: tuple[float, float, float]) -> dict[int, Located]:
    """Code -> where it is, in order of the codes.

    Args:
        labels: [Z, Y, X] uint8, VerSe codes.
        spacing_mm: (Z, Y, X).

    Raises:
        InputError: not 3D, not uint8, or a label outside the VerSe table.
    """
    if labels.ndim != 3 or labels.dtype != np.uint8:
        raise InputError(f"label map: expected a 3D array of uint8, got {labels.ndim}D of {labels.dtype}")
    places: dict[int, Located] = {}
    for code, box in enumerate(ndimage.find_objects(labels), start=1):
        if box is None or code in (*IGNORED_CODES, UNNAMED, UNLABELLED):
            continue
        if code not in BY_CODE:
            raise InputError(f"label map: label {code} is outside the VerSe table; expected 0-28 (26, 27 are ignored)")
        mask = labels[box] == code
        along = [mask.sum(axis=tuple({0, 1, 2} - {axis})) for axis in range(3)]
        voxels = int(along[0].sum())
        middle = [side.start + np.arange(len(n)) @ n / voxels for side, n in zip(box, along, strict=True)]
        places[code] = Located(code, box, voxels, np.array(middle) * np.asarray(spacing_mm))
    return places


def complete(places: dict[int, Located], shape: tuple[int, ...]) -> set[int]:
    """Codes of the vertebrae that no border face of the grid cuts: no voxel in the outermost layer of any axis."""
    return {
        code
        for code, place in places.items()
        if all(side.start > 0 and side.stop < size for side, size in zip(place.box, shape, strict=True))
    }
