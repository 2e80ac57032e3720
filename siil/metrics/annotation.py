"""What of a prediction can be judged where a part of the truth was not annotated.

Part of `evaluate` and `score` (with `evaluate.beyond_annotation: ignore`) and of training's validation, before anything
is counted. Arrays are (Z, Y, X) with VerSe codes; siil.datasets.annotation says which voxels are UNLABELLED; spine
without a name (UNNAMED) counts as not annotated too.
"""

from __future__ import annotations

import numpy as np

from siil.anatomy import UNNAMED
from siil.scan.labels import label_counts


def judged(truth: np.ndarray, prediction: np.ndarray) -> np.ndarray:
    """The prediction (uint8) with background where nobody annotated the truth (uint8, the same shape).

    A vertebra that lies there by more than half goes altogether: its rest is the edge of something that the truth does
    not name, and would count as one more vertebra. The same array where everything is annotated.
    """
    beyond = truth >= UNNAMED
    if not beyond.any():
        return prediction
    there = np.bincount(prediction[beyond], minlength=256)
    gone = 2 * there > label_counts(prediction)
    return np.where(beyond | gone[prediction], np.uint8(0), prediction)
