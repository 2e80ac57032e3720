"""Stage `report`: tables, figures and scans -> results/{experiment}/report/index.html, one page that works offline."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Annotated

import typer

from siil import files, provenance
from siil.config import Config, sections
from siil.pipeline import BY_NAME

log = logging.getLogger("siil")


def report(
    *,
    config: Config,
    aggregate: Annotated[Path, typer.Option(help="folder of the aggregate step")],
    tables: Annotated[Path, typer.Option(help="folder of the tables step")],
    figures: Annotated[Path, typer.Option(help="folder of the figures step")],
    results: Annotated[Path, typer.Option(help="folder of the experiment, results/{experiment}")],
    data: Annotated[Path, typer.Option(help="folder of the dataset, data/{dataset}")],
    output: Annotated[Path, typer.Option(help="the page to write, report/index.html")],
) -> None:
    """Write the report: one HTML file with tables, figures, an interactive viewer of some scans, and provenance.

    The page needs no network and no other file. Colour tables of the labels for 3D Slicer (siil_slicer.ctbl) and
    ITK-SNAP (siil_itksnap.txt) are written beside it.
    """
    import pandas as pd

    from siil.report.content import DOWNLOADS, build_page, table_block
    from siil.report.figures import FIGURES
    from siil.report.page import render_page
    from siil.report.results import read_results

    with provenance.record(
        output.parent / "run.json", stage="report", config=sections(config, BY_NAME["report"].sections)
    ):
        page = build_page(
            read_results(aggregate=aggregate, results=results, data=data, models=config.models, folds=config.folds),
            experiment=config.experiment,
            description=config.description,
            tables=[
                table_block(path.stem, pd.read_csv(path, dtype=str, keep_default_na=False))
                for path in sorted(tables.glob("*.csv"))
            ],
            figures={name: path.read_bytes() for name in FIGURES if (path := figures / f"{name}.png").is_file()},
            viewer_cases=config.report.viewer_cases,
            confidence=config.report.confidence,
        )
        files.write_text(output, render_page(page))
        for name, make in DOWNLOADS.items():
            files.write_text(output.parent / name, make())
        log.info("wrote %s (%.1f MB)", output, output.stat().st_size / 1e6)
