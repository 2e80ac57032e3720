"""How long each vertebra is along the spine: the durations of the whole-scan decoding.

A pitch is the height of a vertebral body plus the disc below it, in mm, for an adult of average size; the decoding
scales all of them by one factor per patient. Sources:
- bodies C3-C7: Panjabi et al., Cervical human vertebrae, Spine 16 (1991) 861-869; T1-T12: the same, Thoracic
  human vertebrae, Spine 16 (1991) 888-901; L1-L5: Panjabi et al., Human lumbar vertebrae, Spine 17 (1992) 299-306
  (posterior heights: the centreline runs behind the bodies);
- discs: C2-C7 Gilad and Nissan, J. Anat. 143 (1985) 115-120; T1-T12 Kunkel et al., J. Anat. 219 (2011) 375-387;
  L1-S1 Nissan and Gilad, J. Biomech. 19 (1986) 753-758.
C1 and C2 overlap (the dens stands in C1's ring): the two share the way from C1's upper rim to C2's lower disc. T13 lies
between T12 and L1, L6 is a second L5.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from siil.anatomy import BY_NAME, CLASSES

_PITCH_MM: Final = {
    **dict(zip([f"C{n}" for n in range(1, 8)], [16.0, 24.0, 17.1, 17.0, 17.0, 16.8, 18.3], strict=True)),
    **dict(
        zip(
            [f"T{n}" for n in range(1, 14)],
            [19.0, 20.3, 20.2, 20.7, 20.8, 22.3, 23.4, 24.2, 25.1, 26.4, 28.1, 29.9, 30.8],
            strict=True,
        )
    ),
    **dict(zip([f"L{n}" for n in range(1, 7)], [31.8, 33.7, 34.1, 34.9, 33.4, 33.4], strict=True)),
}


def _table() -> np.ndarray:
    table = np.full(CLASSES, np.nan)
    for name, pitch in _PITCH_MM.items():
        table[BY_NAME[name].index] = pitch
    return table


PITCH_MM: Final = _table()
"""[K] mm along the centreline per internal index; background is NaN."""
