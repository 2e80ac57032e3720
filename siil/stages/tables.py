"""`siil tables`: the tables of an experiment as CSV, Markdown and LaTeX (step 11 of the pipeline)."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import pandas as pd
import typer

from siil.config import Config
from siil.errors import DatasetError
from siil.report.formats import FORMATS
from siil.report.tables import NAMES, make_tables
from siil.run import files, provenance
from siil.run.tsv import read_table


def tables(
    *,
    config: Config,
    aggregate: Annotated[Path, typer.Option(help="folder that aggregate wrote")],
    output: Annotated[Path, typer.Option(help="folder for the tables, each as .csv, .md and .tex")],
) -> None:
    """Write the tables of an experiment as CSV, Markdown and LaTeX. Research use only.

    Cells are mean ± sd and, in brackets, the bootstrap interval over patients; full digits are in aggregate/*.tsv. The
    first model of the configuration is the one that others are compared with.
    """
    report = config.report
    names = ("bootstrap", "confidence", "seed", "averaging")
    used = {"report": {name: getattr(report, name) for name in names}}
    sources = {name: aggregate / f"{name}.tsv" for name in ("vertebrae", "scans", "history")}
    for path in sources.values():
        if not path.is_file():
            raise DatasetError(f"{path}: expected the pooled rows, got nothing; run aggregate")
    run = provenance.run_path(output / f"{NAMES[0]}.csv")
    with provenance.record(run, stage="tables", config=used, inputs=sources.values(), seed=report.seed):
        frames = {name: _read(path) for name, path in sources.items()}
        for table in make_tables(**frames, settings=report):
            for kind, write in FORMATS.items():
                files.write_text(output / f"{table.name}.{kind}", write(table))


def _read(path: Path) -> pd.DataFrame:
    frame = read_table(path)
    if frame.empty:
        raise DatasetError(f"{path}: expected at least one row, got none; run aggregate for an experiment with cases")
    return frame
