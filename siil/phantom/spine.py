"""The spine's curves: stacks vertebrae and discs on the sacrum and gives each its place.

Angles add up from level to level, so lordosis and kyphosis come from the wedges of the bodies and discs. The sacrum's
end plate is at the origin; the patient lies in the scanner with small rotations.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from siil.phantom.morphometry import Morphometry
from siil.phantom.shapes import rotation


@dataclass(frozen=True, slots=True)
class Posture:
    """Curves of one patient. Leans are angles of a vertebra's axis, positive forward."""

    lean_deg: float
    """lean of the lowest thoracic vertebra, positive forward; the sacral slope follows from it and the lordosis"""
    lordosis: float
    """factor of the lumbar discs' wedges; 1 is the mean"""
    shoulder_lean_deg: float
    """lean above T1; the kyphosis follows from it"""
    head_lean_deg: float
    """lean above C2; the curve of the neck follows from it"""
    cobb_deg: float
    """angle of the coronal curve; positive: convex to the left"""
    apex: float
    """place of its apex, 0 sacrum to 1 head"""
    curve_length: float
    """its length as share of the spine"""
    tilt_deg: tuple[float, float, float]
    """rotation of the patient in the scanner about x, y, z"""


@dataclass(frozen=True)
class Placement:
    """Middle of a vertebral body (x, y, z) in mm and its axes: columns are left, back and up of the vertebra."""

    centre_mm: np.ndarray
    frame: np.ndarray

    def point(self, x: float, y: float, z: float) -> np.ndarray:
        """A point given in the vertebra's own axes, in patient coordinates [3], mm."""
        return self.centre_mm + self.frame @ np.array((x, y, z))


def stack(levels: list[tuple[str, Morphometry]], posture: Posture) -> dict[str, Placement]:
    """Places of the levels (given top to bottom) and of "S1" and "head" (the occiput), by name."""
    tilt = rotation(2, posture.tilt_deg[2]) @ rotation(1, posture.tilt_deg[1]) @ rotation(0, posture.tilt_deg[0])
    # lordosis and sacral slope go together, or nobody could stand: start so that the curve ends at the wanted lean
    lumbar = [row for name, row in levels if name[0] == "L"]
    lean = posture.lean_deg + sum(row.wedge + row.disc_wedge * posture.lordosis for row in lumbar)
    bend = {
        "T": _bend(levels, "T", start=posture.lean_deg, goal=posture.shoulder_lean_deg),
        "C": _bend(levels, "C", start=posture.shoulder_lean_deg, goal=posture.head_lean_deg),
    }
    position = np.zeros(3)
    places = {"S1": Placement(position, tilt @ _frame(lean, 0.0, 0.0))}
    total = sum(row.height + row.disc for _, row in levels)
    done = 0.0
    for name, row in reversed(levels):
        side, twist = _coronal(done / total, posture)
        disc_wedge = row.disc_wedge * posture.lordosis if name[0] == "L" else row.disc_wedge + bend[name[0]]
        disc_frame = tilt @ _frame(lean - disc_wedge / 2, side, twist)
        position = position + disc_frame[:, 2] * row.disc
        lean -= disc_wedge
        frame = tilt @ _frame(lean - row.wedge / 2, side, twist)
        places[name] = Placement(position + frame[:, 2] * row.height / 2, frame)
        position = position + frame[:, 2] * row.height
        lean -= row.wedge
        done += row.height + row.disc
    return places


def slipped(places: dict[str, Placement], names: list[str], slid: str, by_mm: float) -> dict[str, Placement]:
    """The places after `slid` and all above it went forward by `by_mm`, along the end plate below (spondylolisthesis).

    names: from the head down.
    """
    forward = places[slid].frame @ np.array((0.0, -by_mm, 0.0))
    above = {*names[: names.index(slid) + 1], "head"}
    return {n: replace(p, centre_mm=p.centre_mm + forward) if n in above else p for n, p in places.items()}


def _bend(levels: list[tuple[str, Morphometry]], region: str, *, start: float, goal: float) -> float:
    """What each disc of a region adds to its wedge, degrees, so that the lean goes from `start` to `goal`.

    A fracture thus bends the spine where it is, and the neighbours make up for it, as they do in people.
    """
    rows = [row for name, row in levels if name[0] == region]
    return (start - goal - sum(row.wedge + row.disc_wedge for row in rows)) / len(rows)


def _frame(lean_deg: float, side_deg: float, twist_deg: float) -> np.ndarray:
    """Axes of a level that leans forward by `lean`, to the left by `side` and is twisted about its own axis."""
    return rotation(1, side_deg) @ rotation(0, lean_deg) @ rotation(2, twist_deg)


def _coronal(share: float, posture: Posture) -> tuple[float, float]:
    """Lean to the left and axial twist at a share of the spine's length, degrees.

    A main curve with the Cobb angle between its ends, and half of it back at either end so that the head stays over
    the sacrum; the bodies turn to the convex side by about half the local angle (as in idiopathic curves).
    """
    t = (share - posture.apex) / (posture.curve_length / 2)
    bump = np.exp(-0.5 * (t / 0.6) ** 2)
    lean = -posture.cobb_deg * 1.37 * t * bump  # 1.37: its extremes then differ by the Cobb angle
    return float(lean), float(-0.45 * posture.cobb_deg * bump)
