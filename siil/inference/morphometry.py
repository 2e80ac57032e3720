"""How long each vertebra is along the spine: the durations of the whole-scan decoding.

A pitch is the height of a vertebral body plus the disc below it, in mm, for an adult of average size; the decoding
scales all of them by one factor per patient. From C3 down it is the mean of the distances to the neighbours above and
below, between expert centroids in 193 public scans of VerSe (2,290 vertebrae; Sekuboyina et al., Medical Image Analysis
73 (2021) 102166). C1 and C2 overlap (the dens stands in C1's ring): the two share the way from C1's upper rim to C2's
lower disc. T13 lies between T12 and L1, L6 is as far from L5 as in the 19 of those scans that have one.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from siil.anatomy import BY_NAME, CLASSES

_PITCH_MM: Final = {
    **dict(zip([f"C{n}" for n in range(1, 8)], [16.0, 24.0, 16.4, 16.2, 16.2, 16.8, 18.2], strict=True)),
    **dict(
        zip(
            [f"T{n}" for n in range(1, 14)],
            [19.8, 21.2, 21.7, 21.9, 22.5, 23.1, 23.5, 24.1, 24.9, 26.3, 28.4, 30.4, 31.3],
            strict=True,
        )
    ),
    **dict(zip([f"L{n}" for n in range(1, 7)], [32.2, 33.5, 34.1, 33.2, 31.2, 30.7], strict=True)),
}


def _table() -> np.ndarray:
    table = np.full(CLASSES, np.nan)
    for name, pitch in _PITCH_MM.items():
        table[BY_NAME[name].index] = pitch
    return table


PITCH_MM: Final = _table()
"""[K] mm along the centreline per internal index; background is NaN."""
