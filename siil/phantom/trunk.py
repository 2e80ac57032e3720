"""The trunk around the spine as functions of height: outline, chest wall, lungs. All hangs on the spine's curve.

Heights are given on a scale of landmarks (1 = C1 ... with the sacrum below), so that organs sit at the
levels where they belong in every patient.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from siil.phantom import morphometry
from siil.phantom.anatomy import Anatomy
from siil.phantom.shapes import rotation

LANDMARKS = (
    "skull",
    "C1",
    "C4",
    "C7",
    "T1",
    "T2",
    "T4",
    "T6",
    "T8",
    "T10",
    "T12",
    "L2",
    "L4",
    "S1",
    "S3",
    "hips",
    "thighs",
)
# distances in mm from the middle of the vertebral bodies, at the landmarks, for a girth of 1
HALF_WIDTH = (72, 66, 58, 74, 150, 182, 176, 164, 158, 154, 150, 148, 152, 165, 172, 178, 180)
FRONT = (105, 95, 62, 66, 74, 84, 108, 128, 142, 146, 142, 132, 124, 118, 118, 110, 100)
BACK = (85, 68, 58, 60, 66, 68, 66, 64, 62, 60, 60, 62, 66, 72, 82, 92, 95)
SQUARENESS = (2.0, 2.1, 2.1, 2.1, 2.6, 2.7, 2.7, 2.6, 2.5, 2.4, 2.4, 2.4, 2.4, 2.5, 2.5, 2.5, 2.5)
FAT = (0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.5, 0.5, 0.5, 0.6, 0.8, 1.0, 1.0, 0.9, 0.9, 0.8, 0.7)
"""share of the patient's fat layer at the belly"""


@dataclass(frozen=True, slots=True)
class Slice:
    """The trunk at one height; x, y of the spine's middle and distances from it in mm."""

    x: float
    y: float
    half_width: float
    front: float
    back: float
    squareness: float
    fat: float


class Trunk:
    """Heights of landmarks and the trunk's measures between them, for one patient."""

    def __init__(self, anatomy: Anatomy) -> None:
        self.anatomy = anatomy
        places = {level.name: level.place.centre_mm for level in anatomy.levels}
        places.setdefault("T12", (places["T11"] + places["L1"]) / 2)
        sacrum, _ = sacral_plate(anatomy)
        top = places["C1"]
        places["S1"] = sacrum + np.array((0, 4, -14))
        places["S3"] = sacrum + np.array((0, 28, -58))
        places["hips"] = sacrum + np.array((0, 30, -115))
        places["thighs"] = sacrum + np.array((0, 28, -230))
        places["skull"] = top + np.array((0, -12, 50))
        self.places = places
        self.z = np.array([places[n][2] for n in LANDMARKS])
        self.skull_z = float(top[2])
        order = sorted(places.values(), key=lambda p: p[2])
        self.spine_z = np.array([p[2] for p in order])
        self.spine_x = np.array([p[0] for p in order])
        self.spine_y = np.array([p[1] for p in order])
        self.ribs = RibCage(anatomy, places)

    def at(self, z: float, values: tuple[float, ...]) -> float:
        """A quantity given at the landmarks, at height `z`."""
        return float(np.interp(z, self.z[::-1], np.array(values, float)[::-1]))

    def middle(self, z: float) -> tuple[float, float]:
        """x, y of the spine's middle at height `z`."""
        return float(np.interp(z, self.spine_z, self.spine_x)), float(np.interp(z, self.spine_z, self.spine_y))

    def point(self, landmark: str, x: float, y: float, z: float) -> np.ndarray:
        """The point x mm left of, y behind and z above a landmark's vertebral body, for a girth and stature of 1."""
        girth = self.anatomy.tissue.girth
        return self.places[landmark] + np.array((x * girth, y * girth, z * self.anatomy.stature))

    def slice(self, z: float) -> Slice:
        """The trunk at height `z`."""
        tissue = self.anatomy.tissue
        x, y = self.middle(z)
        head = np.clip((z - self.z[3]) / max(self.z[2] - self.z[3], 1), 0, 1)
        girth = tissue.girth * (1 - head) + self.anatomy.stature * head
        fat = tissue.fat_mm * self.at(z, FAT)
        wide = self.at(z, HALF_WIDTH)
        if tissue.arms_up and self.z[6] < z:
            wide = min(wide, 150.0)
        return Slice(
            x=0.85 * x + 0.15 * float(self.spine_x.mean()),
            y=y,
            half_width=wide * girth + fat * 0.7,
            front=self.at(z, FRONT) * girth + fat,
            back=self.at(z, BACK) * (0.5 + 0.5 * girth) + fat * 0.7,
            squareness=self.at(z, SQUARENESS),
            fat=fat,
        )


class RibCage:
    """Where the ribs run, and the inner chest wall that follows from them."""

    def __init__(self, anatomy: Anatomy, places: dict[str, np.ndarray]) -> None:
        self.anatomy = anatomy
        factor = anatomy.tissue.chest
        names = [level.name for level in anatomy.levels if level.name[0] == "T"]
        at = np.linspace(0, 11, len(names)) if len(names) < 12 else np.arange(len(names))
        index = np.arange(12)
        self.half_width = {
            n: factor * float(np.interp(a, index, morphometry.CHEST_HALF_WIDTH_MM))
            for n, a in zip(names, at, strict=True)
        }
        self.depth = {
            n: factor * float(np.interp(a, index, morphometry.CHEST_DEPTH_MM)) for n, a in zip(names, at, strict=True)
        }
        self.drop = {
            n: anatomy.stature * float(np.interp(a, index, morphometry.RIB_DROP_MM))
            for n, a in zip(names, at, strict=True)
        }
        starts = [places[n] for n in names]
        # the rib's lateral point lies half its drop below its joint, its front all of it
        side_z = np.array([p[2] - 0.42 * self.drop[n] for p, n in zip(starts, names, strict=True)])
        front_z = np.array([p[2] - self.drop[n] for p, n in zip(starts, names, strict=True)])
        behind = np.array([p[1] + 34.0 * factor for p in starts])
        self.side = side_z[::-1], np.array([self.half_width[n] for n in names])[::-1]
        self.behind = np.array([p[2] for p in starts])[::-1], behind[::-1]
        self.front = front_z[::-1], np.array([b - self.depth[n] for b, n in zip(behind, names, strict=True)])[::-1]

    def wall(self, z: float) -> tuple[float, float, float]:
        """Half width, y of the front and y of the back of the rib cage at height `z`."""
        return (
            float(np.interp(z, *self.side)),
            float(np.interp(z, *self.front)),
            float(np.interp(z, *self.behind)),
        )

    def path(self, name: str) -> np.ndarray:
        """Points [n, 3] along the left rib of `name`, from its head; mirrored by `mirrored` for the right."""
        level = self.anatomy.level(name)
        assert level is not None
        sizes, place = level.sizes, level.place
        short = name in ("T1", "T11", "T12", "T13") or name == self.anatomy.last_rib
        head_z = sizes.height * (0.15 if short else 0.5) + (0 if short else 1.0)
        head = (sizes.width / 2 + 1.5, sizes.depth / 2 - 2.5, head_z)
        neck = (
            sizes.transverse_span / 2 + 0.5,
            sizes.depth / 2 + sizes.transverse_back - 8.5,
            sizes.transverse_up + 1.0,
        )
        angles = np.radians(np.array((34, 48, 62, 76, 90, 104, 118, 132, 146, 158)))
        wide, deep, drop = self.half_width[name], self.depth[name], self.drop[name]
        centre_y = sizes.depth * 0 + 34.0 * self.anatomy.tissue.chest - deep / 2
        points = [place.point(*head), place.point(*neck)]
        for a in angles:
            fall = drop * (1 - np.cos(a)) / 2
            local = np.array((wide * np.sin(a) ** 0.85, centre_y + deep / 2 * np.cos(a), -fall))
            points.append(place.centre_mm + flat_frame(place.frame) @ local)
        return _cut(np.array(points), level.rib_mm)


def flat_frame(frame: np.ndarray) -> np.ndarray:
    """The axes of a level without its lean forward: ribs hang down by gravity and muscle, not with the end plate."""
    left = frame[:, 0] / np.linalg.norm(frame[:, 0])
    up = np.array((0.0, 0.0, 1.0)) - left * left[2]
    up /= np.linalg.norm(up)
    return np.stack((left, np.cross(up, left), up), axis=1)


def sacral_plate(anatomy: Anatomy) -> tuple[np.ndarray, np.ndarray]:
    """Middle [3] of the S1 end plate in mm, and the axes [3, 3] of the first sacral segment, its columns."""
    last = anatomy.levels[-1]
    foot = last.place.point(0, 0, -last.sizes.height / 2)
    frame = last.place.frame @ rotation(0, last.sizes.wedge / 2 + last.sizes.disc_wedge + 2.0)
    between = last.place.frame @ rotation(0, (last.sizes.wedge + last.sizes.disc_wedge) / 2)
    return foot - between[:, 2] * last.sizes.disc, frame


def mirrored(anatomy: Anatomy, name: str, points: np.ndarray) -> np.ndarray:
    """Points [n, 3] reflected in the midplane of a level."""
    level = anatomy.level(name)
    assert level is not None
    local = (points - level.place.centre_mm) @ level.place.frame
    return level.place.centre_mm + (local * (-1.0, 1.0, 1.0)) @ level.place.frame.T


def _cut(points: np.ndarray, length_mm: float) -> np.ndarray:
    """A polyline shortened to `length_mm`."""
    steps = np.linalg.norm(np.diff(points, axis=0), axis=1)
    total = np.concatenate(([0.0], np.cumsum(steps)))
    keep = int(np.searchsorted(total, length_mm))
    if keep >= len(points):
        return points
    share = (length_mm - total[keep - 1]) / steps[keep - 1]
    end = points[keep - 1] + share * (points[keep] - points[keep - 1])
    return np.concatenate((points[:keep], end[None]))
