"""Cases in memory for training: image, labels and the weights of patch centres, bounded by an LRU limit.

Arrays are (Z, Y, X) on the working grid: images int16 HU, labels uint8 internal indices, sacrum and ribs among them,
pap float32 relative to its largest value (7 bytes a voxel in all), with running sums over rows, so that drawing a
centre costs two short searches.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from siil import anatomy
from siil.errors import DatasetError
from siil.run import files
from siil.scan import volume


@dataclass(frozen=True, slots=True)
class CaseArrays:
    """One case in memory.

    weights: [Z, Y, X] float32, pap over its largest value. cumulative: [Z * Y] float64, running sums of pap over rows.
    """

    case: str
    image: np.ndarray
    labels: np.ndarray
    weights: np.ndarray
    cumulative: np.ndarray

    @property
    def nbytes(self) -> int:
        """Bytes in memory."""
        return self.image.nbytes + self.labels.nbytes + self.weights.nbytes + self.cumulative.nbytes

    def draw_centre(self, random: np.random.Generator) -> tuple[int, int, int]:
        """A voxel (z, y, x), drawn with the probability that pap gives it: first its row, then its place in the row."""
        row_u, voxel_u = random.random(2)
        row = int(np.searchsorted(self.cumulative, row_u * self.cumulative[-1], side="right"))
        row = min(row, self.cumulative.size - 1)
        z, y = divmod(row, self.weights.shape[1])
        along = np.cumsum(self.weights[z, y], dtype=np.float64)
        x = int(np.searchsorted(along, voxel_u * along[-1], side="right"))
        return z, y, min(x, along.size - 1)


def make_case(case: str, *, image: np.ndarray, labels: np.ndarray, pap: np.ndarray) -> CaseArrays:
    """A case from its arrays. Raises DatasetError when shapes differ or pap is no probability map."""
    if not image.shape == labels.shape == pap.shape:
        raise DatasetError(
            f"case {case}: img {image.shape}, msk {labels.shape} and pap {pap.shape} differ in shape; run the "
            "preprocess and pap steps again"
        )
    top = float(pap.max()) if pap.size else 0.0
    if not np.isfinite(pap).all() or top <= 0 or pap.min() < 0:
        raise DatasetError(f"case {case}: pap must be finite, not negative and not all zero; run the pap step again")
    weights = (pap / top).astype(np.float32)
    cumulative = np.cumsum(weights.sum(axis=2, dtype=np.float64).ravel())
    return CaseArrays(case, image, labels, weights, cumulative)


class CaseStore:
    """The cases of data/{dataset}, read when first wanted and kept up to `memory_bytes`; the least used goes first."""

    def __init__(self, folder: Path, *, memory_bytes: int) -> None:
        self.folder = folder
        self.memory_bytes = memory_bytes
        self._kept: OrderedDict[str, CaseArrays] = OrderedDict()
        self._lock = threading.Lock()

    def paths(self, case: str) -> tuple[Path, Path, Path]:
        """Where img, msk and pap of a case lie."""
        img, msk, pap = (self.folder / part / f"{case}.nii.gz" for part in ("img", "msk", "pap"))
        return img, msk, pap

    def __getitem__(self, case: str) -> CaseArrays:
        with self._lock:
            if case not in self._kept:
                self._kept[case] = self._read(case)
            self._kept.move_to_end(case)
            found = self._kept[case]
            while len(self._kept) > 1 and sum(kept.nbytes for kept in self._kept.values()) > self.memory_bytes:
                self._kept.popitem(last=False)
            return found

    def digests(self, names: Iterable[str]) -> dict[str, str]:
        """`img/{case}.nii.gz` and so on -> SHA-256, of the files of cases. Raises DatasetError for a missing one."""
        paths = [path for case in names for path in self._existing(case)]
        return {f"{path.parent.name}/{path.name}": files.sha256(path) for path in paths}

    def _existing(self, case: str) -> tuple[Path, Path, Path]:
        for path in self.paths(case):
            if not path.is_file():
                raise DatasetError(f"{path}: missing; run the preprocess and pap steps for case {case}")
        return self.paths(case)

    def _read(self, case: str) -> CaseArrays:
        image, mask, pap = (volume.read_volume(path).array for path in self._existing(case))
        labels = anatomy.training_indices(mask)
        return make_case(case, image=image.astype(np.int16, copy=False), labels=labels, pap=pap)
