"""The way from a scan's own grid to the working grid, written down so that it can be gone back exactly.

Between `grid` (where voxels lie) and `preprocess` (which makes the working grid). A scan whose axes run along the
patient's is only turned and flipped (a view, no copy); an oblique one is interpolated.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from siil.errors import DatasetError
from siil.scan.grid import Forms, Grid

ALIGNED = 1e-3
"""Cosines within this of 0 or 1 count as along the patient's axes (0.25 mm at the edge of a 500 mm scan)."""


@dataclass(frozen=True, slots=True)
class Geometry:
    """The scan's own grid, the working grid as stored, and the crop between: its first voxel in the uncropped working
    grid and the shape of that, both (Z, Y, X). `defects` are the repairs said while reading."""

    source: Grid
    working: Grid
    crop_corner_vox: tuple[int, int, int] = (0, 0, 0)
    uncropped_shape_vox: tuple[int, int, int] = (0, 0, 0)
    defects: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Plain values for a JSON file; `orientation` is there for readers only."""
        return asdict(self) | {"orientation": self.source.orientation}

    @classmethod
    def from_json(cls, values: Mapping[str, Any] | str) -> Geometry:
        """The inverse of `to_json`; also takes the text of the file. Raises DatasetError when it is malformed."""
        try:
            found = json.loads(values) if isinstance(values, str) else values
            return cls(
                source=_grid(found["source"]),
                working=_grid(found["working"]),
                crop_corner_vox=_three(found["crop_corner_vox"]),
                uncropped_shape_vox=_three(found["uncropped_shape_vox"]),
                defects=tuple(found["defects"]),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise DatasetError(f"geometry: {error} is missing or malformed; run the preprocess step again") from None

    @classmethod
    def read(cls, path: Path) -> Geometry:
        """The geometry of a JSON file. Raises DatasetError when there is none."""
        try:
            return cls.from_json(Path(path).read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError) as error:
            raise DatasetError(f"{path}: {error}; run the preprocess step again") from None
        except DatasetError as error:
            raise DatasetError(f"{path}: {error}") from None


def _three(values: Any) -> tuple[int, int, int]:
    z, y, x = values
    return int(z), int(y), int(x)


def _grid(values: Mapping[str, Any]) -> Grid:
    sz, sy, sx = values["spacing_mm"]
    x, y, z = values["origin_mm"]
    forms = None if values["forms"] is None else Forms(**{k: _frozen(v) for k, v in values["forms"].items()})
    return Grid(_three(values["shape"]), (sz, sy, sx), (x, y, z), tuple(values["direction"]), forms)


def _frozen(value: Any) -> Any:
    return tuple(value) if isinstance(value, list | tuple) else value


@dataclass(frozen=True, slots=True)
class Axes:
    """How an aligned array is turned to (Z, Y, X) in LPS: `order` of its axes, then `flips`."""

    order: tuple[int, int, int]
    flips: tuple[bool, bool, bool]

    def to_lps(self, array: np.ndarray) -> np.ndarray:
        """A view of `array` with its axes along Z, Y, X of the patient."""
        return np.flip(array.transpose(self.order), tuple(axis for axis in range(3) if self.flips[axis]))

    def from_lps(self, array: np.ndarray) -> np.ndarray:
        """The inverse of `to_lps`."""
        inverse = tuple(int(axis) for axis in np.argsort(self.order))
        return np.flip(array, tuple(axis for axis in range(3) if self.flips[axis])).transpose(inverse)


def lps_axes(grid: Grid) -> Axes | None:
    """How to turn an array on `grid` along the patient's axes; None for an oblique grid."""
    cosines = np.reshape(grid.direction, (3, 3))
    nearest = np.round(cosines)
    if np.abs(cosines - nearest).max() > ALIGNED or (np.abs(nearest).sum(0) != 1).any():
        return None
    columns = [int(np.flatnonzero(nearest[world])[0]) for world in (2, 1, 0)]  # index axis of Z, Y, X
    z, y, x = (2 - column for column in columns)  # array axes are the index axes reversed
    flips = [bool(nearest[world, column] < 0) for world, column in zip((2, 1, 0), columns, strict=True)]
    return Axes((z, y, x), (flips[0], flips[1], flips[2]))


def lps_grid(grid: Grid, axes: Axes) -> Grid:
    """The grid of `axes.to_lps(array)`."""
    z, y, x = axes.order
    first = np.zeros(3)  # x, y, z index of the voxel that becomes (0, 0, 0)
    for axis, flip in zip(axes.order, axes.flips, strict=True):
        first[2 - axis] = grid.shape[axis] - 1 if flip else 0
    ox, oy, oz = (grid.matrix @ [*first, 1.0])[:3].tolist()
    shape, spacing = grid.shape, grid.spacing_mm
    return Grid((shape[z], shape[y], shape[x]), (spacing[z], spacing[y], spacing[x]), (ox, oy, oz))


def length_along_body_mm(grid: Grid) -> float:
    """Extent of the grid along the axis that runs closest to the patient's, mm."""
    column = int(np.argmax(np.abs(np.reshape(grid.direction, (3, 3))[2])))
    return grid.shape[2 - column] * grid.spacing_mm[2 - column]
