"""From rows of scans and vertebrae to numbers for a table: means, intervals over patients, paired tests.

Used by `aggregate` and `tables`. Scans of one patient are not independent, so patients are what is drawn with
replacement for an interval and what is paired in a test. Absent values (NaN) leave every mean. Pure: frames in, frames
out.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy import stats

from siil.config.schema.report import Report

COLUMNS = ("metric", "mean", "sd", "low", "high", "n")


def summarise(frame: pd.DataFrame, *, by: Sequence[str], metrics: Sequence[str], settings: Report) -> pd.DataFrame:
    """Mean, sd, interval and count of each metric in each group.

    Args:
        frame: rows with the columns `by`, `metrics`, `patient` and, where trainings were repeated, `repeat`, fold, case
            and label.
        by: what makes a group; groups keep the order in which they first come.
        metrics: columns to average.
        settings: bootstrap, confidence and seed.

    Returns:
        The columns `by`, then metric, mean, sd (over rows), low, high (percentile bootstrap of the mean over patients;
        NaN for fewer than two patients) and n (rows with a value; the repeats of one scan or vertebra count once). The
        same patients are drawn for every metric, and, where groups hold the same patients, for every group.
    """
    rows = []
    for key, group in frame.groupby(list(by), sort=False):
        values = group[list(metrics)].to_numpy(float)
        low, high = _intervals(values, group["patient"].to_numpy(str), settings)
        things = _things(group)
        for number, metric in enumerate(metrics):
            there = ~np.isnan(values[:, number])
            known = values[there, number]
            mean = float(known.mean()) if known.size else np.nan
            sd = float(known.std(ddof=1)) if known.size > 1 else np.nan
            rows.append((*key, metric, mean, sd, low[number], high[number], np.unique(things[there]).size))
    return pd.DataFrame(rows, columns=[*by, *COLUMNS])


def by_level(vertebrae: pd.DataFrame, *, by: Sequence[str], metrics: Sequence[str], settings: Report) -> pd.DataFrame:
    """`summarise` with each level counting the same: the mean over levels of the mean over a level's vertebrae.

    What nnU-Net's evaluator does (mean per label over scans, then over labels): an invented vertebra counts with its
    Dice of 0, a distance that does not exist is left out. Frequent lumbar levels do not outweigh rare ones.

    Args:
        vertebrae: rows with the columns `by`, `metrics`, `label` and `patient`.

    Returns:
        As `summarise`; sd is over levels, n the number of levels.
    """
    rows = []
    for key, group in vertebrae.groupby(list(by), sort=False):
        names, owner = np.unique(group["patient"].to_numpy(str), return_inverse=True)
        levels, level = np.unique(group["label"].to_numpy(str), return_inverse=True)
        values = group[list(metrics)].to_numpy(float)
        sums, counts = np.zeros((2, len(names), len(levels), len(metrics)))
        np.add.at(sums, (owner, level), np.nan_to_num(values))
        np.add.at(counts, (owner, level), ~np.isnan(values))
        with np.errstate(invalid="ignore"):
            means = sums.sum(axis=0) / counts.sum(axis=0)
            drawn = np.tensordot(_draws(len(names), settings), np.stack([sums, counts]), axes=(1, 1))
            again = drawn[:, 0] / drawn[:, 1]  # [draws, levels, metrics]
        tail = (1 - settings.confidence) / 2
        for number, metric in enumerate(metrics):
            known = means[~np.isnan(means[:, number]), number]
            sd = float(known.std(ddof=1)) if known.size > 1 else np.nan
            several = (counts[:, :, number].sum(axis=1) > 0).sum() >= 2
            low, high = np.nanquantile(_over(again[:, :, number]), [tail, 1 - tail]) if several else (np.nan, np.nan)
            rows.append((*key, metric, float(known.mean()) if known.size else np.nan, sd, low, high, known.size))
    return pd.DataFrame(rows, columns=[*by, *COLUMNS])


def _over(draws: np.ndarray) -> np.ndarray:
    """Mean over the levels [draws, levels] that a draw holds; NaN for a draw without any."""
    there = ~np.isnan(draws)
    return np.where(there.any(axis=1), np.nan_to_num(draws).sum(axis=1) / np.maximum(there.sum(axis=1), 1), np.nan)


def repeats(frame: pd.DataFrame) -> int:
    """How many trainings of each model on each fold are behind the rows."""
    return max(1, int(frame["repeat"].nunique()))


def once(frame: pd.DataFrame) -> pd.DataFrame:
    """The rows of the first trainings: every scan or vertebra once per model, fold and space."""
    return frame[frame["repeat"] == 0]


def _things(group: pd.DataFrame) -> np.ndarray:
    """A number per row that the repeats of one scan or vertebra share."""
    if "repeat" not in group or group["repeat"].nunique() == 1:
        return np.arange(len(group))
    return group.groupby(["fold", "case", "label"], sort=False, dropna=False).ngroup().to_numpy()


def _intervals(values: np.ndarray, patients: np.ndarray, settings: Report) -> tuple[np.ndarray, np.ndarray]:
    """Low and high, [metrics] each, of the mean of `values` [rows, metrics] over resampled patients."""
    names, owner = np.unique(patients, return_inverse=True)
    sums, counts = np.zeros((len(names), values.shape[1])), np.zeros((len(names), values.shape[1]))
    np.add.at(sums, owner, np.nan_to_num(values))
    np.add.at(counts, owner, ~np.isnan(values))
    drawn = _draws(len(names), settings)
    with np.errstate(invalid="ignore"):
        means = (drawn @ sums) / (drawn @ counts)  # a draw without a value is NaN
    low, high = (np.full(values.shape[1], np.nan) for _ in range(2))
    tail = (1 - settings.confidence) / 2
    for number in np.flatnonzero((counts > 0).sum(axis=0) >= 2):
        known = means[~np.isnan(means[:, number]), number]
        low[number], high[number] = np.quantile(known, [tail, 1 - tail])
    return low, high


def _draws(patients: int, settings: Report) -> np.ndarray:
    """[bootstrap, patients] how often each patient is drawn."""
    even = np.full(patients, 1 / patients)
    return np.random.default_rng(settings.seed).multinomial(patients, even, size=settings.bootstrap)


def paired(scans: pd.DataFrame, *, reference: str, metrics: Sequence[str], settings: Report) -> pd.DataFrame:
    """Every other model against `reference`, patient by patient.

    Args:
        scans: rows of one space with the columns model, case, patient and `metrics`.
        reference: the model that the others are compared with.
        metrics: columns to test.
        settings: bootstrap, confidence and seed of the intervals.

    Returns:
        model, metric, n (patients with a value in both), difference (mean over patients, model minus reference), low
        and high (percentile bootstrap of it over patients; NaN for fewer than two), p (Wilcoxon's signed-rank test,
        two-sided) and p_holm (corrected over all rows). p is NaN for fewer than two patients and 1 when no patient
        differs. A patient counts once: the mean over its scans and, where trainings were repeated, over them.
    """
    means = scans.groupby(["model", "patient"], sort=False)[list(metrics)].mean()
    rows = []
    for model in scans["model"].drop_duplicates():
        if model == reference:
            continue
        difference = means.loc[model] - means.loc[reference]
        low, high = _intervals(difference.to_numpy(float), difference.index.to_numpy(str), settings)
        for number, metric in enumerate(metrics):
            known = difference[metric].dropna().to_numpy(float)
            mean = float(known.mean()) if known.size else np.nan
            rows.append((model, metric, known.size, mean, low[number], high[number], _wilcoxon(known)))
    frame = pd.DataFrame(rows, columns=["model", "metric", "n", "difference", "low", "high", "p"])
    return frame.assign(p_holm=holm(frame["p"].to_numpy(float)))


def _wilcoxon(differences: np.ndarray) -> float:
    if differences.size < 2:
        return float("nan")
    rounded = np.round(differences, 12)  # equal differences must tie in spite of rounding
    # "auto": exact for few patients, by permutation where there are ties or zeros, else the normal approximation
    return float(stats.wilcoxon(rounded, method="auto").pvalue) if rounded.any() else 1.0


def holm(p: np.ndarray) -> np.ndarray:
    """Holm's step-down correction of p-values [n]; NaN ones stay NaN and are not counted as tests."""
    corrected = np.full(p.shape, np.nan)
    known = np.flatnonzero(~np.isnan(p))
    order = known[np.argsort(p[known], kind="stable")]
    steps = p[order] * (len(order) - np.arange(len(order)))
    corrected[order] = np.minimum(np.maximum.accumulate(steps), 1.0)
    return corrected
