"""Which vertebrae a scan shows: whole-scan decoding along the spine (method.md, section 12).

posterior -> centreline -> evidence per cross-section -> explicit-duration Viterbi over strictly ordered labels, with
anatomical durations for a range of patient scales, priors for T13, L6 and a missing T12, cut vertebrae at the scan's
ends and nothing beyond C1 and the sacrum -> intervals, rivals and their scores. inference/assign.py then gives each
voxel its label. An enumeration is a rival if the middle of some well-visible vertebra carries another label in it; the
margin is the difference of the scores, and a small one is reported as uncertain. A cut vertebra counts too where the
network alone calls it by another name.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage, special

from siil.anatomy import BY_INDEX, VERTEBRAE
from siil.config.schema.inference import Decode
from siil.inference.centreline import Centreline, find_centreline
from siil.inference.enumeration import COMPLETE, EMPTY, SLIVER_MM, Enumeration, Level, Sequence, doubt
from siil.inference.evidence import STEP_MM, Evidence, gather_evidence
from siil.inference.morphometry import PITCH_MM
from siil.inference.posterior import Posterior
from siil.inference.reasons import parts
from siil.inference.viterbi import NEVER, Chain, Interval, Lattice, Through

_SCALES = 1.06 ** np.arange(-5, 6)
"""Patients from 0.75 to 1.34 times the average adult."""
_LONGEST_MM = 64.0
_RIVALS = 4
_MOST, _DENSE = 0.75, 0.8
"""Unnamed spine that is this much of a vertebra long, in cross-sections that are so sure of a vertebra, is one."""


def decode_sequence(
    posterior: Posterior, *, spacing_mm: float, decode: Decode
) -> tuple[Sequence, Centreline | None, Evidence | None]:
    """The sequence of vertebrae along the spine, with the centreline and the evidence that it came from."""
    centreline = find_centreline(posterior, spacing_mm)
    if centreline is None:
        return EMPTY, None, None
    evidence = gather_evidence(posterior, centreline, spacing_mm)
    lattice = build_lattice(evidence, decode)
    if lattice.best() <= lattice.without():
        return EMPTY, centreline, evidence
    return _read(lattice, evidence, decode), centreline, evidence


def build_lattice(evidence: Evidence, decode: Decode) -> Lattice:
    """The decoding problem of a scan: emissions, durations and priors in nats."""
    emission = decode.evidence_weight * STEP_MM * evidence.log_share
    mean = PITCH_MM[1:] * _SCALES[:, None]  # [G, N]
    sigma = decode.duration_sigma * mean
    sigma[:, :2] *= 2  # C1 and C2 overlap: where one ends is a convention
    lasts = (np.arange(round(_LONGEST_MM / STEP_MM)) + 1) * STEP_MM
    z = (lasts - mean[..., None]) / sigma[..., None]
    # beyond 2.5 sigma the price grows linearly: a compression fracture is rare, not impossible
    price = np.where(np.abs(z) < 2.5, 0.5 * z**2, 2.5 * np.abs(z) - 3.125)
    return Lattice(
        chain=_chain(decode),
        emission=emission[:, 1:],
        nothing=emission[:, 0],
        full=-decode.duration_weight * price,
        cut=decode.duration_weight * np.maximum(special.log_ndtr(-z), -2.5 * np.abs(z)),
        border=decode.disc_weight * disc_evidence(evidence.body_mm2),
        scale=-0.5 * (np.log(_SCALES) / decode.scale_sigma) ** 2,
    )


def disc_evidence(body_mm2: np.ndarray) -> np.ndarray:
    """[S + 1] in [-1, 1]: how much less bone than around there is before the canal at each position, mean 0."""
    smooth = ndimage.gaussian_filter1d(body_mm2, 2.0 / STEP_MM, mode="nearest")
    around = ndimage.maximum_filter1d(smooth, int(28 / STEP_MM) | 1, mode="nearest")
    seen = around > 0.1 * max(float(around.max()), 1e-6)
    dip = np.where(seen, 1 - smooth / np.maximum(around, 1e-6), 0.0)
    centred = np.where(seen, dip - (dip[seen].mean() if seen.any() else 0.0), 0.0)
    return np.interp(np.arange(len(centred) + 1), np.arange(len(centred)) + 0.5, centred)


def _chain(decode: Decode) -> Chain:
    at = {v.name: v.index - 1 for v in VERTEBRAE}
    follows: list[tuple[tuple[int, float], ...]] = [((n - 1, 0.0),) if n else () for n in range(len(VERTEBRAE))]
    follows[at["T13"]] = ((at["T12"], decode.prior_t13),)
    follows[at["L1"]] = ((at["T12"], 0.0), (at["T13"], 0.0), (at["T11"], decode.prior_no_t12))
    follows[at["L6"]] = ((at["L5"], decode.prior_l6),)
    opens_cut = np.zeros(len(VERTEBRAE))
    opens_cut[at["T13"]], opens_cut[at["L6"]] = decode.prior_t13, decode.prior_l6
    opens = opens_cut + decode.prior_outside
    opens[at["C1"]] = 0.0
    closes = np.full(len(VERTEBRAE), decode.prior_outside)
    closes[[at["L5"], at["L6"]]] = 0.0
    closes_cut = np.zeros(len(VERTEBRAE))
    closes_cut[at["L6"]] = decode.prior_l6  # without a sacrum in view, the rest of a long L5 is not yet an L6
    return Chain(tuple(follows), opens, closes, opens_cut, closes_cut)


def _read(lattice: Lattice, evidence: Evidence, decode: Decode) -> Sequence:
    scale, intervals = lattice.path()
    through = [lattice.through(interval) for interval in intervals]
    levels = tuple(
        _level(interval, other, scale, lattice.bins, evidence)
        for interval, other in zip(intervals, through, strict=True)
    )
    visible = [n for n, level in enumerate(levels) if level.stop_mm - level.start_mm > 0.6 * level.expected_mm]
    seen = len(visible)
    visible = visible or [int(np.argmax([level.stop_mm - level.start_mm for level in levels]))]
    best = lattice.best()
    # a cut end may be too short to outweigh the prior of a rare anatomy: where the network says otherwise, it counts
    judged = [n for n, level in enumerate(levels) if n in visible or _overruled(level)]
    rivals = _rivals(lattice, [(intervals[n], through[n]) for n in judged])
    margin = max(0.0, best - rivals[0].score) if rivals else None
    renamed = sum(levels[n].network != levels[n].index for n in visible) / len(visible)
    beyond = _beyond(levels, evidence)
    names = _names(intervals, lattice.bins)
    above, below = intervals[0].start > 0, intervals[-1].stop < lattice.bins
    reason = doubt(
        margin=margin,
        renamed=renamed,
        seen=seen,
        names=names,
        rivals=rivals,
        beyond=beyond,
        unsupported=_unsupported(levels, above=above, below=below),
        decode=decode,
    )
    answer = Enumeration(names, best, parts=parts(lattice, intervals, scale))
    return Sequence(
        levels=levels,
        candidates=(answer, *rivals),
        margin=margin,
        renamed=renamed,
        uncertain=bool(reason),
        reason=reason,
        scale=float(_SCALES[scale]),
        above=above,
        below=below,
    )


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
    """`above C3` or `below L5` where the spine goes on there by most of a vertebra that got no name, else nothing."""
    named = 1 - evidence.share[:, 0]
    first, last = levels[0], levels[-1]
    above = named[: round(first.start_mm / STEP_MM)][::-1]
    below = named[round(last.stop_mm / STEP_MM) :]
    for where, level, share in (("above", first, above), ("below", last, below)):
        most = round(_MOST * level.expected_mm / STEP_MM)
        if len(share) >= most and share[:most].mean() > _DENSE:
            return f"{where} {BY_INDEX[level.index].name}"
    return ""


def _level(interval: Interval, through: Through, scale: int, bins: int, evidence: Evidence) -> Level:
    expected = float(PITCH_MM[interval.label + 1] * _SCALES[scale])
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
    for score, label, scale, start, stop in sorted(options, reverse=True):
        before, after = lattice.head(scale, label, start), lattice.tail(scale, label, stop)
        path = (*before, Interval(label, start, stop), *after)
        calls = _calls([piece for piece, _ in pieces], path)
        about = parts(lattice, path, scale)
        found.setdefault(calls, Enumeration(_names(path, lattice.bins), float(score), calls, about))
        if len(found) == _RIVALS:
            break
    return tuple(found.values())


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
