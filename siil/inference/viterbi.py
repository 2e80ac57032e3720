"""Explicit-duration (semi-Markov) Viterbi over strictly ordered labels, for a batch of patient scales.

The decoding's engine (docs/decoding.md), pure numpy and without anatomy: `Chain` says which labels follow which at
what log prior, `durations` how long each may last. A path is: nothing, labels in the order of the chain without gaps,
nothing. The first and last label may be cut by the borders of the sequence.

Bins are 0 to S - 1; positions 0 to S lie between them. All scores are in nats. G is the number of scales.
Everything that runs backwards is the same code on the reversed problem.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

NEVER = -1e9


@dataclass(frozen=True, slots=True)
class Chain:
    """Labels 0 to N - 1 in order. follows[n]: (earlier label, log prior) pairs that n may follow directly.

    opens, closes: [N, S + 1] log priors of being the first (last) label, with nothing before (after) each position.
    opens_cut, closes_cut: [N] the same where the border of the sequence is there instead.
    """

    follows: tuple[tuple[tuple[int, float], ...], ...]
    opens: np.ndarray
    closes: np.ndarray
    opens_cut: np.ndarray
    closes_cut: np.ndarray

    def reversed(self) -> Chain:
        """The chain seen from the other end."""
        count = len(self.follows)
        turned: list[list[tuple[int, float]]] = [[] for _ in range(count)]
        for label, before in enumerate(self.follows):
            for earlier, prior in before:
                turned[count - 1 - earlier].append((count - 1 - label, prior))
        ends = (self.closes[::-1, ::-1], self.opens[::-1, ::-1], self.closes_cut[::-1], self.opens_cut[::-1])
        return Chain(tuple(tuple(t) for t in turned), *ends)


@dataclass(frozen=True, slots=True)
class Interval:
    """Label `label` on the bins start <= bin < stop."""

    label: int
    start: int
    stop: int


@dataclass(frozen=True)
class Lattice:
    """One decoding problem.

    emission: [S, N] nats of each bin for each label. nothing: [S] nats of each bin for no label.
    full: [G, N, D] nats of a label that lasts 1 to D bins. cut: the same for one cut by a border.
    border: [S + 1] nats of a change of label at each position. scale: [G] log prior of each scale.
    landmarks: [S, N] what of the emission comes from sacrum and ribs; None: nothing.
    """

    chain: Chain
    emission: np.ndarray
    nothing: np.ndarray
    full: np.ndarray
    cut: np.ndarray
    border: np.ndarray
    scale: np.ndarray
    landmarks: np.ndarray | None = None

    @property
    def bins(self) -> int:
        """S."""
        return len(self.nothing)

    @cached_property
    def evidence(self) -> np.ndarray:
        """[S + 1, N] emission up to each position."""
        return np.concatenate([np.zeros((1, self.emission.shape[1])), np.cumsum(self.emission, axis=0)])

    @cached_property
    def empty(self) -> np.ndarray:
        """[S + 1] score of nothing up to each position."""
        return np.concatenate([[0.0], np.cumsum(self.nothing)])

    @cached_property
    def turned(self) -> Lattice:
        """The problem seen from the other end."""
        return Lattice(
            chain=self.chain.reversed(),
            emission=self.emission[::-1, ::-1],
            nothing=self.nothing[::-1],
            full=self.full[:, ::-1],
            cut=self.cut[:, ::-1],
            border=self.border[::-1],
            scale=np.zeros_like(self.scale),
        )

    @cached_property
    def tables(self) -> tuple[np.ndarray, np.ndarray]:
        """enter [G, N, S + 1]: best score of all before a label that starts at a position (scale prior included).

        leave [G, N, S + 1]: best score of all up to the end of a label that stops at a position.
        """
        return _forward(self)

    @cached_property
    def rest(self) -> np.ndarray:
        """[G, N, S + 1]: best score of all after a label that stops at a position."""
        return self.turned.tables[0][:, ::-1, ::-1]

    def best(self) -> float:
        """Score of the best path with at least one label."""
        return float((self.tables[1] + self.rest).max())

    def without(self) -> float:
        """Score of the path without any label."""
        return float(self.empty[-1] + self.scale.max())

    def path(self) -> tuple[int, tuple[Interval, ...]]:
        """Scale index and intervals of the best path with at least one label."""
        total = self.tables[1] + self.rest
        scale, label, stop = np.unravel_index(total.argmax(), total.shape)
        last = trace(self, int(scale), int(label), int(stop))
        return int(scale), (*last, *self.tail(int(scale), int(label), int(stop)))

    def head(self, scale: int, label: int, start: int) -> tuple[Interval, ...]:
        """The best intervals before a label that starts at `start`."""
        before = _came_from(self, scale, label, start)
        return () if before is None else trace(self, scale, before, start)

    def tail(self, scale: int, label: int, stop: int) -> tuple[Interval, ...]:
        """The best intervals after a label that stops at `stop`."""
        count, bins = self.emission.shape[1], self.bins
        before = _came_from(self.turned, scale, count - 1 - label, bins - stop)
        if before is None:
            return ()
        found = trace(self.turned, scale, before, bins - stop)
        return tuple(Interval(count - 1 - i.label, bins - i.stop, bins - i.start) for i in reversed(found))

    def through(self, interval: Interval) -> Through:
        """Best scores of the paths in which this very piece has each label, or none."""
        return _through(self, interval)


@dataclass(frozen=True, slots=True)
class Through:
    """What else a piece of the sequence may be.

    score: [N] best score per label. where: [N, 3] scale, start and stop of the piece in that path. nothing: best score
    of the paths in which the piece's middle has no label.
    """

    score: np.ndarray
    where: np.ndarray
    nothing: float


def _forward(lattice: Lattice) -> tuple[np.ndarray, np.ndarray]:
    scales, count, longest = lattice.full.shape
    bins = lattice.bins
    enter = np.full((scales, count, bins + 1), NEVER)
    leave = np.full((scales, count, bins + 1), NEVER)
    for label in range(count):
        opened = lattice.empty + lattice.chain.opens[label]
        opened[0] = lattice.chain.opens_cut[label]
        enter[:, label] = opened + lattice.scale[:, None]
        for earlier, prior in lattice.chain.follows[label]:
            np.maximum(enter[:, label], leave[:, earlier] + prior + lattice.border, out=enter[:, label])
        gain = enter[:, label] - lattice.evidence[:, label]
        padded = np.pad(gain, ((0, 0), (longest, 0)), constant_values=NEVER)
        # windows[g, stop, d]: starts at stop - D + d
        windows = sliding_window_view(padded, longest, axis=1)[:, : bins + 1]
        best = (windows + lattice.full[:, label, None, ::-1]).max(axis=2)
        reach = min(longest, bins)
        cut = lattice.cut[:, label, :reach]
        best[:, 1 : reach + 1] = np.maximum(best[:, 1 : reach + 1], gain[:, :1] + cut)
        best[:, bins] = np.maximum(best[:, bins], (gain[:, bins - reach : bins] + cut[:, ::-1]).max(axis=1))
        leave[:, label] = best + lattice.evidence[:, label]
    return enter, leave


def _came_from(lattice: Lattice, scale: int, label: int, start: int) -> int | None:
    """The label before one that starts at `start`; None where it is the first."""
    enter, leave = lattice.tables
    for earlier, prior in lattice.chain.follows[label]:
        if leave[scale, earlier, start] + prior + lattice.border[start] >= enter[scale, label, start]:
            return earlier
    return None


def trace(lattice: Lattice, scale: int, label: int, stop: int) -> tuple[Interval, ...]:
    """Intervals of the best path that ends with `label` at position `stop`, in order."""
    enter, _ = lattice.tables
    found: list[Interval] = []
    here: int | None = label
    while here is not None:
        starts = np.arange(max(0, stop - lattice.full.shape[2]), stop)
        lasted = stop - starts - 1
        duration = lattice.full[scale, here, lasted].copy()
        at_border = (starts == 0) | (stop == lattice.bins)
        duration[at_border] = np.maximum(duration, lattice.cut[scale, here, lasted])[at_border]
        start = int(starts[(enter[scale, here, starts] - lattice.evidence[starts, here] + duration).argmax()])
        found.append(Interval(here, start, stop))
        here, stop = _came_from(lattice, scale, here, start), start
    return tuple(reversed(found))


def _through(lattice: Lattice, interval: Interval) -> Through:
    enter, leave = lattice.tables
    count, longest = lattice.full.shape[1:]
    # the same piece: both ends within a third of its length, so that a moved border is not taken for another name
    slack = max(1, (interval.stop - interval.start) // 3)
    spot = (interval.start + interval.stop) // 2
    starts = np.arange(max(0, interval.start - slack), min(spot, interval.start + slack) + 1)
    stops = np.arange(max(spot + 1, interval.stop - slack), min(lattice.bins, interval.stop + slack) + 1)
    lasted = stops[None] - starts[:, None] - 1  # [A, B]
    kept = np.minimum(lasted, longest - 1)
    duration = lattice.full[:, :, kept]
    at_border = (starts[:, None] == 0) | (stops[None] == lattice.bins)
    duration = np.where(at_border, np.maximum(duration, lattice.cut[:, :, kept]), duration)
    duration = np.where(lasted < longest, duration, NEVER)
    span = lattice.evidence.T[:, None, stops] - lattice.evidence.T[:, starts, None]
    total = enter[:, :, starts, None] + span + duration + lattice.rest[:, :, None, stops]  # [G, N, A, B]
    flat = total.transpose(1, 0, 2, 3).reshape(count, -1)
    best = flat.argmax(axis=1)
    scale, start, stop = np.unravel_index(best, (len(lattice.scale), len(starts), len(stops)))
    above = (lattice.turned.tables[1][:, ::-1, ::-1] + lattice.chain.opens + lattice.empty)[:, :, spot + 1 :]
    below = (leave + lattice.chain.closes + lattice.empty[-1] - lattice.empty)[:, :, : spot + 1]
    nothing = max(
        lattice.without(),
        float((above + lattice.scale[:, None, None]).max(initial=NEVER)),
        float(below.max(initial=NEVER)),
    )
    where = np.column_stack([scale, starts[start], stops[stop]])
    return Through(flat[np.arange(count), best], where, nothing)
