"""The engine of the decoding against a brute force over all paths of a tiny problem."""

from __future__ import annotations

from itertools import combinations, pairwise

import numpy as np
import pytest

from siil.inference.viterbi import Chain, Interval, Lattice

BINS, LABELS, LONGEST = 7, 4, 4


def lattice(seed: int, scales: int = 2) -> Lattice:
    generator = np.random.default_rng(seed)
    follows = ((), ((0, 0.0),), ((1, -0.7),), ((2, 0.0), (1, -0.2)))  # label 2 may be left out, 3 follows 1 then
    ends = generator.normal(size=(2, LABELS, BINS + 1))
    chain = Chain(follows, *ends, *generator.normal(size=(2, LABELS)))
    return Lattice(
        chain=chain,
        emission=generator.normal(size=(BINS, LABELS)),
        nothing=generator.normal(size=BINS) - 0.5,
        full=generator.normal(size=(scales, LABELS, LONGEST)),
        cut=generator.normal(size=(scales, LABELS, LONGEST)),
        border=generator.normal(size=BINS + 1),
        scale=generator.normal(size=scales),
    )


def all_paths(problem: Lattice):
    """(score, scale, intervals) of every legal path with at least one label."""
    chains = [(n,) for n in range(LABELS)]
    for chain in chains:
        for label, before in enumerate(problem.chain.follows):
            if any(earlier == chain[-1] for earlier, _ in before):
                chains.append((*chain, label))
    for chain in chains:
        for edges in combinations(range(BINS + 1), len(chain) + 1):
            intervals = [Interval(k, a, b) for k, a, b in zip(chain, edges, edges[1:], strict=False)]
            if max(i.stop - i.start for i in intervals) > LONGEST:
                continue
            for scale in range(len(problem.scale)):
                yield score(problem, scale, intervals), scale, tuple(intervals)


def score(problem: Lattice, scale: int, intervals: list[Interval]) -> float:
    first, last = intervals[0], intervals[-1]
    total = problem.scale[scale] + problem.nothing[: first.start].sum() + problem.nothing[last.stop :].sum()
    chain = problem.chain
    total += chain.opens[first.label, first.start] if first.start else chain.opens_cut[first.label]
    total += chain.closes[last.label, last.stop] if last.stop < BINS else chain.closes_cut[last.label]
    for interval in intervals:
        lasted = interval.stop - interval.start - 1
        price = problem.full[scale, interval.label, lasted]
        if interval.start == 0 or interval.stop == BINS:
            price = max(price, problem.cut[scale, interval.label, lasted])
        total += price + problem.emission[interval.start : interval.stop, interval.label].sum()
    for one, two in pairwise(intervals):
        total += dict(problem.chain.follows[two.label])[one.label] + problem.border[two.start]
    return float(total)


@pytest.mark.parametrize("seed", range(6))
def test_best_path_and_score_equal_brute_force(seed):
    problem = lattice(seed)
    best = max(all_paths(problem), key=lambda path: path[0])
    assert problem.best() == pytest.approx(best[0])
    assert problem.path() == best[1:]


@pytest.mark.parametrize("seed", range(4))
def test_scores_through_a_piece_equal_brute_force(seed):
    problem = lattice(seed)
    paths = list(all_paths(problem))
    piece = problem.path()[1][0]
    through = problem.through(piece)
    spot, slack = (piece.start + piece.stop) // 2, max(1, (piece.stop - piece.start) // 3)
    for label in range(LABELS):
        same = [
            (total, scale, i.start, i.stop)
            for total, scale, intervals in paths
            for i in intervals
            if i.label == label
            and i.start <= spot < i.stop
            and abs(i.start - piece.start) <= slack
            and abs(i.stop - piece.stop) <= slack
        ]
        if not same:
            assert through.score[label] < -1e8
            continue
        assert through.score[label] == pytest.approx(max(same)[0])
        assert tuple(through.where[label]) == max(same)[1:]
    none = [total for total, _, intervals in paths if spot < intervals[0].start or spot >= intervals[-1].stop]
    assert through.nothing == pytest.approx(max([*none, problem.without()]))


def test_head_and_tail_complete_a_piece_to_the_best_path_through_it():
    problem = lattice(2)
    scale, intervals = problem.path()
    for n, piece in enumerate(intervals):
        assert problem.head(scale, piece.label, piece.start) == intervals[:n]
        assert problem.tail(scale, piece.label, piece.stop) == intervals[n + 1 :]


def test_the_reversed_problem_has_the_same_best_score():
    problem = lattice(3)
    assert problem.turned.best() + problem.scale.max() >= problem.best() - 1e-9
    one_scale = lattice(3, scales=1)
    assert one_scale.turned.best() + one_scale.scale[0] == pytest.approx(one_scale.best())


def test_a_cut_duration_counts_only_at_the_border():
    chain = Chain(((), ((0, 0.0),)), *np.zeros((2, 2, 5)), *np.zeros((2, 2)))
    full = np.full((1, 2, 3), -5.0)
    full[..., 1] = 0.0  # two bins are right
    problem = Lattice(
        chain=chain,
        emission=np.array([[3.0, 0.0], [0.0, 3.0], [0.0, 3.0], [0.0, -9.0]]),
        nothing=np.array([-9.0, -9.0, -9.0, 0.0]),
        full=full,
        cut=np.zeros((1, 2, 3)),
        border=np.zeros(5),
        scale=np.zeros(1),
    )
    assert problem.path()[1] == (Interval(0, 0, 1), Interval(1, 1, 3))
    assert problem.best() == pytest.approx(9.0)  # one bin of label 0 costs nothing: it is cut by the border
