"""The accumulators behind the sliding window: a slab of weighted sums, and the sparse posterior it is turned into.

See inference/sliding_window.py. A slab holds 1 + K sums and the sum of their weights for one patch height of slices;
of a network with a head for landmarks two sums more.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from siil.anatomy import CLASSES
from siil.errors import WeightsError
from siil.inference.posterior import LANDMARK_FLOOR, SPARSE_FLOOR, Landmarks, Posterior


def finite(probability: Tensor) -> Tensor:
    """As given; weights that make no number are refused."""
    if not torch.isfinite(probability).all():
        raise WeightsError("the network's output is not finite; the weights are damaged, train them again")
    return probability


class Answer:
    """Probabilities of a batch of windows: spine [B, 1, ...], classes [B, K, ...], localisation [K, patch z], landmarks
    [B, 2, ...] of a network that has them."""

    def __init__(
        self, spine: Tensor, classes: Tensor, localisation: Tensor | None, landmarks: Tensor | None = None
    ) -> None:
        self.maps = torch.cat([spine, classes], dim=1)
        self.landmarks = landmarks
        self.localisation = localisation


class Slab:
    """Weighted sums [1 + K + 1, patch z, Y, X] of the windows that start at the current slice."""

    def __init__(
        self, patch: tuple[int, ...], shape: tuple[int, ...], weights: list[np.ndarray], device: torch.device
    ) -> None:
        self.patch = patch
        self.sums = torch.zeros((1 + CLASSES + 1, patch[0], *shape[1:]), device=device)  # the last: of the weights
        wz, wy, wx = (torch.from_numpy(w).float().to(device) for w in weights)
        self.weight = wz[:, None, None] * wy[:, None] * wx
        self.localisation: Tensor | None = None
        self.landmarks: Tensor | None = None

    def add(self, answer: Answer, corners: Sequence[tuple[int, ...]], versions: int) -> None:
        """Add a batch at its (z, y, x) corners; `versions` answers (flips) make one."""
        weight = self.weight / versions
        for (_, y, x), item in zip(corners, answer.maps * weight, strict=True):
            place = self.sums[:, :, y : y + self.patch[1], x : x + self.patch[2]]
            place[:-1] += item
            place[-1] += weight
        if answer.landmarks is not None:
            if self.landmarks is None:
                self.landmarks = self.sums.new_zeros((answer.landmarks.shape[1], *self.sums.shape[1:]))
            for (_, y, x), item in zip(corners, answer.landmarks * weight, strict=True):
                self.landmarks[:, :, y : y + self.patch[1], x : x + self.patch[2]] += item
        if answer.localisation is not None:
            known = self.localisation
            self.localisation = answer.localisation if known is None else torch.maximum(known, answer.localisation)

    def finished(self, slices: int) -> tuple[Tensor, Tensor, Tensor, Tensor | None]:
        """The first `slices` slices (spine, classes, weights, landmarks), to be read before the slab moves on."""
        done = self.sums[:, :slices]
        return done[0], done[1:-1], done[-1], None if self.landmarks is None else self.landmarks[:, :slices]

    def advance(self, slices: int) -> None:
        """Move the slab on by `slices` slices, a map at a time: no second slab is made."""
        for sums in (*self.sums, *(() if self.landmarks is None else self.landmarks)):
            kept = sums[slices:].clone()
            sums.zero_()
            sums[: len(kept)] = kept
        self.localisation = None


class Gather:
    """Collects finished slices in the sparse form, the localisation rows and the embeddings."""

    def __init__(self, *, shape: tuple[int, ...], before: tuple[int, ...], slices: int) -> None:
        """shape: of the image. before: voxels of padding in front of each axis. slices: of the padded image."""
        self.shape, self.before = shape, before
        self.spine = np.zeros(shape, np.float16)
        self.localisation = np.zeros((CLASSES, slices), np.float64)
        self.localisation_weight = np.zeros(slices, np.float64)
        self.index: list[np.ndarray] = []
        self.classes: list[np.ndarray] = []
        self.landmarks: list[Landmarks] = []
        self.embeddings: list[np.ndarray] = []
        self.embedding_classes: list[np.ndarray] = []

    def embed(self, embeddings: Tensor, present: Tensor) -> None:
        """Keep e_j of the vertebrae present in a batch of windows."""
        named = present.clone()
        named[:, 0] = False  # background has no embedding
        self.embeddings.append(embeddings[named].float().cpu().numpy())
        self.embedding_classes.append(named.nonzero()[:, 1].cpu().numpy())

    def row(self, start: int, weights: np.ndarray, localisation: Tensor | None) -> None:
        """Add the localisation of one row of windows; None: there was none."""
        if localisation is not None:
            self.localisation[:, start : start + len(weights)] += localisation.numpy() * weights
            self.localisation_weight[start : start + len(weights)] += weights

    def finish(
        self, start: int, spine: Tensor, classes: Tensor, weights: Tensor, landmarks: Tensor | None = None
    ) -> None:
        """Take finished slices: sums of spine [d, Y, X], classes [K, d, Y, X], weights and landmarks [2, d, Y, X], from
        padded slice `start`.

        Where no window was, the probability is 0.
        """
        first = max(0, self.before[0] - start)
        last = min(spine.shape[0], self.before[0] + self.shape[0] - start)
        if first >= last:
            return
        oy, ox = self.before[1], self.before[2]
        rows, columns = slice(oy, oy + self.shape[1]), slice(ox, ox + self.shape[2])
        total = weights[first:last, rows, columns]
        total = torch.where(total > 0, total, torch.ones_like(total))
        probability = finite(spine[first:last, rows, columns] / total).half()
        kept = probability.float() > SPARSE_FLOOR
        values = classes[:, first:last, rows, columns][:, kept] / total[kept]
        z = start + first - self.before[0]
        self.spine[z : z + last - first] = probability.cpu().numpy()
        offset = z * self.shape[1] * self.shape[2]
        self.index.append(kept.flatten().nonzero()[:, 0].cpu().numpy() + offset)
        self.classes.append(values.T.half().cpu().numpy())
        if landmarks is not None:
            chance = landmarks[:, first:last, rows, columns] / total
            maybe = chance.amax(dim=0) > LANDMARK_FLOOR
            found = maybe.flatten().nonzero()[:, 0].cpu().numpy() + offset
            self.landmarks.append(Landmarks(found, finite(chance[:, maybe]).T.half().cpu().numpy()))

    def posterior(self) -> Posterior:
        """Everything gathered, with the padding cropped away."""
        first = self.before[0]
        localisation = self.localisation / np.where(self.localisation_weight > 0, self.localisation_weight, 1)
        embeddings = [e for e in self.embeddings if len(e)]
        width = self.embeddings[0].shape[1] if self.embeddings else 0
        return Posterior(
            spine=self.spine,
            index=np.concatenate(self.index),
            classes=np.concatenate(self.classes),
            localisation=localisation[:, first : first + self.shape[0]].astype(np.float32),
            embeddings=np.concatenate(embeddings) if embeddings else np.zeros((0, width), np.float32),
            embedding_classes=np.concatenate([*self.embedding_classes, np.zeros(0, np.int64)]),
            landmarks=Landmarks(
                np.concatenate([part.index for part in self.landmarks]),
                np.concatenate([part.chance for part in self.landmarks]),
            )
            if self.landmarks
            else None,
        )
