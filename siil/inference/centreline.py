"""The centreline of the spine: a smooth curve through O_R, and arclength coordinates of voxels along it.

First step of the whole-scan decoding (docs/decoding.md). A dynamic programme over horizontal slabs finds the track
that collects most spine mass while moving little sideways; the mass of a slab saturates, so that a pelvis or a skull
full of false positives weighs no more than a vertebra, and ribs and other short tracks lose. The track follows the
spine up to about 60 degrees from the vertical. Local linear regression smooths it and carries it to the scan's ends.
Coordinates are (z, y, x) in mm on the working grid, voxel centres at (i + 0.5) * spacing; arclength runs from the head
downwards.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy import ndimage

from siil.inference.posterior import Posterior

_CELL_MM = 4.0
"""Edge of a cell of the coarse grid on which the track is searched."""
_BLUR_CELLS = (1.0, 3.0, 3.0)
_MOVE_COST = 0.15
"""Price of one cell sideways between two slabs (squared: two cells cost four), in units of a full slab's mass."""
_STEEP = 3.0
"""Steeper than 45 degrees costs this much more."""
_REACH_CELLS = 2
_CATCH_MM = 40.0
"""Spine voxels within this of the track belong to it."""
_SMOOTH_MM = 18.0


@dataclass(frozen=True, slots=True)
class Centreline:
    """A polyline with one point per slab, ordered from the head down.

    points_mm: [S, 3] (z, y, x), z strictly falling. tangents: [S, 3] unit vectors pointing down.
    arclength_mm: [S], from 0 at the top.
    """

    points_mm: np.ndarray
    tangents: np.ndarray
    arclength_mm: np.ndarray

    @property
    def length_mm(self) -> float:
        """From the scan's upper to its lower end."""
        return float(self.arclength_mm[-1])

    def at(self, arclength_mm: np.ndarray) -> np.ndarray:
        """[N, 3] points (z, y, x) in mm at the given arclengths."""
        return _interpolate(np.asarray(arclength_mm, float), self.arclength_mm, self.points_mm)

    def direction(self, arclength_mm: np.ndarray) -> np.ndarray:
        """[N, 3] unit tangents (z, y, x), pointing down."""
        return _unit(_interpolate(np.asarray(arclength_mm, float), self.arclength_mm, self.tangents))

    def moved(self, by_mm: np.ndarray) -> Centreline:
        """The same line where the grid's corner lies elsewhere: (z, y, x) mm are added to its points."""
        return replace(self, points_mm=self.points_mm + by_mm)

    def project(self, points_mm: np.ndarray, steps: int = 4) -> tuple[np.ndarray, np.ndarray]:
        """Arclength of the cross-section through each point, and the offset from the centreline within it.

        Args:
            points_mm: [N, 3] (z, y, x).
            steps: Newton steps; four are enough where the spine's radius of curvature exceeds a vertebra's size.

        Returns:
            [N] arclength in mm, clipped to the centreline, and [N, 3] offsets (z, y, x) in mm; +y is behind.
        """
        rising = self.points_mm[::-1, 0]
        s = np.interp(points_mm[:, 0], rising, self.arclength_mm[::-1])
        for _ in range(steps):
            s = s + np.einsum("nd,nd->n", points_mm - self.at(s), self.direction(s))
            s = np.clip(s, 0, self.length_mm)
        return s, points_mm - self.at(s)


def find_centreline(posterior: Posterior, spacing_mm: float) -> Centreline | None:
    """The centreline of a scan's spine from its upper to its lower end; None where O_R saw nothing."""
    if len(posterior.index) == 0:
        return None
    points = (posterior.sites() + 0.5) * spacing_mm
    mass = posterior.spine.reshape(-1)[posterior.index].astype(np.float64)
    height = posterior.spine.shape[0] * spacing_mm
    slabs = max(1, int(np.ceil(height / _CELL_MM)))
    track = _track(points, mass, slabs)
    slab = np.minimum((points[:, 0] / _CELL_MM).astype(int), slabs - 1)
    for radius in (_CATCH_MM, _CATCH_MM, 0.8 * _CATCH_MM):  # closer each time: the far side of a rib drops out
        near = np.hypot(*(points[:, 1:] - track[slab]).T) < radius
        track = _smooth(slab[near], points[near], mass[near], track, slabs)
    edges = np.linspace(height, 0, slabs + 1)  # z of the points: slab borders, from the head down
    centres = (np.arange(slabs) + 0.5) * _CELL_MM
    slope = np.gradient(track, centres, axis=0) if slabs > 1 else np.zeros_like(track)
    curve = _carry(edges, centres, track, slope)
    return _polyline(np.column_stack([edges, curve]))


def _track(points: np.ndarray, mass: np.ndarray, slabs: int) -> np.ndarray:
    """[slabs, 2] (y, x) in mm: the path of the most saturated mass, by dynamic programming upwards."""
    low = points[:, 1:].min(axis=0) - _CELL_MM
    cells = ((points - [0, *low]) / _CELL_MM).astype(int)
    cells[:, 0] = np.minimum(cells[:, 0], slabs - 1)
    shape = (slabs, *(cells[:, 1:].max(axis=0) + 2))
    grid = np.bincount(np.ravel_multi_index(tuple(cells.T), shape), mass, minlength=int(np.prod(shape))).reshape(shape)
    grid = ndimage.gaussian_filter(grid, _BLUR_CELLS, mode="constant")
    peak = grid.max(axis=(1, 2))
    full = np.median(peak[peak > 0.05 * peak.max()])
    # the square root gives slabs of little mass a say, the cap keeps a pelvis from outweighing them
    score = np.sqrt(np.minimum(grid / full, 1.0))
    best = score[0]
    came = np.zeros((slabs, 2, *shape[1:]), np.int8)
    for z in range(1, slabs):
        moved, step = _move(best)
        came[z] = step
        best = moved + score[z]
    place = np.array(np.unravel_index(best.argmax(), best.shape))
    path = np.zeros((slabs, 2))
    for z in range(slabs - 1, -1, -1):
        path[z] = place
        place = place + came[z, :, place[0], place[1]]
    return (path + 0.5) * _CELL_MM + low


def _move(best: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """For each cell the best predecessor's value, and the step to it [2, Y, X]."""
    reach = _REACH_CELLS
    padded = np.pad(best, reach, constant_values=-np.inf)
    rows, columns = best.shape
    value = np.full_like(best, -np.inf)
    step = np.zeros((2, rows, columns), np.int8)
    for dy in range(-reach, reach + 1):
        for dx in range(-reach, reach + 1):
            here = padded[reach + dy : reach + dy + rows, reach + dx : reach + dx + columns]
            here = here - _MOVE_COST * (dy * dy + dx * dx) * (1 if dy * dy + dx * dx < 3 else _STEEP)
            better = here > value
            value[better] = here[better]
            step[0][better], step[1][better] = dy, dx
    return value, step


def _smooth(slab: np.ndarray, points: np.ndarray, mass: np.ndarray, track: np.ndarray, slabs: int) -> np.ndarray:
    """[slabs, 2] local linear regression of the slabs' centres, weighted by mass; `track` where there is no mass."""
    weight = np.bincount(slab, mass, minlength=slabs)
    if not weight.any():
        return track
    centre = np.column_stack([np.bincount(slab, mass * points[:, axis], minlength=slabs) for axis in (1, 2)])
    centre = np.divide(centre, weight[:, None], out=track.copy(), where=weight[:, None] > 0)
    weight = np.minimum(weight / np.median(weight[weight > 0]), 1.0)
    z = np.arange(slabs) * _CELL_MM
    away = z[None] - z[:, None]
    # where there is no mass the wide tail of the kernel decides: a straight way between the ends of the gap
    kernel = (np.exp(-0.5 * (away / _SMOOTH_MM) ** 2) + 1e-3 * np.exp(-np.abs(away) / 60)) * weight
    total = kernel.sum(axis=1)
    mean = (kernel * away).sum(axis=1) / total
    spread = (kernel * (away - mean[:, None]) ** 2).sum(axis=1) + 100.0 * total  # ridge: 10 mm
    value = kernel @ centre / total[:, None]
    slope = np.einsum("ij,ijd->id", kernel * (away - mean[:, None]), centre[None] - value[:, None])
    slope = np.clip(slope / spread[:, None], -1.7, 1.7)
    return value - slope * mean[:, None]


def _carry(z: np.ndarray, centres: np.ndarray, track: np.ndarray, slope: np.ndarray) -> np.ndarray:
    """(y, x) of the track at heights `z`, carried on straight beyond the first and last slab's centre."""
    curve = np.column_stack([np.interp(z, centres, track[:, axis]) for axis in (0, 1)])
    for end in (0, -1):
        beyond = z < centres[0] if end == 0 else z > centres[-1]
        curve[beyond] = track[end] + slope[end] * (z[beyond] - centres[end])[:, None]
    return curve


def _polyline(points: np.ndarray) -> Centreline:
    tangents = _unit(np.gradient(points, axis=0))
    tangents = _unit(ndimage.gaussian_filter1d(tangents, 2.0, axis=0, mode="nearest"))
    steps = np.linalg.norm(np.diff(points, axis=0), axis=1)
    return Centreline(points, tangents, np.concatenate([[0.0], np.cumsum(steps)]))


def _interpolate(at: np.ndarray, grid: np.ndarray, values: np.ndarray) -> np.ndarray:
    return np.column_stack([np.interp(at, grid, values[:, axis]) for axis in range(values.shape[1])])


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-9)
