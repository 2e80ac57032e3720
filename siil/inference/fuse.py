"""The network's own answer, voxel by voxel: O_R says whether it is spine, O_S which vertebra.

Used as "network alone" in the evaluation and by training's validation; inference/sequence.py makes it consistent along
the spine. Background does not compete: where O_R says spine, the best vertebra is taken, because in the light decoder
O_S is coarser than O_R.
"""

from __future__ import annotations

import numpy as np

from siil.inference.posterior import Posterior


def raw_labels(posterior: Posterior, *, threshold: float) -> np.ndarray:
    """[Z, Y, X] uint8 internal indices: arg max of O_S over the vertebrae where O_R > `threshold`, else 0."""
    labels = np.zeros(posterior.spine.shape, np.uint8)
    spine = posterior.spine.reshape(-1)[posterior.index].astype(np.float32) > threshold
    best = posterior.classes[:, 1:].argmax(axis=1) + 1
    labels.reshape(-1)[posterior.index[spine]] = best[spine]
    return labels
