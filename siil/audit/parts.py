"""Whole vertebrae under their own names? Two under one name, one under two, or a part under its neighbour's.

Sizes of a vertebra and its neighbour against what is usual for their levels, and the face where two labels meet: bodies
are apart by a disc, so a large face runs through bone.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Final

import numpy as np

from siil.anatomy import BY_CODE
from siil.audit.findings import Finding
from siil.audit.measure import Measured
from siil.audit.norms import PLACE, Norms, features, patient, residuals

DOUBLE: Final = 0.40
"""log of a volume over the usual: two vertebrae under one name"""
UNEVEN: Final = 0.42
"""log of the ratio of two neighbours' volumes over the usual"""
FACE: Final = {"C": 1.2, "T": 0.95, "L": 0.95}
"""area where two labels meet, over the two-thirds power of the smaller's usual volume, by the region of the upper one:
in the neck facets and uncinate processes touch"""


def parts(scan: Measured, norms: Norms) -> list[Finding]:
    """Vertebrae that are too large, too small, uneven with their neighbour, or joined to it by a large face."""
    rest = residuals(features(scan), norms)
    volume = {bone.code: float(rest[PLACE[bone.code], 1]) for bone in scan.bones if bone.code in PLACE}
    size = patient(features(scan)[:, 1:2] - norms.centre[:, 1:2])[0]
    found = []
    for bone in scan.bones:
        if bone.code not in PLACE:
            continue
        over = (np.log(bone.volume_cm3) - norms.centre[PLACE[bone.code], 1] - size) / DOUBLE  # cut ones too
        if over > 0.7:
            words = f"{np.exp(over * DOUBLE):.1f} times the usual volume: more than one vertebra under this name"
            found.append(Finding(scan.case, "merged", bone.name, over, words))
    for a, b in pairwise([bone for bone in scan.bones if bone.code in PLACE]):
        where = f"{a.name}-{b.name}"
        differ = volume[a.code] - volume[b.code]
        if abs(differ) / UNEVEN > 0.7:
            large, small = (a, b) if differ > 0 else (b, a)
            words = f"{small.name} is {np.exp(-abs(differ)):.2f} of what it should be beside {large.name}"
            found.append(Finding(scan.case, "mixed", where, abs(differ) / UNEVEN, words))
        usual = min(np.exp(norms.centre[PLACE[code], 1]) for code in (a.code, b.code))
        face = scan.touching.get((a.code, b.code), 0.0) / usual ** (2 / 3) / FACE[BY_CODE[a.code].region]
        if face > 0.7:
            words = f"the two meet on {scan.touching[a.code, b.code]:.0f} cm²: the border runs through bone"
            found.append(Finding(scan.case, "mixed", where, face, words))
    return found
