"""From scores to chances: confidences that mean what they say, and the margin below which an enumeration is in doubt.

The decoding's confidence is a softmax over the best paths, whose evidence is correlated; a logistic curve in its logit
(Platt, 1999) turns it into the share of vertebrae that are right. Its two numbers and the margin are configuration
values (`inference.decode`), fitted here by benchmarks/calibrate.py on scans that the network never saw. Pure numbers.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from scipy import special

_LOGIT_LIMIT = 12.0
"""Confidences closer than 6e-6 to 0 or 1 count as that far: beyond it rounding decides."""


@dataclass(frozen=True, slots=True)
class Curve:
    """calibrated = sigmoid(slope * logit(raw) + offset); slope 1 and offset 0 leave a confidence as it is."""

    slope: float
    offset: float


@dataclass(frozen=True, slots=True)
class Limit:
    """A margin: scans whose runner-up is closer are flagged. flagged: how many are. passed: how many are not, of which
    `wrong` are wrong; upper: of that share, the upper end of the 95 % interval."""

    margin: float
    flagged: int
    passed: int
    wrong: int
    upper: float


def logit(confidence: np.ndarray) -> np.ndarray:
    """Log odds of confidences of any shape, limited."""
    with np.errstate(divide="ignore"):
        return np.clip(special.logit(np.asarray(confidence, float)), -_LOGIT_LIMIT, _LOGIT_LIMIT)


def calibrated(confidence: float, curve: Curve) -> float:
    """A raw confidence as the chance to be right. 0 stays 0: no evidence at all."""
    return float(special.expit(curve.slope * logit(np.array(confidence)) + curve.offset)) if confidence > 0 else 0.0


def fit_curve(confidence: np.ndarray, right: np.ndarray) -> Curve:
    """The curve of greatest likelihood, with Platt's targets, which keep it finite where all are right.

    Args:
        confidence: [N] raw, N > 0.
        right: [N] bool.
    """
    from scipy import optimize

    x, hits = logit(confidence), int(np.sum(right))
    target = np.where(right, (hits + 1) / (hits + 2), 1 / (len(x) - hits + 2))

    def loss(values: np.ndarray) -> float:
        z = np.exp(values[0]) * x + values[1]  # the slope stays positive: more confidence is never a smaller chance
        return float(np.mean(np.logaddexp(0, z) - target * z))

    found = optimize.minimize(loss, np.array([-0.5, 0.0]), method="Nelder-Mead", options={"xatol": 1e-4, "fatol": 1e-8})
    return Curve(float(np.exp(found.x[0])), float(found.x[1]))


def limit(margin: float, margins: np.ndarray, wrong: np.ndarray, flagged: np.ndarray) -> Limit:
    """What a margin does to scans.

    Args:
        margin: nats.
        margins: [N] nats to the runner-up; infinite without one.
        wrong: [N] bool.
        flagged: [N] bool, for another reason than the margin.
    """
    passed = ~flagged & (margins >= margin)
    bad = int((passed & wrong).sum())
    count = int(passed.sum())
    return Limit(margin, len(margins) - count, count, bad, upper_share(bad, count))


def upper_share(bad: int, count: int) -> float:
    """Upper end of the 95 % interval of the share `bad` of `count` (Clopper and Pearson)."""
    from scipy import stats

    return float(stats.beta.ppf(0.975, bad + 1, count - bad)) if bad < count else 1.0


def fit_margin(margins: np.ndarray, wrong: np.ndarray, flagged: np.ndarray, *, tolerated: float = 0.01) -> Limit:
    """The smallest margin at which at most the share `tolerated` of the scans that pass are wrong. See `limit`.

    It lies in the middle between the scan that it must flag and the next one, so that neither decides alone.
    """
    steps = np.unique(margins[np.isfinite(margins)])
    middles = [float(a + b) / 2 for a, b in pairwise(steps)]
    options = [0.0, *middles, *(steps[-1:] * 1.05 + 1e-6)]
    for option in options:
        found = limit(float(option), margins, wrong, flagged)
        if found.wrong <= tolerated * found.passed:
            return found
    return limit(float("inf"), margins, wrong, flagged)


def reliability(confidence: np.ndarray, right: np.ndarray, *, bins: int = 10) -> np.ndarray:
    """[b, 3] mean confidence, share that is right and number, per tenth of the vertebrae in order of confidence.

    Bins of equal number, not of equal width: most vertebrae are near 1. There are fewer where vertebrae are few.
    """
    order = np.argsort(confidence, kind="stable")
    groups = np.array_split(order, max(1, min(bins, len(order))))
    return np.array([(confidence[g].mean(), right[g].mean(), len(g)) for g in groups if len(g)]).reshape(-1, 3)


def calibration_error(confidence: np.ndarray, right: np.ndarray, *, bins: int = 10) -> float:
    """Expected calibration error: mean distance of confidence and share that is right, bin by bin."""
    table = reliability(confidence, right, bins=bins)
    return float((np.abs(table[:, 0] - table[:, 1]) * table[:, 2]).sum() / max(table[:, 2].sum(), 1))
