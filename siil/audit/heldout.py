"""Does a prediction say the same as the mask, but for a constant number of levels?"""

from __future__ import annotations

from typing import Final

import numpy as np

from siil.audit.norms import PLACE

_COVERED: Final = 0.3
_LEAST: Final = 3
_AGREE: Final = 0.8


def constant_shift(mask: np.ndarray, predicted: np.ndarray) -> tuple[int, int] | None:
    """Levels that the prediction lies below the mask, and in how many of the vertebrae that both show.

    None where fewer than three vertebrae are covered or less than four in five agree.
    Arrays [Z, Y, X]: VerSe codes, one grid.
    """
    moved = []
    for code in np.unique(mask).tolist():
        if code not in PLACE:
            continue
        own = predicted[mask == code]
        counts = np.bincount(own, minlength=256)
        counts[0] = 0
        said = int(counts.argmax())
        if said in PLACE and counts[said] >= _COVERED * len(own):
            moved.append(PLACE[said] - PLACE[code])
    if len(moved) < _LEAST:
        return None
    levels = max(set(moved), key=moved.count)
    agreed = moved.count(levels)
    return (levels, agreed) if agreed >= _AGREE * len(moved) else None
