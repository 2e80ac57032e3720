"""Is each vertebra called by its right name? VerSe's definition with its quirks, a strict one, one blind to a shift.

Part of `evaluate`. Works on centroids in millimetres: code -> (z, y, x). They are centres of mass of the masks on both
sides, never the body centres of VerSe's JSON files, which lie about 12 mm in front of them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment

Centroids = Mapping[int, np.ndarray]
_T13 = 28


@dataclass(frozen=True, slots=True)
class Match:
    """A vertebra of the truth and the predicted one that lies at its place, whatever its label."""

    truth: int
    predicted: int
    distance_mm: float


def verse_hits(truth: Centroids, predicted: Centroids, limit_mm: float = 20.0) -> set[int]:
    """Codes of the truth that VerSe's organisers count as identified (anjany/verse, utils/eval_utilities.py, get_hits).

    A label is a hit when its predicted centroid is nearest to the true centroid of the same label and at most
    `limit_mm` away. Kept quirks: only labels on both sides are looked at, so a true vertebra whose label was not
    predicted cannot be the nearest; a predicted label that is not in the truth costs nothing. The rate is hits / number
    of true vertebrae.
    """
    codes = sorted(set(truth) & set(predicted))
    if not codes:
        return set()
    distance = _distances(predicted, truth, codes, codes)
    nearest = distance.argmin(axis=1)
    return {code for n, code in enumerate(codes) if nearest[n] == n and distance[n, n] <= limit_mm}


def match(truth: Centroids, predicted: Centroids, limit_mm: float = 20.0) -> list[Match]:
    """One-to-one matching by place alone: the pairs, at most `limit_mm` apart, of the smallest total distance.

    A vertebra that stays alone costs `limit_mm`. So where all names are one level off, vertebrae are still
    matched with those at their place, and not with their namesakes 15 mm further on.
    """
    rows, columns = sorted(truth), sorted(predicted)
    if not rows or not columns:
        return []
    distance = _distances(truth, predicted, rows, columns)
    pairs = zip(*linear_sum_assignment(np.minimum(distance, limit_mm)), strict=True)
    return [Match(rows[i], columns[j], float(distance[i, j])) for i, j in pairs if distance[i, j] <= limit_mm]


def _distances(one: Centroids, two: Centroids, rows: Sequence[int], columns: Sequence[int]) -> np.ndarray:
    a, b = np.array([one[code] for code in rows]), np.array([two[code] for code in columns])
    return np.linalg.norm(a[:, None] - b[None], axis=2)


def strict_hits(matches: Sequence[Match]) -> set[int]:
    """Codes of the truth whose match carries the same label."""
    return {pair.truth for pair in matches if pair.truth == pair.predicted}


def best_shift(matches: Sequence[Match]) -> tuple[int, int] | None:
    """The constant shift of labels that explains most matches, and how many; None without a match.

    A shift of +1 means that every vertebra is called by the name of the next lower one (T12 is called L1). Levels are
    counted without T13, which most spines do not have: T13 is right or wrong, never shifted. Of equals the smallest.
    """
    if not matches:
        return None
    steps: Counter[int] = Counter({0: 0})
    for pair in matches:
        if pair.truth == pair.predicted:
            steps[0] += 1
        elif _T13 not in (pair.truth, pair.predicted):
            steps[pair.predicted - pair.truth] += 1
    return min(steps.items(), key=lambda item: (-item[1], abs(item[0]), item[0]))
