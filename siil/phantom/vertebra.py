"""C3 to L6 (and T13): the body and the limbs of the neural arch, in the vertebra's own axes.

Local axes: x left, y back, z up, origin in the middle of the body. Pairs are built on the left and mirrored. What tells
the regions apart is what a radiologist uses: foramina and bifid spines in the neck, facing-back facets, downward spines
and costal transverse processes in the chest, sagittal facets, hatchet spines and broad transverse processes below.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from siil.phantom.anatomy import Change, Level
from siil.phantom.morphometry import Morphometry
from siil.phantom.shapes import Limb, Point


def arch(level: Level, sizes: Morphometry) -> list[Limb]:
    """The neural arch of a level of these sizes as limbs in local axes: pedicles, facets, laminae, processes."""
    if level.name[0] == "C":
        parts = _cervical(sizes, bifid=level.name != "C7")
    elif level.name[0] == "T" and level.name not in ("T12", "T13"):
        parts = _thoracic(sizes, stout=float(np.interp(int(level.name[1:]), (1, 2, 5, 6), (1.5, 1.4, 1.2, 1.05))))
    else:
        parts = _lumbar(sizes, ribbed=level.rib_mm > 0)
    return list(parts)


def pair(start: Point, end: Point, first: tuple[float, float], last: tuple[float, float], up: Point) -> Iterator[Limb]:
    """A limb on the left and its mirror image on the right."""
    for side in (1.0, -1.0):
        yield Limb(
            (side * start[0], start[1], start[2]),
            (side * end[0], end[1], end[2]),
            first,
            last,
            (side * up[0], up[1], up[2]),
        )


UP = (0.0, 0.0, 1.0)


def _spinous(m: Morphometry, *, thickness: float, tip_height: float, base_z: float) -> tuple[Limb, Point]:
    back = m.depth / 2 + m.canal_depth
    drop = np.radians(m.spinous_drop)
    length = m.spinous_length - tip_height / 2
    tip = (0.0, back + length * float(np.cos(drop)), base_z - length * float(np.sin(drop)))
    start = (0.0, back + 1.5, base_z)
    radii = (thickness / 2, m.spinous_height / 2)
    return Limb(start, tip, radii, (thickness * 0.62, tip_height / 2), UP), tip


def _cervical(m: Morphometry, *, bifid: bool) -> Iterator[Limb]:
    wall, half = m.depth / 2, m.height / 2
    pillar = m.canal_width / 2 + 5.8
    yield from pair((m.width / 2 - 2.5, wall - 4, 1), (pillar - 2, wall + 2, 0.5), *_both(m.pedicle_width, 7.0), UP)
    # articular pillar: its facets are tiles, the lower one behind the upper one of the next level
    top, bottom = half + m.disc * 0.5 + 6.5, -half - m.disc * 0.5 - 8.5
    yield from pair((pillar, wall + 6.0, -1), (pillar, wall + 1.5, top - 3.5), (6.4, 5.2), (6.2, 3.6), (0, 1, 0))
    yield from pair((pillar, wall + 6.0, 1), (pillar, wall + 11.0, bottom + 3.5), (6.4, 5.2), (6.2, 3.6), (0, 1, 0))
    back = wall + m.canal_depth
    lamina = m.lamina_height / 2
    yield from pair(
        (pillar - 1, wall + 8.5, -3.0), (1.5, back + 1.5, -5.0), (3.5, lamina), (3.6, lamina), (0, -0.25, 1)
    )
    spine, tip = _spinous(m, thickness=6.0, tip_height=max(8.0, 0.9 * m.spinous_height), base_z=-5.0)
    yield spine
    if bifid:
        yield from pair(tip, (4.2, tip[1] + 2.5, tip[2] - 1.5), (2.4, 2.8), (2.2, 2.6), UP)
    # transverse process: two bars around the foramen of the vertebral artery, joined at the tip
    tip_x, tip_y, tip_z = m.transverse_span / 2 - 3.0, wall - 5.5 + m.transverse_back, m.transverse_up - 1.0
    yield from pair((m.width / 2 - 1.5, -1.0, 0), (tip_x - 3.0, tip_y - 3.5, tip_z), (1.9, 2.6), (2.4, 3.2), UP)
    yield from pair((pillar - 1, wall + 1.5, 0), (tip_x - 1.0, tip_y + 1.5, tip_z), (2.2, 2.8), (2.4, 3.0), UP)
    yield from pair((tip_x - 3.0, tip_y - 3.5, tip_z), (tip_x, tip_y + 0.5, tip_z), (2.3, 3.0), (2.3, 2.8), UP)


def _thoracic(m: Morphometry, *, stout: float) -> Iterator[Limb]:
    wall, half = m.depth / 2, m.height / 2
    root_x, root_z = m.canal_width / 2 + m.pedicle_width / 2 - 0.3, half - m.pedicle_height / 2 + 1.5
    yield from pair(
        (root_x, wall - 5, root_z), (root_x + 0.5, wall + 7, root_z), *_both(m.pedicle_width, m.pedicle_height), UP
    )
    pillar, back = root_x + 0.5, wall + m.canal_depth
    # facets in the coronal plane: the upper one looks back, the lower one lies behind that of the next level
    yield from pair(
        (pillar, wall + 8.5, root_z - 2),
        (pillar, wall + 9.0, half + m.disc * 0.5 + 3.0 * stout),
        (5.2 * stout, 3.4),
        (5.0 * stout, 2.0),
        (0, 1, 0),
    )
    yield from pair(
        (pillar - 1.5, wall + 11.5, -2),
        (pillar - 2.0, wall + 13.0, -half - m.disc * 0.5 - 3.0 * stout),
        (5.5 * stout, 3.3),
        (4.8 * stout, 2.0),
        (0, 1, 0),
    )
    lamina = m.lamina_height / 2
    yield from pair(
        (pillar, wall + 9.5, -1),
        (1.5, back + 1.2, -4.0),
        (2.9 * stout, lamina * 0.9),
        (3.1 * stout, lamina * 0.85),
        (0, -0.25, 1),
    )
    spine, _ = _spinous(m, thickness=6.0 * stout, tip_height=8.0 * stout, base_z=-4.5)
    yield spine
    tip = (m.transverse_span / 2 - 5.0, wall + m.transverse_back, m.transverse_up)
    yield from pair((pillar + 1, wall + 9.0, 1.5), tip, (4.2 * stout, 5.5 * stout), (4.8 * stout, 5.4 * stout), UP)


def _lumbar(m: Morphometry, *, ribbed: bool) -> Iterator[Limb]:
    wall, half = m.depth / 2, m.height / 2
    root_x, root_z = m.canal_width / 2 + m.pedicle_width / 2 - 0.8, half - m.pedicle_height / 2 - 0.5
    yield from pair(
        (root_x, wall - 6, root_z), (root_x, wall + 7, root_z), *_both(m.pedicle_width, m.pedicle_height), UP
    )
    back = wall + m.canal_depth
    pillar = m.canal_width / 2 + 7.5
    # facets in the sagittal plane: the lower ones stand between the upper ones of the next level
    yield from pair(
        (pillar, wall + 9, root_z - 2),
        (pillar + 0.5, wall + 12, half + m.disc * 0.6 + 1.5),
        (5.5, 6.0),
        (4.3, 5.5),
        (0, 1, 0),
    )
    inner = m.canal_width / 2 + 1.0
    yield from pair((pillar - 2, wall + 11, 0), (inner, back - 1.0, -8), (4.2, 6.0), (5.0, 6.0), UP)
    yield from pair(
        (inner, back - 0.5, -7),
        (inner - 0.5, back + 1.5, -half - m.disc * 0.6 - 2.5),
        (5.0, 6.0),
        (4.6, 5.0),
        (0, 1, 0),
    )
    lamina = m.lamina_height / 2
    yield from pair(
        (inner, back - 1.5, -6), (1.5, back + 1.7, -7.5), (4.2, lamina * 0.85), (4.4, lamina * 0.9), (0, -0.25, 1)
    )
    spine, _ = _spinous(m, thickness=7.5, tip_height=m.spinous_height * 0.95, base_z=-8.0)
    yield spine
    tip_z = m.transverse_up
    if ribbed:  # costal and mammillary tubercles instead of a true transverse process
        yield from pair(
            (pillar, wall + 8.5, 3),
            (m.transverse_span / 2 - 4, wall + m.transverse_back, tip_z),
            (4.0, 6.0),
            (3.8, 5.5),
            UP,
        )
        return
    tip = (m.transverse_span / 2 - 2.5, wall + m.transverse_back, tip_z)
    broad = 1.0 + max(0.0, m.pedicle_width - 11.0) * 0.05
    yield from pair((root_x + 2, wall + 5.5, root_z - 3), tip, (3.6 * broad, 6.5 * broad), (2.6, 4.6), UP)


def _both(width: float, height: float) -> tuple[tuple[float, float], tuple[float, float]]:
    radii = (width / 2, height / 2)
    return radii, radii


def body_distance(
    x: np.ndarray, y: np.ndarray, z: np.ndarray, m: Morphometry, *, region: str, change: Change
) -> np.ndarray:
    """Signed distance to a vertebral body; x, y, z are local coordinates of the voxels (full arrays), mm.

    The section is a superellipse, flat or hollow behind; the wall has a waist; end plates are hollow (in the neck the
    upper one has uncinate processes at its sides).
    """
    half_width, half_depth, half = m.width / 2, m.depth / 2, m.height / 2
    level = z / np.float32(half)
    waist = {"C": 0.03, "T": 0.07, "L": 0.07}[region]
    rim = np.float32(1.0 - waist) + np.float32(waist * 1.35) * np.minimum(level * level, np.float32(1.2))
    if change.osteophyte_mm > 0:
        spur = np.clip(np.abs(level) * 3 - 2, 0, 1) * np.float32(change.osteophyte_mm / half_width)
        rim = rim + spur * (y < half_depth * 0.5)
    hollow = {"C": 0.5, "T": 2.2, "L": 2.0}[region]
    lateral = x / np.float32(half_width)
    back = y + np.float32(hollow) * np.exp(np.float32(-2.5) * lateral * lateral) * (y > 0)
    frontal = back / np.float32(half_depth)
    power = {"C": 3.2, "T": 2.1, "L": 2.3}[region]
    radius = _superellipse(lateral, frontal, power, 2.6 if region != "C" else 3.2)
    wall = (radius / rim - 1) * np.float32(min(half_width, half_depth) * 0.96)
    slope = np.float32(np.tan(np.radians(m.wedge / 2)))
    dish = np.float32({"C": 0.4, "T": 1.0, "L": 2.0}[region] + change.middle_loss * half)
    bowl = dish * np.maximum(1 - radius * radius, 0)
    top = np.float32(half) - y * slope - bowl
    bottom = np.float32(half) - y * slope - bowl * np.float32(0.9)
    if region == "C":  # uncinate processes
        top = top + np.float32(4.0) * np.clip((np.abs(lateral) - 0.62) * 4, 0, 1) * np.clip(frontal + 0.8, 0, 1)
        top = top - np.float32(0.5)
    end = np.maximum(z - top, -z - bottom)
    rounded = np.float32(1.2)
    h = np.maximum(rounded - np.abs(wall - end), 0)
    return np.maximum(wall, end) + h * h * np.float32(0.25 / rounded)


def _superellipse(lateral: np.ndarray, frontal: np.ndarray, front: float, behind: float) -> np.ndarray:
    """(|x|^n + |y|^n)^(1/n), n = `front` before the middle and `behind` after it; 1 on the surface."""
    a, b = np.abs(lateral) + np.float32(1e-6), np.abs(frontal) + np.float32(1e-6)
    if front == behind:
        return (a**front + b**front) ** np.float32(1 / front)
    power = np.where(frontal > 0, np.float32(behind), np.float32(front))
    return (a**power + b**power) ** (1 / power)


def reach_mm(m: Morphometry) -> tuple[np.ndarray, np.ndarray]:
    """Corners [3] in mm of a local box around the body, with room for spurs, uncinate processes and wedges."""
    half = np.array((m.width / 2 + 6, m.depth / 2 + 6, m.height / 2 + 8))
    return -half, half
