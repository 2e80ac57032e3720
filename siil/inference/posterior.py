"""What the sliding window leaves behind: probabilities of a whole scan, dense for the spine, sparse for the classes.

Between the network (inference/sliding_window.py) and everything that decides labels (fuse, sequence, assign).
Arrays (Z, Y, X) on the working grid; classes are internal indices 0 to K-1 (siil.anatomy). Torch-free.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

SPARSE_FLOOR = 0.1
"""Class probabilities are kept where the spine probability is above this: everywhere else no label is possible."""
LANDMARK_FLOOR = 0.3
"""Sacrum and ribs are kept where one of them is likelier than this."""


@dataclass(frozen=True, slots=True)
class Landmarks:
    """Sacrum and ribs where either may be. index: [M] int64, as Posterior's. chance: [M, 2] float16, in the order of
    siil.anatomy.LANDMARKS."""

    index: np.ndarray
    chance: np.ndarray


@dataclass(frozen=True, slots=True)
class Posterior:
    """Blended probabilities of one scan.

    spine: [Z, Y, X] float16, probability of O_R.
    index: [N] int64, ascending flat indices (C order) of the voxels with spine > SPARSE_FLOOR.
    classes: [N, K] float16, probabilities of O_S at these voxels; background is column 0.
    localisation: [K, Z] float32, sigma(L^) blended along z; zeros for networks without a core.
    embeddings: [n, E] float32, instance embeddings e_j of the classes present in the windows; E = 0 without a core.
    embedding_classes: [n] int64, the class of each embedding.
    landmarks: None of a network without that head.
    """

    spine: np.ndarray
    index: np.ndarray
    classes: np.ndarray
    localisation: np.ndarray
    embeddings: np.ndarray
    embedding_classes: np.ndarray
    landmarks: Landmarks | None = None

    def sites(self) -> np.ndarray:
        """[N, 3] int64 (z, y, x) of the kept voxels."""
        return np.stack(np.unravel_index(self.index, self.spine.shape), axis=1)
