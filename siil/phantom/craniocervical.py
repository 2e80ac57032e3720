"""C1 and C2: the ring without a body and the axis with its dens, in their own axes.

C1's origin is the axis of the dens at the height of the lateral masses; C2's is the middle of its body.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np

from siil.phantom.morphometry import Morphometry
from siil.phantom.shapes import Limb, as_point
from siil.phantom.vertebra import UP, pair


def atlas(m: Morphometry) -> Iterator[Limb]:
    """C1: lateral masses, anterior and posterior arch, transverse processes with their foramina."""
    mass = m.canal_width / 2 + 4.5
    yield from pair((mass, 0.0, 5.0), (mass + 1.0, 0.0, -6.0), (8.2, 9.0), (8.4, 8.6), (0, 1, 0))
    front = [(mass - 2, -7.0, 0.0), (9.0, -11.0, 0.0), (0.0, -12.5, 0.0)]
    for a, b in pairwise(front):
        yield from pair(a, b, (3.4, 5.5), (3.4, 6.0), UP)
    rear = m.canal_depth - 5.0
    angles = np.radians((-10.0, 20.0, 45.0, 70.0, 90.0))
    ring = np.array([((m.canal_width / 2 + 3.0) * np.cos(a), 6.0 + (rear - 2.0) * np.sin(a), -1.0) for a in angles])
    for a, b in pairwise(ring):
        yield from pair(as_point(a), as_point(b), (3.6, 4.8), (3.6, 5.2), UP)
    tip = m.transverse_span / 2 - 4.0
    yield from pair((mass + 5, -2.0, -1), (tip - 1, 0.5, m.transverse_up), (2.3, 3.2), (2.8, 3.6), UP)
    yield from pair((mass + 4, 7.5, -1), (tip - 1, 4.0, m.transverse_up), (2.3, 3.0), (2.8, 3.4), UP)
    yield from pair((tip - 2, 0.5, m.transverse_up), (tip, 3.0, m.transverse_up), (3.4, 4.2), (3.4, 4.2), UP)


def axis(m: Morphometry) -> Iterator[Limb]:
    """C2: dens, shoulders that carry the atlas, pars, laminae, the strong bifid spinous process."""
    wall, half = m.depth / 2, m.height / 2
    yield Limb((0.0, -1.0, half - 5), (0.0, -1.5, half + 18.0), (6.0, 6.0), (5.0, 5.4), (0, 1, 0))
    shoulder = m.canal_width / 2 + 3.0
    yield from pair((7.0, -0.5, half - 4.5), (shoulder, 1.5, half - 5.5), (6.0, 4.0), (8.0, 4.2), UP)
    yield from pair((shoulder, 3.0, half - 7), (shoulder + 3.5, wall + 8.0, -half + 1), (6.0, 6.5), (6.2, 6.0), UP)
    yield from pair(
        (shoulder + 3.5, wall + 6.0, -half + 3),
        (shoulder + 3.5, wall + 8.5, -half - 2.5),
        (6.2, 4.8),
        (5.8, 4.2),
        (0, 1, 0),
    )
    back = wall + m.canal_depth
    lamina = m.lamina_height / 2
    yield from pair(
        (shoulder + 2, wall + 8.0, -half + 4), (1.5, back + 2.5, -half + 3), (4.2, lamina), (4.5, lamina), UP
    )
    drop = np.radians(m.spinous_drop)
    tip = (0.0, back + (m.spinous_length - 4) * float(np.cos(drop)), -half + 2 - m.spinous_length * float(np.sin(drop)))
    yield Limb((0.0, back + 1, -half + 3), tip, (4.2, m.spinous_height / 2), (4.6, m.spinous_height / 2 - 1), UP)
    yield from pair(tip, (5.5, tip[1] + 3.0, tip[2] - 2.5), (3.2, 4.0), (3.0, 3.4), UP)
    end = m.transverse_span / 2 - 3.0
    yield from pair((shoulder + 1, -0.5, -2), (end, 3.5, m.transverse_up), (2.4, 3.0), (2.6, 3.2), UP)
    yield from pair((shoulder + 3, wall + 3, -3), (end, 4.5, m.transverse_up), (2.4, 3.0), (2.6, 3.0), UP)
