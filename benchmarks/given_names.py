"""Masks apart from names: a prediction whose vertebrae carry the names of the true ones that they lie on.

Of a scan that is counted wrong by one, Dice says that nothing was found. `benchmarks.labels --names-given` says how
good the masks are.
"""

from __future__ import annotations

import numpy as np

from siil.anatomy import BY_CODE


def given_names(truth: np.ndarray, prediction: np.ndarray) -> np.ndarray:
    """[256] uint8: code of the prediction -> code of the true vertebra that it shares most voxels with, one for each,
    the largest share first. What lies on no vertebra that is free becomes background.

    truth, prediction: [Z, Y, X] uint8 VerSe codes on one grid.
    """
    both = (truth > 0) & (prediction > 0)
    shared = np.bincount(truth[both].astype(np.int64) * 256 + prediction[both], minlength=256 * 256)
    table = np.zeros(256, np.uint8)
    named: set[int] = set()
    for place in np.argsort(-shared, kind="stable"):
        code, found = divmod(int(place), 256)
        if not shared[place]:
            break
        if code in BY_CODE and code not in named and found not in np.flatnonzero(table):
            table[found] = code
            named.add(code)
    return table
