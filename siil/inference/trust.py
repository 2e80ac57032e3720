"""What of a network's own answer may teach it: labels for a scan that nobody annotated (`siil adapt`).

From the decoding of the whole scan only what is trustworthy is kept, per vertebra and per voxel; the rest is UNLABELLED
and teaches nothing, or UNNAMED where only the name is in doubt. Agreement with itself is no accuracy: a scan whose
count is in doubt teaches shape and spine alone. Arrays are (Z, Y, X) internal indices on the working grid.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from siil.anatomy import UNLABELLED, UNNAMED
from siil.config.schema.adapt import Trust
from siil.inference.enumeration import Sequence
from siil.inference.posterior import Posterior


def trusted_labels(
    posterior: Posterior, raw: np.ndarray, decoded: np.ndarray, sequence: Sequence, *, settled: bool, trust: Trust
) -> np.ndarray:
    """The labels that a scan may teach, uint8 [Z, Y, X].

    A voxel is background where O_R is below `trust.background`, and spine where it is above `trust.spine`. Spine has
    the name of its decoded vertebra if names are trusted at all (the enumeration is certain, or `settled` by a person)
    and that vertebra is: sure, and called so by the network alone in most of its voxels (neither is asked for where a
    person settled the count). Everything else is UNNAMED spine, or UNLABELLED.

    Args:
        posterior: of the network.
        raw: its labels alone (siil.inference.fuse).
        decoded: labels of the whole-scan decoding, named by a person's count if `settled`.
        sequence: what decoding thinks of itself.
        settled: a person has settled the count.
        trust: thresholds.
    """
    spine = posterior.spine.astype(np.float32)
    labels = np.full(decoded.shape, UNLABELLED, np.uint8)
    labels[(spine < trust.background) & (decoded == 0)] = 0
    sure = (spine > trust.spine) & (decoded > 0)
    labels[sure] = UNNAMED
    if settled or not sequence.uncertain:
        for index in _trusted(raw, decoded, sequence, settled=settled, trust=trust):
            labels[sure & (decoded == index)] = index
    return _without_touching_doubt(labels, decoded)


def _trusted(raw: np.ndarray, decoded: np.ndarray, sequence: Sequence, *, settled: bool, trust: Trust) -> list[int]:
    """Indices of the vertebrae whose names are trusted."""
    present = np.unique(decoded[decoded > 0]).tolist()
    if settled:
        return present
    confident = {level.index for level in sequence.levels if level.confidence >= trust.confidence}
    found = []
    for index in present:
        agreed = float((raw[decoded == index] == index).mean())
        if index in confident and agreed >= trust.agreement:
            found.append(index)
    return found


def _without_touching_doubt(labels: np.ndarray, decoded: np.ndarray) -> np.ndarray:
    """Named voxels whose neighbour carries another vertebra's name lie on a border that nobody drew: UNNAMED."""
    high = ndimage.maximum_filter(decoded, 3)
    low = ndimage.minimum_filter(np.where(decoded == 0, np.uint8(UNLABELLED), decoded), 3)
    border = (labels > 0) & (labels < UNNAMED) & (high != low)
    return np.where(border, np.uint8(UNNAMED), labels)
