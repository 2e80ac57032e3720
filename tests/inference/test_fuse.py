"""Raw labels: O_R says whether, O_S says which."""

from __future__ import annotations

import numpy as np

from siil.anatomy import CLASSES
from siil.inference.fuse import raw_labels
from siil.inference.posterior import Posterior


def posterior() -> Posterior:
    spine = np.zeros((1, 1, 4), np.float16)
    spine[0, 0] = [0.05, 0.4, 0.6, 0.9]
    classes = np.zeros((3, CLASSES), np.float16)
    classes[0, 5] = 1  # spine 0.4
    classes[1, [0, 7, 8]] = 0.6, 0.1, 0.3  # background is best, but O_R says spine
    classes[2, 26] = 1
    return Posterior(
        spine=spine,
        index=np.array([1, 2, 3]),
        classes=classes,
        localisation=np.zeros((CLASSES, 1), np.float32),
        embeddings=np.zeros((0, 0), np.float32),
        embedding_classes=np.zeros(0, np.int64),
    )


def test_best_vertebra_is_taken_where_spine_exceeds_the_threshold():
    labels = raw_labels(posterior(), threshold=0.5)
    assert labels.dtype == np.uint8
    assert labels.tolist() == [[[0, 0, 8, 26]]]


def test_a_lower_threshold_adds_voxels():
    assert raw_labels(posterior(), threshold=0.3).tolist() == [[[0, 5, 8, 26]]]
