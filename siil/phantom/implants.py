"""Metal and cement in the spine: pedicle screws with their rods, filled bodies. The mask does not change."""

from __future__ import annotations

import numpy as np

from siil.phantom.anatomy import Anatomy, Level
from siil.phantom.canvas import Canvas
from siil.phantom.organs import lay_ball

TITANIUM_HU, CEMENT_HU = 9000.0, 2200.0
UP = np.array((0.0, 0.0, 1.0))


def lay_implants(canvas: Canvas, anatomy: Anatomy) -> None:
    """Lay what the patient's quirks name; the scanner makes the streaks."""
    quirks = anatomy.quirks
    assert quirks is not None
    held = [level for level in anatomy.levels if level.name in quirks.screws and level.name not in ("C1", "C2")]
    for side in (1.0, -1.0):
        heads = []
        for level in held:
            tip, head = _screw(level, side)
            canvas.lay_path(np.array((tip, head)), np.full((2, 2), 2.8), TITANIUM_HU, UP)
            lay_ball(canvas, head, (5.5, 5.5, 5.5), TITANIUM_HU)
            heads.append(head)
        if len(heads) > 1:
            canvas.lay_path(np.array(heads), np.full((len(heads), 2), 2.8), TITANIUM_HU, np.array((1.0, 0.0, 0.0)))
    for level in anatomy.levels:
        if level.name in quirks.cement:
            s = level.sizes
            lay_ball(
                canvas,
                level.place.point(0.06 * s.width, -0.1 * s.depth, 0),
                (0.3 * s.width, 0.27 * s.depth, 0.3 * s.height),
                CEMENT_HU,
                frame=level.place.frame,
            )


def _screw(level: Level, side: float) -> tuple[np.ndarray, np.ndarray]:
    """Tip in the body and head behind the pedicle."""
    s = level.sizes
    aside = s.canal_width / 2 + s.pedicle_width / 2
    height = s.height / 2 - s.pedicle_height / 2
    tip = level.place.point(side * aside * 0.5, -0.15 * s.depth, height * 0.8)
    return tip, level.place.point(side * (aside + 5), s.depth / 2 + 22, height)
