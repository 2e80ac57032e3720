"""Everything around the vertebrae, from the outside in; later structures lie over earlier ones."""

from __future__ import annotations

import numpy as np

from siil.datasets.phantom import skeleton, soft
from siil.datasets.phantom.anatomy import Anatomy
from siil.datasets.phantom.canvas import Canvas
from siil.datasets.phantom.trunk import Trunk
from siil.datasets.phantom.view import View


def lay(canvas: Canvas, anatomy: Anatomy, view: View, *, grain: np.ndarray) -> None:
    """Lay all that is not a vertebra. `grain`: slow texture [Z, Y, X], mean 0, sd 1."""
    trunk = Trunk(anatomy)
    soft.lay_soft_tissue(canvas, anatomy, trunk, table=view.table, grain=grain)
    skeleton.lay_ribs(canvas, anatomy, trunk)
    skeleton.lay_sacrum(canvas, anatomy)
