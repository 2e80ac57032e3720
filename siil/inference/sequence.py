"""Which vertebrae a scan shows: whole-scan decoding along the spine (docs/decoding.md).

posterior -> centreline -> evidence per cross-section -> explicit-duration Viterbi over strictly ordered labels, with
anatomical durations for a range of patient scales, priors for T13, L6 and a missing T12, cut vertebrae at the scan's
ends and nothing beyond C1 and the sacrum -> intervals, rivals and their scores. inference/assign.py then gives each
voxel its label. An enumeration is a rival if the middle of some well-visible vertebra carries another label in it; the
margin is the difference of the scores, and a small one is reported as uncertain. A cut vertebra counts too where the
network alone calls it by another name. Rare anatomy that fits best but cannot be counted in the scan (view.py)
is a rival of the ordinary names, not the answer.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy import special

from siil.anatomy import BY_INDEX
from siil.config.schema.inference import Decode
from siil.inference.centreline import Centreline, find_centreline
from siil.inference.enumeration import COMPLETE, EMPTY, SLIVER_MM, Enumeration, Level, Sequence, doubt, span, unusual
from siil.inference.evidence import STEP_MM, Evidence, gather_evidence
from siil.inference.landmarks import Bones, count, disagreement, find_bones
from siil.inference.morphometry import PITCH_MM
from siil.inference.posterior import Posterior
from siil.inference.problem import SCALES, build_lattice, left_over
from siil.inference.reasons import parts
from siil.inference.view import View, find_view, hidden
from siil.inference.viterbi import NEVER, Interval, Lattice, Through

_RIVALS = 4
Reading = tuple[int, tuple[Interval, ...]]
"""A path: index of the patient's scale, and the intervals."""


def decode_sequence(
    posterior: Posterior, *, spacing_mm: float, decode: Decode
) -> tuple[Sequence, Centreline | None, Evidence | None]:
    """The sequence of vertebrae along the spine, with the centreline and the evidence that it came from."""
    centreline = find_centreline(posterior, spacing_mm)
    if centreline is None:
        return EMPTY, None, None
    evidence = gather_evidence(posterior, centreline, spacing_mm)
    view = find_view(evidence.share)
    bones = find_bones(posterior, centreline, spacing_mm, 1 - evidence.share[:, 0])
    lattice = build_lattice(evidence, decode, view, bones)
    if lattice.best() <= lattice.without():
        return EMPTY, centreline, evidence
    best = lattice.path()
    if hidden(_labels(best), view):  # the ordinary names are given, and it stands first among their rivals
        answer = ordinary(lattice, best, view)
        return _read(lattice, answer, evidence, decode, bones, hides=best), centreline, evidence
    return _read(lattice, best, evidence, decode, bones), centreline, evidence


def ordinary(lattice: Lattice, path: Reading, view: View) -> Reading:
    """The same pieces under the best ordinary names, with what is rare in the path and in view; the path itself where
    no names are left. The last piece may go without a name, as an L6 does where all above it keep theirs.

    Decoded anew, two bodies would become one sooner than all above or below them change their names.
    """
    scale, intervals = path
    allowed = set(unusual(_labels(path))) - set(hidden(_labels(path), view))
    runs = [(label,) for label in range(len(lattice.chain.follows))]
    for _ in intervals[1:]:
        runs = [(*run, n) for run in runs for n, before in enumerate(lattice.chain.follows) if run[-1] in dict(before)]
    readings = [
        (scale, tuple(replace(piece, label=label) for piece, label in zip(intervals, run, strict=True))) for run in runs
    ]
    readings += [(scale, pieces[:-1]) for _, pieces in readings if len(pieces) > 1]
    seen = [reading for reading in readings if allowed.issuperset(unusual(_labels(reading)))]
    return max(seen, key=lambda reading: parts(lattice, reading[1], scale).total(), default=path)


def _labels(path: Reading) -> tuple[str, ...]:
    return tuple(BY_INDEX[piece.label + 1].name for piece in path[1])


def _read(
    lattice: Lattice,
    path: Reading,
    evidence: Evidence,
    decode: Decode,
    bones: Bones | None,
    *,
    hides: Reading | None = None,
) -> Sequence:
    """The sequence of a path, with its rivals; `hides`: the best path, where it is of what the scan cannot show."""
    scale, intervals = path
    through = [lattice.through(interval) for interval in intervals]
    levels = tuple(
        _level(interval, other, scale, lattice.bins, evidence)
        for interval, other in zip(intervals, through, strict=True)
    )
    visible = [n for n, level in enumerate(levels) if level.stop_mm - level.start_mm > 0.6 * level.expected_mm]
    seen = len(visible)
    visible = visible or [int(np.argmax([level.stop_mm - level.start_mm for level in levels]))]
    answer = _enumeration(lattice, path)
    # a cut end may be too short to outweigh the prior of a rare anatomy: where the network says otherwise, it counts
    judged = [n for n, level in enumerate(levels) if n in visible or _overruled(level)]
    rivals = _rivals(lattice, [(intervals[n], through[n]) for n in judged])
    if hides:
        first = _enumeration(lattice, hides, _calls([intervals[n] for n in judged], hides[1]))
        rivals = (first, *(rival for rival in rivals if rival.names != first.names))[:_RIVALS]
    margin = max(0.0, answer.score - rivals[0].score) if rivals else None
    renamed = sum(levels[n].network != levels[n].index for n in visible) / len(visible)
    beyond = _beyond(levels, evidence)
    above, below = intervals[0].start > 0, intervals[-1].stop < lattice.bins
    counts = _counts(bones, levels, visible)
    reason = doubt(
        margin=margin,
        renamed=renamed,
        seen=seen,
        names=answer.names,
        rivals=rivals,
        hides=bool(hides),
        beyond=beyond,
        above=above,
        below=below,
        unsupported=_unsupported(levels, above=above, below=below),
        counted=disagreement(counts, _labels(path)),
        decode=decode,
    )
    return Sequence(
        levels=levels,
        candidates=(answer, *rivals),
        margin=margin,
        renamed=renamed,
        uncertain=bool(reason),
        reason=reason,
        scale=float(SCALES[scale]),
        above=above,
        below=below,
        counts=tuple((how, span(names)) for how, names in counts.items()),
    )


def _counts(bones: Bones | None, levels: tuple[Level, ...], visible: list[int]) -> dict[str, tuple[str, ...]]:
    """What the levels are called by counts from sacrum and ribs."""
    if bones is None:
        return {}
    pieces = [(level.start_mm, level.stop_mm) for level in levels]
    return count(bones, pieces, [n in visible and not level.cut for n, level in enumerate(levels)])


def _overruled(level: Level) -> bool:
    return level.network != level.index and level.stop_mm - level.start_mm >= SLIVER_MM


def _unsupported(levels: tuple[Level, ...], *, above: bool, below: bool) -> str:
    """The first or last level where the spine ends in view and the network calls it by its neighbour's name: four
    lumbar vertebrae over a sacrum look like five, for a spine that ends in view is expected to end with L5."""
    if len(levels) > 1 and above and levels[0].network == levels[1].index:
        return BY_INDEX[levels[0].index].name
    if len(levels) > 1 and below and levels[-1].network == levels[-2].index:
        return BY_INDEX[levels[-1].index].name
    return ""


def _beyond(levels: tuple[Level, ...], evidence: Evidence) -> str:
    """`above C3` or `below L5` where the spine goes on there by most of a vertebra that got no name, else nothing. What
    is above C1 is the skull."""
    first, last = levels[0], levels[-1]
    above = evidence.share[: round(first.start_mm / STEP_MM)][::-1]
    below = evidence.share[round(last.stop_mm / STEP_MM) :]
    for where, level, share in (("above", first, above), ("below", last, below)):
        skull = where == "above" and BY_INDEX[level.index].name == "C1"
        if left_over(share, level.expected_mm)[0] == 1 and not skull:
            return f"{where} {BY_INDEX[level.index].name}"
    return ""


def _level(interval: Interval, through: Through, scale: int, bins: int, evidence: Evidence) -> Level:
    expected = float(PITCH_MM[interval.label + 1] * SCALES[scale])
    lasted = (interval.stop - interval.start) * STEP_MM
    at_border = interval.start == 0 or interval.stop == bins
    chances = special.softmax([*through.score, through.nothing])
    return Level(
        index=interval.label + 1,
        start_mm=interval.start * STEP_MM,
        stop_mm=interval.stop * STEP_MM,
        confidence=float(chances[interval.label]),
        cut=at_border and lasted < COMPLETE * expected,
        expected_mm=expected,
        network=int(evidence.share[interval.start : interval.stop, 1:].mean(axis=0).argmax()) + 1,
    )


def _rivals(lattice: Lattice, pieces: list[tuple[Interval, Through]]) -> tuple[Enumeration, ...]:
    """The best enumerations that give one of the `pieces` another name, best first; one per set of changes."""
    options = [
        (score, label, *other.where[label].tolist())
        for piece, other in pieces
        for label, score in enumerate(other.score)
        if label != piece.label and score > NEVER / 2
    ]
    found: dict[tuple[tuple[str, str], ...], Enumeration] = {}
    for _, label, scale, start, stop in sorted(options, reverse=True):
        before, after = lattice.head(scale, label, start), lattice.tail(scale, label, stop)
        path = (*before, Interval(label, start, stop), *after)
        calls = _calls([piece for piece, _ in pieces], path)
        found.setdefault(calls, _enumeration(lattice, (scale, path), calls))
        if len(found) == _RIVALS:
            break
    return tuple(found.values())


def _enumeration(lattice: Lattice, path: Reading, calls: tuple[tuple[str, str], ...] = ()) -> Enumeration:
    about = parts(lattice, path[1], path[0])
    return Enumeration(_names(path[1], lattice.bins), about.total(), calls, about)


def _calls(pieces: list[Interval], path: tuple[Interval, ...]) -> tuple[tuple[str, str], ...]:
    """Each piece's name, and the name in `path` at its middle."""
    calls = []
    for piece in pieces:
        spot = (piece.start + piece.stop) // 2
        there = next((BY_INDEX[i.label + 1].name for i in path if i.start <= spot < i.stop), "")
        calls.append((BY_INDEX[piece.label + 1].name, there))
    return tuple(calls)


def _names(path: tuple[Interval, ...], bins: int) -> tuple[str, ...]:
    """Names from the head down, without slivers at the scan's borders."""
    least_mm = 0.25 * PITCH_MM
    return tuple(
        BY_INDEX[i.label + 1].name
        for i in path
        if len(path) == 1 or (i.start > 0 and i.stop < bins) or (i.stop - i.start) * STEP_MM >= least_mm[i.label + 1]
    )
