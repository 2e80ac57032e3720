"""Reading tables: the one function through which every TSV and CSV of this project is read.

A name is text, whatever it looks like: a patient called NA, None, null or nan is no missing value, and 001 is not 1. In
all other columns an empty field and `nan` (as writers of numbers leave them) are missing values.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import Final

import pandas as pd

NAMES: Final = frozenset(
    {
        *(
            "case",
            "patient",
            "subject",
            "source",
            "edition",
            "split",
            "annotation",
            "image",
            "mask",
            "centroids",
            "scan",
        ),
        *("model", "Model", "space", "Grid", "scope", "label", "nearest_label", "metric", "field", "group", "variant"),
        *("enumeration", "runner_up", "reason", "flags", "name", "annotation"),
    }
)
"""Columns that hold text in any table."""
_MISSING: Final = ["", "nan", "NaN"]


def read_table(source: Path | str | io.StringIO, *, text: bool = False) -> pd.DataFrame:
    """Read a table; tabs for anything but .csv.

    Args:
        source: a path, or the text of a table in memory.
        text: every column as text, an empty field as "".

    Raises:
        OSError, ValueError: what pandas raises for a file that is no table.
    """
    content = source.getvalue() if isinstance(source, io.StringIO) else Path(source).read_text(encoding="utf-8-sig")
    sign = "," if isinstance(source, str | Path) and Path(source).suffix == ".csv" else "\t"
    if text:
        return pd.read_csv(io.StringIO(content), sep=sign, dtype=str, keep_default_na=False)
    columns = pd.read_csv(io.StringIO(content), sep=sign, nrows=0, dtype=str).columns
    names = [column for column in columns if column in NAMES]
    missing = {column: _MISSING for column in columns if column not in NAMES}
    return pd.read_csv(
        io.StringIO(content), sep=sign, dtype=dict.fromkeys(names, str), keep_default_na=False, na_values=missing
    )
