"""Implicit shapes: signed distances in mm (negative inside) of the pieces that bones are put together from.

Arrays are (Z, Y, X); coordinates are patient millimetres in LPS, given as broadcastable axes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

FAR_MM = 50.0
Axes = tuple[np.ndarray, np.ndarray, np.ndarray]
"""x [1, 1, X], y [1, Y, 1], z [Z, 1, 1] in mm"""
Point = tuple[float, float, float]
Number = np.ndarray | np.floating


def as_point(values: np.ndarray) -> Point:
    """Three numbers of an array as a point."""
    x, y, z = (float(v) for v in values)
    return x, y, z


@dataclass(frozen=True, slots=True)
class Limb:
    """A tapered rod with elliptical section and rounded ends: pedicle, lamina, process, piece of a rib.

    start, end: centres of its ends. start_radii, end_radii: half axes of the section (u, v), mm; v points along `up`.
    """

    start: Point
    end: Point
    start_radii: tuple[float, float]
    end_radii: tuple[float, float]
    up: Point = (0.0, 0.0, 1.0)

    def placed(self, centre_mm: np.ndarray, frame: np.ndarray) -> Limb:
        """The limb moved from local coordinates to those where `frame`'s columns are the local axes."""
        start = as_point(centre_mm + frame @ np.array(self.start))
        end = as_point(centre_mm + frame @ np.array(self.end))
        return Limb(start, end, self.start_radii, self.end_radii, as_point(frame @ np.array(self.up)))

    def scaled(self, factor: float) -> Limb:
        """The limb in local axes, `factor` times as large."""
        (u0, v0), (u1, v1) = self.start_radii, self.end_radii
        return Limb(
            as_point(factor * np.array(self.start)),
            as_point(factor * np.array(self.end)),
            (factor * u0, factor * v0),
            (factor * u1, factor * v1),
            self.up,
        )

    def bounds(self, margin_mm: float) -> tuple[np.ndarray, np.ndarray]:
        """Lower and upper corner (x, y, z) of a box around the limb."""
        ends = np.array([self.start, self.end])
        reach = np.array([[max(self.start_radii)], [max(self.end_radii)]]) + margin_mm
        return (ends - reach).min(axis=0), (ends + reach).max(axis=0)


def dot(axes: Axes, vector: np.ndarray, offset: float) -> np.ndarray:
    """vector . (x, y, z) - offset, broadcast to the box."""
    x, y, z = axes
    return (np.float32(vector[0]) * x + np.float32(vector[1]) * y) + (np.float32(vector[2]) * z - np.float32(offset))


def limb_distance(axes: Axes, limb: Limb) -> np.ndarray:
    """Signed distance to a limb, exact to first order near its surface."""
    start, end = np.array(limb.start), np.array(limb.end)
    length = float(np.linalg.norm(end - start))
    along = (end - start) / length if length > 1e-6 else np.array([0.0, 1.0, 0.0])
    v_axis = np.array(limb.up) - np.dot(limb.up, along) * along
    norm = np.linalg.norm(v_axis)
    v_axis = v_axis / norm if norm > 1e-3 else np.cross(along, [1.0, 0.0, 0.0])
    v_axis /= np.linalg.norm(v_axis)
    u_axis = np.cross(along, v_axis)
    t = dot(axes, along, float(along @ start))
    u = dot(axes, u_axis, float(u_axis @ start))
    v = dot(axes, v_axis, float(v_axis @ start))
    inside = np.clip(t, 0.0, length)
    beyond = t - inside
    (u0, v0), (u1, v1) = limb.start_radii, limb.end_radii
    inverse_u: Number
    inverse_v: Number
    inverse_t: Number
    if limb.start_radii == limb.end_radii:
        inverse_u, inverse_v = np.float32(1 / u0), np.float32(1 / v0)
        inverse_t = np.float32(1 / min(u0, v0))
    else:
        inside /= np.float32(max(length, 1e-6))
        inverse_u = 1 / (np.float32(u1 - u0) * inside + np.float32(u0))
        inverse_v = 1 / (np.float32(v1 - v0) * inside + np.float32(v0))
        inverse_t = np.maximum(inverse_u, inverse_v)
    return _ellipsoidal((u, inverse_u), (v, inverse_v), (beyond, inverse_t))


def ellipsoid_distance(axes: Axes, centre: np.ndarray, frame: np.ndarray, radii: Point) -> np.ndarray:
    """Signed distance to an ellipsoid with half axes `radii` along the columns of `frame`."""
    pairs = []
    for k in range(3):
        axis = frame[:, k]
        pairs.append((dot(axes, axis, float(axis @ centre)), np.float32(1 / radii[k])))
    return _ellipsoidal(*pairs)


def _ellipsoidal(*pairs: tuple[np.ndarray, Number]) -> np.ndarray:
    """k0 (k0 - 1) / k1 with k0 = |p / r| and k1 = |p / r^2|: the usual first-order distance to an ellipsoid."""
    first: Number = np.float32(1e-6)
    second: Number = np.float32(1e-8)
    for value, inverse in pairs:
        scaled = value * inverse
        first = first + scaled * scaled
        scaled *= inverse
        second = second + scaled * scaled
    k0 = np.sqrt(first)
    return np.asarray(k0 * (k0 - 1) / np.sqrt(second))


def smooth_union(a: np.ndarray, b: np.ndarray, radius_mm: float) -> np.ndarray:
    """Union of two distances whose seam is rounded over `radius_mm`."""
    h = np.maximum(np.float32(radius_mm) - np.abs(a - b), 0)
    return np.minimum(a, b) - h * h * np.float32(0.25 / radius_mm)


def rotation(axis: int, degrees: float) -> np.ndarray:
    """3 x 3 right-handed rotation about coordinate axis 0 (x), 1 (y) or 2 (z)."""
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    i, j = (axis + 1) % 3, (axis + 2) % 3
    matrix = np.eye(3)
    matrix[i, i], matrix[i, j], matrix[j, i], matrix[j, j] = c, -s, s, c
    return matrix
