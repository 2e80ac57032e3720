"""The surface of a mask as points with areas ("surfels"), as in DeepMind's surface-distance.

Part of `evaluate`. Where eight voxels meet (a corner of the voxel lattice) and are not all alike, the surface passes;
it is the marching-cubes surface of these eight, and its area in mm2 is the weight of the corner. Voxels outside the
array count as background, so a mask that the grid's border cuts is closed there.

The table of areas is derived here instead of being listed: on each face of the cube of eight, the crossings of the
edges are joined so that the minority (of at most four voxels) falls apart where there is a choice; the closed loops
that come out are triangulated; of all triangulations the one of largest area on a cubic cell. The result equals the
published table for every code and spacing (a test compares it with MONAI's copy).

Reference: Nikolov et al., Clinically Applicable Segmentation of Head and Neck Anatomy for Radiotherapy, JMIR 2021.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import product

import numpy as np

Corner = tuple[float, float, float]
Triple = tuple[int, int, int]
_CORNERS = tuple(product((0, 1), repeat=3))
"""(z, y, x) of the eight voxels; number n is worth 128 >> n in a neighbour code."""


@dataclass(frozen=True, slots=True)
class Surface:
    """points_mm: [N, 3] (z, y, x), index times spacing. areas_mm2: [N]."""

    points_mm: np.ndarray
    areas_mm2: np.ndarray


def surface_of(
    mask: np.ndarray, *, corner_vox: tuple[int, int, int], spacing_mm: tuple[float, float, float]
) -> Surface:
    """Surface of a box of a mask.

    Args:
        mask: [z, y, x] bool; what lies outside the box is background.
        corner_vox: index of the box's first voxel in the whole array; only shifts the points.
        spacing_mm: (Z, Y, X).
    """
    padded = np.pad(mask, 1).astype(np.uint8)
    size = tuple(n - 1 for n in padded.shape)
    codes = np.zeros(size, np.uint8)
    for number, (z, y, x) in enumerate(_CORNERS):
        codes |= padded[z : z + size[0], y : y + size[1], x : x + size[2]] << np.uint8(7 - number)
    where = np.flatnonzero((codes != 0) & (codes != 255))
    index = np.stack(np.unravel_index(where, size), axis=1)
    points = (index + np.asarray(corner_vox) - 0.5) * np.asarray(spacing_mm)
    return Surface(points, area_table(spacing_mm)[codes.ravel()[where]])


@cache
def area_table(spacing_mm: tuple[float, float, float]) -> np.ndarray:
    """[256] area in mm2 of the surface among eight voxels, by neighbour code."""
    areas = np.zeros(256)
    for code, pieces in enumerate(_triangles()):
        for triangle in pieces:
            areas[code] += _area(triangle * np.asarray(spacing_mm))
    return areas


@cache
def _triangles() -> tuple[tuple[np.ndarray, ...], ...]:
    """Per neighbour code its triangles, each [3, 3], in voxels."""
    table = []
    for code in range(256):
        pieces: list[np.ndarray] = []
        for loop in _loops(code):
            pieces.extend(_triangulated(loop))
        table.append(tuple(pieces))
    return tuple(table)


def _triangulated(loop: np.ndarray) -> list[np.ndarray]:
    choices = [[loop[list(triangle)] for triangle in way] for way in _ways(0, len(loop) - 1)]
    # rounding: among equal areas the first, on every machine
    return max(choices, key=lambda way: round(sum(_area(triangle) for triangle in way), 6))


@cache
def _ways(first: int, last: int) -> tuple[tuple[Triple, ...], ...]:
    """All triangulations of the polygon of corners first..last."""
    if last - first < 2:
        return ((),)
    return tuple(
        (*left, *right, (first, middle, last))
        for middle in range(first + 1, last)
        for left in _ways(first, middle)
        for right in _ways(middle, last)
    )


def _area(triangle: np.ndarray) -> float:
    return 0.5 * float(np.linalg.norm(np.cross(triangle[1] - triangle[0], triangle[2] - triangle[0])))


def _loops(code: int) -> Iterator[np.ndarray]:
    """The closed polygons, each [n, 3] midpoints of cube edges, that part the set voxels of a code from the others."""
    inside = {corner: bool(code & 128 >> number) for number, corner in enumerate(_CORNERS)}
    parted = code.bit_count() <= 4  # on a face with two opposite set voxels: keep the minority apart
    joined: dict[Corner, list[Corner]] = {}
    for face in _faces():
        for one, two in _segments(face, inside, parted):
            joined.setdefault(one, []).append(two)
            joined.setdefault(two, []).append(one)
    seen: set[Corner] = set()
    for start in joined:
        if start in seen:
            continue
        loop = [start]
        seen.add(start)
        while ahead := [point for point in joined[loop[-1]] if point not in seen]:
            loop.append(ahead[0])
            seen.add(ahead[0])
        yield np.array(loop)


def _faces() -> Iterator[list[tuple[int, ...]]]:
    for axis, side in product(range(3), (0, 1)):
        others = [a for a in range(3) if a != axis]
        face = []
        for p, q in ((0, 0), (0, 1), (1, 1), (1, 0)):  # around the face
            corner = [side, side, side]
            corner[others[0]], corner[others[1]] = p, q
            face.append(tuple(corner))
        yield face


def _segments(
    face: list[tuple[int, ...]], inside: dict[tuple[int, ...], bool], parted: bool
) -> list[tuple[Corner, Corner]]:
    """The lines on a face between midpoints of the edges that the surface crosses (marching squares)."""
    middles = [tuple((a + b) / 2 for a, b in zip(face[n], face[(n + 1) % 4], strict=True)) for n in range(4)]
    crossed = [n for n in range(4) if inside[face[n]] != inside[face[(n + 1) % 4]]]
    if len(crossed) == 2:
        return [(middles[crossed[0]], middles[crossed[1]])]  # type: ignore[list-item]
    if len(crossed) == 4:
        return [(middles[n - 1], middles[n]) for n in range(4) if inside[face[n]] == parted]  # type: ignore[misc]
    return []
