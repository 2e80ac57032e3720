"""How a dataset's annotation ends, and the voxels beyond it that nobody annotated.

Some datasets label every vertebra in view (`all`: CTSpine1K, phantoms). In others a vertebra that the scan cuts has no
label (`whole`: VerSe): what looks like background beyond the labelled range may be spine. Called by the stages
`preprocess` (working grid), `evaluate` and `score` (the scan's own grid); `pap`, the losses and validation leave such
voxels out.

Beyond is what lies past the plane through the centroid of the first or last labelled vertebra, at right angles to the
line from its neighbour's centroid (to the patient's long axis where it is the only one). Nothing is beyond C1, and
nothing beyond L5 or L6: the sacrum comes next, which is background. An L6 without a label below a labelled L5, and gaps
between labelled vertebrae, stay background.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy import ndimage

from siil.anatomy import BY_NAME, UNLABELLED, VERTEBRAE, Vertebra
from siil.config.schema.dataset import Annotation
from siil.scan.grid import Grid, Volume

_TOP = BY_NAME["C1"]
_BOTTOM = (BY_NAME["L5"], BY_NAME["L6"])


def mark_unlabelled(mask: Volume, *, annotation: Annotation) -> Volume:
    """The mask with UNLABELLED in place of background where a vertebra may be that nobody annotated.

    Args:
        mask: uint8 VerSe codes, on any grid. What is UNLABELLED already stays.
        annotation: `all` changes nothing.
    """
    if annotation == "all":
        return mask
    places = _places(mask)
    if not places:
        return mask
    down = [vertebra for vertebra in VERTEBRAE if vertebra in places]
    head = _towards_head(mask.grid)
    marked = mask.array.copy()
    if down[0] is not _TOP:
        _mark_beyond(marked, [places[vertebra] for vertebra in down[:2]], outwards=head, grid=mask.grid)
    if down[-1] not in _BOTTOM:
        _mark_beyond(marked, [places[vertebra] for vertebra in down[:-3:-1]], outwards=-head, grid=mask.grid)
    return replace(mask, array=marked)


def _places(mask: Volume) -> dict[Vertebra, np.ndarray]:
    """Centroid of every vertebra, mm along the array's axes (Z, Y, X)."""
    boxes = dict(enumerate(ndimage.find_objects(mask.array), start=1))
    found: dict[Vertebra, np.ndarray] = {}
    for vertebra in VERTEBRAE:
        box = boxes.get(vertebra.code)
        if box is not None:
            inside = np.argwhere(mask.array[box] == vertebra.code).mean(axis=0)
            found[vertebra] = (inside + [side.start for side in box]) * mask.grid.spacing_mm
    return found


def _towards_head(grid: Grid) -> np.ndarray:
    """Unit vector to the head along the array's axes (Z, Y, X)."""
    return np.reshape(grid.direction, (3, 3))[2, ::-1]


def _mark_beyond(labels: np.ndarray, ends_mm: list[np.ndarray], *, outwards: np.ndarray, grid: Grid) -> None:
    """Mark the background past the first of `ends_mm`, seen from the second; along `outwards` where there is none."""
    here, along = ends_mm[0], ends_mm[0] - ends_mm[1] if len(ends_mm) > 1 else outwards
    z, y, x = (
        part * (np.arange(count) * step - middle)
        for part, count, step, middle in zip(along, labels.shape, grid.spacing_mm, here, strict=True)
    )
    in_plane = y[:, None] + x
    for height, plane in zip(z, labels, strict=True):
        plane[(plane == 0) & (in_plane + height > 0)] = UNLABELLED
