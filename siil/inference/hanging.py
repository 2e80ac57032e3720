"""Vertebrae of which a scan shows only processes or a sliver: their body lies beyond the border or is cut askew.

Along the centreline such a vertebra has no part of its own (the body of its neighbour fills the cross-sections), so the
decoded sequence does not hold it. Where the sequence ends at the scan's border, and the network itself is sure of the
neighbour's name there, the next label gets a level without length; its voxels then compete as all others do.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from siil.anatomy import BY_NAME
from siil.inference.enumeration import Level, Sequence
from siil.inference.evidence import Evidence
from siil.inference.posterior import Posterior

_REACH_MM = 25.0
_SURE = 0.75


def _index(name: str) -> int:
    return BY_NAME[name].index


def add_hanging(posterior: Posterior, evidence: Evidence, sequence: Sequence, *, least_voxels: float) -> Sequence:
    """The sequence with the vertebra above its first and below its last level, where only processes or a sliver of at
    least `least_voxels` are seen of it."""
    if not sequence.levels:
        return sequence
    first, last = sequence.levels[0], sequence.levels[-1]
    levels = sequence.levels
    best = posterior.classes.argmax(axis=1)
    if not sequence.above and first.network == first.index:
        near = evidence.inside & (evidence.arclength_mm < first.start_mm + _REACH_MM)
        levels = (*_level(posterior, best, near, _before(first.index), first.start_mm, first, least_voxels), *levels)
    if not sequence.below and last.network == last.index:
        near = evidence.inside & (evidence.arclength_mm > last.stop_mm - _REACH_MM)
        levels = (*levels, *_level(posterior, best, near, _after(last.index), last.stop_mm, last, least_voxels))
    return replace(sequence, levels=levels)


def _level(
    posterior: Posterior,
    best: np.ndarray,
    near: np.ndarray,
    options: tuple[int, ...],
    at_mm: float,
    neighbour: Level,
    least_voxels: float,
) -> tuple[Level, ...]:
    """The likeliest of `options` as a level without length at the border, or nothing."""
    spine = posterior.spine.reshape(-1)[posterior.index].astype(np.float32) > 0.5
    for index in sorted(options, key=lambda k: -int((near & spine & (best == k)).sum())):
        mine = near & spine & (best == index)
        sure = float(posterior.classes[mine, index].astype(np.float32).mean()) if mine.any() else 0.0
        if mine.sum() >= least_voxels and sure >= _SURE:
            return (Level(index, at_mm, at_mm, sure, True, neighbour.expected_mm, index),)
        return ()
    return ()


def _before(index: int) -> tuple[int, ...]:
    if index == _index("L1"):
        return (_index("T12"), _index("T13"))
    return (index - 1,) if index > 1 else ()


def _after(index: int) -> tuple[int, ...]:
    if index == _index("T12"):
        return (_index("L1"), _index("T13"))
    return (index + 1,) if index < _index("L5") else ()
