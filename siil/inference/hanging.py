"""Vertebrae at a scan's border of which only processes or a sliver are seen: their body lies beyond it or is cut askew.

Along the centreline such a vertebra has no part of its own (the body of its neighbour fills the cross-sections), so the
decoded sequence holds it by chance. Its voxels decide: where the sequence ends at the scan's border, and the network
itself is sure of the neighbour's name there and that these voxels are of a further vertebra (the next, or that beyond:
a process alone hardly tells which), the next label gets a level without length; its voxels then compete as all others
do. It is never a T13: at a border of the scan there is nothing to count one by.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from siil.anatomy import BY_INDEX, BY_NAME
from siil.config.schema.inference import Decode
from siil.inference.enumeration import COMPLETE, SLIVER_MM, Level, Sequence, levels_beyond, unusual_reason
from siil.inference.evidence import Evidence
from siil.inference.posterior import Posterior

_REACH_MM = 25.0
_SURE, _SURE_OF_SLIVER = 0.75, 0.65
"""Least mean probability that such voxels are of a vertebra beyond those near; less where the sequence has a sliver."""


def settle_ends(
    posterior: Posterior, evidence: Evidence, sequence: Sequence, *, least_voxels: float, decode: Decode
) -> Sequence:
    """The sequence with the vertebra above its first and below its last level where at least `least_voxels` are seen of
    it, and without slivers of fewer. What makes the answer unusual makes it uncertain here too."""
    levels = sequence.levels
    if levels and not sequence.above:
        levels = _settled(posterior, evidence, levels, levels[0].start_mm, least_voxels, above=True)
    if levels and not sequence.below:
        levels = _settled(posterior, evidence, levels[::-1], levels[-1].stop_mm, least_voxels, above=False)[::-1]
    rare = unusual_reason(tuple(BY_INDEX[level.index].name for level in levels), decode)
    if rare and not sequence.uncertain:
        sequence = replace(sequence, uncertain=True, reason=rare)
    return replace(sequence, levels=levels)


def _settled(
    posterior: Posterior,
    evidence: Evidence,
    levels: tuple[Level, ...],
    border_mm: float,
    least_voxels: float,
    *,
    above: bool,
) -> tuple[Level, ...]:
    """Levels from the border (at `border_mm` along the centreline) inwards, with the next beyond the outermost."""
    close = evidence.inside & (np.abs(evidence.arclength_mm - border_mm) < _REACH_MM)
    spine = posterior.spine.reshape(-1)[posterior.index].astype(np.float32) > 0.5
    best = np.where(close & spine, posterior.classes.argmax(axis=1), 0)

    def following(index: int) -> tuple[int, ...]:
        return tuple(k for k in levels_beyond(index, above=above)[:1] if k != BY_NAME["L6"].index)

    def with_one_of(
        options: tuple[int, ...], called: tuple[int, ...], levels: tuple[Level, ...], least_sure: float
    ) -> tuple[Level, ...]:
        outermost, mine = levels[0], np.isin(best, called)
        if not options or outermost.network != outermost.index or mine.sum() < max(least_voxels, 1):
            return levels
        chance = posterior.classes[mine].astype(np.float32).mean(axis=0)
        if 1 - chance[[0, *(level.index for level in levels[:3])]].sum() < least_sure:
            return levels
        index = max(options, key=lambda k: float(chance[k]))
        return (Level(index, border_mm, border_mm, float(chance[index]), True, outermost.expected_mm, index), *levels)

    whole = _without_sliver(levels)
    if whole is not levels:
        options = tuple({*following(whole[0].index), levels[0].index})
        levels = with_one_of(options, options, whole, _SURE_OF_SLIVER)
    outer = levels[0].index
    return with_one_of(following(outer), levels_beyond(outer, above=above), levels, _SURE)


def _without_sliver(levels: tuple[Level, ...]) -> tuple[Level, ...]:
    """The part of an outermost sliver is its neighbour's where the network agrees with the neighbour's name.

    Not where the network calls the sliver by a third name.
    """
    if len(levels) == 1:
        return levels
    outer, inner = levels[:2]
    agreed = inner.network == inner.index and outer.network in (outer.index, inner.index)
    if outer.stop_mm - outer.start_mm >= SLIVER_MM or not agreed:
        return levels
    start, stop = min(outer.start_mm, inner.start_mm), max(outer.stop_mm, inner.stop_mm)
    cut = stop - start < COMPLETE * inner.expected_mm
    return (replace(inner, start_mm=start, stop_mm=stop, cut=cut), *levels[2:])
