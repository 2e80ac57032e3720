"""Which labels a mask holds, and how many voxels of each. What nobody annotated is no label."""

from __future__ import annotations

import numpy as np

from siil.anatomy import UNLABELLED, UNNAMED


def label_counts(labels: np.ndarray) -> np.ndarray:
    """[256] int64: voxels of each label of a uint8 array (Z, Y, X); the last one counts UNLABELLED. Plane by plane,
    since bincount makes a wider copy of what it counts."""
    counts = np.zeros(256, np.int64)
    for plane in labels:
        counts += np.bincount(plane.ravel(), minlength=256)
    return counts


def labels_present(labels: np.ndarray) -> set[int]:
    """Labels in a uint8 array (Z, Y, X), without 0, UNNAMED and UNLABELLED."""
    return {int(label) for label in np.flatnonzero(label_counts(labels))} - {0, UNNAMED, UNLABELLED}
