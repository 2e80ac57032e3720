"""From the decoded sequence to voxels: every spine voxel takes the best vertebra (docs/decoding.md).

A voxel's score for a level is log p(v) - distance to the level's interval / distance_mm. A class that lies where the
level of its name lies speaks for that level alone. A class that lies elsewhere (a shift by one over half of a scan)
speaks for the levels in whose intervals it lies: its borders are right even though its name is not. Then each vertebra
becomes one connected component; fragments go to the vertebra that they touch most, so that no holes appear; what
touches none, and what is too small, becomes background. Only a vertebra that the scan's border cuts may have further
pieces, at that border: where its body lies beyond, the processes come into view apart from each other.
"""

from __future__ import annotations

from collections.abc import Collection
from itertools import product

import cc3d
import numpy as np

from siil.anatomy import CLASSES
from siil.inference.enumeration import Level, Sequence, levels_beyond
from siil.inference.evidence import STEP_MM, Evidence
from siil.inference.posterior import Posterior

_FLOOR = 0.01
_BORDER_SLICES = 2
"""What reaches so many slices of the working grid's ends lies at the scan's border."""
_HANGS_MM = 10.0
"""Processes hang this far beyond their level's interval."""


def assign(
    posterior: Posterior, evidence: Evidence, sequence: Sequence, *, threshold: float, distance_mm: float
) -> np.ndarray:
    """[Z, Y, X] uint8 internal indices: the best level for every voxel with O_R > `threshold`."""
    labels = np.zeros(posterior.spine.shape, np.uint8)
    if not sequence.levels:
        return labels
    spine = posterior.spine.reshape(-1)[posterior.index].astype(np.float32)
    chosen = np.flatnonzero((spine > threshold) & evidence.inside)
    classes = posterior.classes[chosen].astype(np.float32)
    at = evidence.arclength_mm[chosen]
    names = [level.index for level in sequence.levels]
    meaning = _meaning(sequence.levels, evidence)
    scores = [
        np.log(classes @ meaning[:, n] + _FLOOR) - _distance(at, level.start_mm, level.stop_mm) / distance_mm
        for n, level in enumerate(sequence.levels)
    ]
    first, last = sequence.levels[0].start_mm, sequence.levels[-1].stop_mm
    outside = np.maximum(first - at, at - last)  # above the first or below the last interval
    background = np.zeros(CLASSES, np.float32)
    background[0] = 1
    scores.append(np.where(outside > 0, np.log(classes @ background + _FLOOR), -np.inf))
    best = np.stack(scores).argmax(axis=0)
    labels.reshape(-1)[posterior.index[chosen]] = np.array([*names, 0], np.uint8)[best]
    return labels


def _meaning(levels: tuple[Level, ...], evidence: Evidence) -> np.ndarray:
    """[K, levels] float32: how much each class of the network speaks for each level; rows sum to 1, or to 0."""
    at = (np.arange(len(evidence.share)) + 0.5) * STEP_MM
    total = np.maximum(evidence.share.sum(axis=0), 1e-6)
    meaning = np.zeros((CLASSES, len(levels)))
    for n, level in enumerate(levels):
        inside = (at >= level.start_mm) & (at < level.stop_mm)
        meaning[:, n] = evidence.share[inside].sum(axis=0)
    meaning /= np.maximum(meaning.sum(axis=1, keepdims=True), 1e-6)
    for n, level in enumerate(levels):
        near = (at >= level.start_mm - _HANGS_MM) & (at < level.stop_mm + _HANGS_MM)
        at_home = max(0.0, 2 * float(evidence.share[near, level.index].sum() / total[level.index]) - 1)
        if level.stop_mm <= level.start_mm:  # processes alone (inference/hanging.py): its name and that beyond speak
            at_home = 1.0
            if n in (0, len(levels) - 1):  # with the T13 that may stand between both
                ends = sorted((level.index, *levels_beyond(level.index, above=n == 0)[:1]))
                further = slice(ends[0], ends[-1]) if n == 0 else slice(ends[0] + 1, ends[-1] + 1)
                meaning[further], meaning[further, n] = 0, 1
        meaning[level.index] *= 1 - at_home
        meaning[level.index, n] += at_home
    meaning[0] = 0
    return meaning.astype(np.float32)


def _distance(at: np.ndarray, start: float, stop: float) -> np.ndarray:
    return np.maximum(np.maximum(start - at, at - stop), 0).astype(np.float32)


def one_component_each(labels: np.ndarray, *, min_voxels: float, in_pieces: Collection[int] = ()) -> np.ndarray:
    """Labels with one 26-connected component each, labels of less than `min_voxels` dropped. [Z, Y, X] uint8, as input.

    A label of `in_pieces` keeps, beside its largest component, those of at least half of `min_voxels` that reach the
    first or last two slices; it is dropped where all that together is less than `min_voxels`.
    """
    if not labels.any():
        return labels
    parts, count = cc3d.connected_components(labels, connectivity=26, return_N=True)
    sizes = np.bincount(parts.reshape(-1), minlength=count + 1)
    label_of = np.zeros(count + 1, np.uint8)
    label_of[parts.reshape(-1)] = labels.reshape(-1)
    at_border = np.zeros(count + 1, bool)
    at_border[np.unique(np.concatenate([parts[:_BORDER_SLICES], parts[-_BORDER_SLICES:]]))] = True
    keep = np.zeros(count + 1, bool)
    for label in np.unique(label_of[1:]):
        mine = np.flatnonzero(label_of == label)
        mine = mine[mine > 0]
        pieces = mine[[sizes[mine].argmax()]]
        if label in in_pieces:
            pieces = np.union1d(pieces, mine[at_border[mine] & (sizes[mine] >= min_voxels / 2)])
        keep[pieces] = sizes[pieces].sum() >= min_voxels
    owner = np.where(keep, label_of, 0).astype(np.uint8)
    waiting = ~keep
    waiting[0] = False
    for _ in range(3):  # a fragment may touch a vertebra only through another fragment
        if not waiting.any():
            break
        touched = _most_touched(parts, owner, waiting)
        owner = np.where(touched > 0, touched, owner)
        waiting &= touched == 0
        if not touched.any():
            break
    return owner[parts]


def _most_touched(parts: np.ndarray, owner: np.ndarray, waiting: np.ndarray) -> np.ndarray:
    """[parts] uint8: for each waiting part the label with which it shares most neighbouring voxels, or 0."""
    places = np.argwhere(waiting[parts])
    if not len(places):
        return np.zeros(len(owner), np.uint8)
    padded = np.pad(owner[parts], 1)
    mine = parts[tuple(places.T)].astype(np.int64)
    counts = np.zeros(len(owner) * CLASSES, np.int64)
    for step in product((-1, 0, 1), repeat=3):
        label = padded[tuple((places + 1 + step).T)]
        counts += np.bincount(mine * CLASSES + label, minlength=len(counts))
    table = counts.reshape(len(owner), CLASSES)
    table[:, 0] = 0
    best = table.argmax(axis=1)
    return np.where(table.any(axis=1), best, 0).astype(np.uint8)
