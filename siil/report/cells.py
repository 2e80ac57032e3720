"""A table as text, and the texts of its cells: `mean ± sd [low, high]`, differences, p-values.

Used by siil.report.tables and siil.report.trainings; siil.report.formats writes a `Table` as CSV, Markdown and LaTeX.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd

from siil.metrics.catalogue import Metric

NONE: Final = "–"
Row = dict[Hashable, Any]


@dataclass(frozen=True, slots=True)
class Table:
    """columns: headings with units. rows: one text per column. notes: sentences below the table."""

    name: str
    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...]


def cells_of(group: pd.DataFrame, metrics: Sequence[Metric]) -> tuple[str, ...]:
    """A cell per metric, from the rows that siil.metrics.pool.summarise gave one group."""
    rows = {row["metric"]: row for row in group.to_dict("records")}
    return tuple(cell(rows[m.name], m.decimals) for m in metrics)


def cell(row: Row, decimals: int) -> str:
    """Mean ± sd [low, high], as far as they exist."""
    if not np.isfinite(row["mean"]):
        return NONE
    text = f"{row['mean']:.{decimals}f}"
    if np.isfinite(row["sd"]):
        text += f" ± {row['sd']:.{decimals}f}"
    if np.isfinite(row["low"]):
        text += f" [{row['low']:.{decimals}f}, {row['high']:.{decimals}f}]"
    return text


def difference(row: Row, decimals: int) -> str:
    """A signed difference [low, high], from a row of siil.metrics.pool.paired."""
    if not np.isfinite(row["difference"]):
        return NONE
    text = f"{row['difference']:+.{decimals}f}"
    if np.isfinite(row["low"]):
        text += f" [{row['low']:+.{decimals}f}, {row['high']:+.{decimals}f}]"
    return text


def lost(row: Row) -> str:
    """A difference with its p-value."""
    return f"{difference(row, 3)} (p {p_value(row['p_holm'], sign=True)})" if np.isfinite(row["difference"]) else NONE


def p_value(value: float, *, sign: bool = False) -> str:
    """`0.012`, `< 0.001`; with `sign` also `= 0.012`."""
    if not np.isfinite(value):
        return NONE
    if value < 0.001:
        return "< 0.001"
    return f"{'= ' if sign else ''}{value:.3f}"
