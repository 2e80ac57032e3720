"""Discs between the bodies and the canal behind them: soft, but part of how a level looks."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np

from siil.phantom.anatomy import Anatomy, Change, Level
from siil.phantom.canvas import Canvas
from siil.phantom.organs import BACK, lay_ball
from siil.phantom.shapes import dot
from siil.phantom.trunk import sacral_plate
from siil.phantom.vertebra import body_distance, reach_mm

DISC_HU, DURA_HU, CORD_HU = 88.0, 18.0, 38.0


def lay_discs(canvas: Canvas, anatomy: Anatomy) -> None:
    """Every disc from C2 to the sacrum, gas where it is worn out. The bodies are laid over their rims."""
    for level, below in zip(anatomy.levels[1:], [*anatomy.levels[2:], None], strict=True):
        foot = level.place.point(0, 0, -level.sizes.height / 2)
        head = below.place.point(0, 0, below.sizes.height / 2) if below else sacral_plate(anatomy)[0]
        middle = (foot + head) / 2
        frame = level.place.frame
        sizes = replace(
            level.sizes,
            width=level.sizes.width * 0.99,
            depth=level.sizes.depth * 0.99,
            height=float(np.linalg.norm(head - foot)) + 6.0,
            wedge=0.0,
        )
        low, high = reach_mm(sizes)
        spread = np.abs(frame) @ (high - low) / 2
        box = canvas.box(middle - spread, middle + spread)
        if box is None:
            continue
        axes = canvas.axes(box)
        x, y, z = (dot(axes, frame[:, i], float(frame[:, i] @ middle)) for i in range(3))
        region = "T" if level.name[0] == "C" else level.name[0]
        fused = anatomy.quirks is not None and level.name in anatomy.quirks.fused
        hu = anatomy.tissue.trabecular_hu + 80 if fused else DISC_HU
        canvas.lay(box, body_distance(x, y, z, sizes, region=region, change=Change()), hu)
        if level.change.vacuum:
            gas = (level.sizes.width * 0.28, level.sizes.depth * 0.25, max(level.sizes.disc * 0.22, 0.8))
            lay_ball(canvas, middle, gas, -600.0, frame=frame)


def lay_canal(canvas: Canvas, anatomy: Anatomy) -> None:
    """Epidural fat, dural sac and, down to L1, the cord."""
    levels = list(anatomy.levels)
    sac = np.array([_middle_of_canal(level) for level in levels])
    plate, frame = sacral_plate(anatomy)
    last = levels[-1]
    tail = plate + frame @ np.array((0, last.sizes.depth / 2 + 9, -26))
    wide = np.array([(level.sizes.canal_depth, level.sizes.canal_width) for level in levels])
    wide[0] = wide[1] + 3
    path = np.concatenate((sac, tail[None]))
    size = np.concatenate((wide, [(12.0, 18.0)])) / 2
    canvas.lay_path(path, size * (0.98, 0.98), anatomy.tissue.fat_hu * 0.8, np.array((1.0, 0.0, 0.0)))
    canvas.lay_path(path - (0, 1.0, 0), size * (0.8, 0.74), DURA_HU, np.array((1.0, 0.0, 0.0)))
    cord = [p for level, p in zip(levels, sac, strict=True) if level.name[0] in "CT"]
    canvas.lay_path(np.array(cord), np.full((len(cord), 2), (3.6, 4.6)), CORD_HU, np.array((1.0, 0.0, 0.0)))


def lay_back(canvas: Canvas, anatomy: Anatomy) -> None:
    """Fat between and beside the spinous processes: the dark lines of the back in an axial slice."""
    fat = anatomy.tissue.fat_hu
    tips = np.array([_behind(level) for level in anatomy.levels[2:]])
    canvas.lay_path(tips, np.tile((5.0, 2.2), (len(tips), 1)), fat, np.array((1.0, 0.0, 0.0)))
    for side in (1, -1):
        pairs = [_beside(level, side) for level in anatomy.levels[8:]]
        for a, b in pairwise(pairs):
            canvas.lay_path(np.array((a, b)), np.tile((5.0, 3.2), (2, 1)), fat * 0.7, BACK)


def _middle_of_canal(level: Level) -> np.ndarray:
    s = level.sizes
    ring = 7.0 if level.name == "C1" else s.depth / 2 + s.canal_depth / 2
    return level.place.point(0, ring * (level.scale if level.name == "C1" else 1), 0)


def _behind(level: Level) -> np.ndarray:
    s = level.sizes
    return level.place.point(0, s.depth / 2 + s.canal_depth + 0.6 * s.spinous_length, -0.6 * s.height)


def _beside(level: Level, side: int) -> np.ndarray:
    s = level.sizes
    return level.place.point(side * 0.62 * s.width, s.depth / 2 + s.canal_depth + 4.0, 0)
