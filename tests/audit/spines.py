"""A measured scan made by hand: every vertebra as the table of what is usual has it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from siil.anatomy import BY_CODE, BY_NAME
from siil.audit.measure import Bone, Measured
from siil.audit.norms import PLACE, built_in
from siil.audit.placement import Placement

NORMS = built_in()


def bone(name: str, z_mm: float, *, looks_like: str = "", **changes) -> Bone:
    """The vertebra `name` at a height, with the sizes of `looks_like`."""
    _, volume, across, deep, along, ribs, aside = NORMS.centre[PLACE[BY_NAME[looks_like or name].code]]
    made = Bone(
        code=BY_NAME[name].code,
        volume_cm3=float(np.exp(volume)),
        centre_mm=np.array((z_mm, 100.0, 100.0)),
        cut=False,
        across=float(np.exp(across)),
        deep=float(np.exp(deep)),
        along=float(np.exp(along)),
        hu=300.0,
        around_hu=60.0,
        ribs=float(ribs**2),
        aside=float(aside**2),
        piece_cm3=0.0,
        piece_mm=0.0,
    )
    return replace(made, **changes)


def spine(looks: str, names: str = "", **changes) -> Measured:
    """Whole vertebrae that look like `looks` ("T10 T11 …"); the mask calls them `names` (if not given: `looks`)."""
    z_mm, bones = 1000.0, []
    for look, name in zip(looks.split(), (names or looks).split(), strict=True):
        bones.append(bone(name, z_mm, looks_like=look))
        pitch = NORMS.centre[PLACE[BY_NAME[look].code], 0]
        z_mm -= 30.0 if np.isnan(pitch) else float(np.exp(pitch))
    made = Measured(
        case="a",
        bones=tuple(sorted(bones, key=lambda b: BY_CODE[b.code].index)),
        touching={},
        placement=Placement(300.0, ("left to right", -80.0), ("up", -40.0, 2)),
        image="image",
        mask="mask",
    )
    return replace(made, **changes)
