"""Stage `report`: tables, figures and scans -> results/{experiment}/report/index.html, one page that works offline."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from siil.config import Config, sections
from siil.run import files, provenance
from siil.run.pipeline import BY_NAME

if TYPE_CHECKING:
    from siil.report.page import TableBlock

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

    The page needs no network and no other file. The table of all scans (siil_scans.tsv; the page shows the worst and
    the best of many) and colour tables of the labels for 3D Slicer (siil_slicer.ctbl) and ITK-SNAP (siil_itksnap.txt)
    are written beside it.
    """
    from siil.report.content import build_page
    from siil.report.figures import FIGURES
    from siil.report.page import render_page
    from siil.report.results import read_results
    from siil.report.tables import NAMES

    with provenance.record(
        output.parent / "run.json", stage="report", config=sections(config, BY_NAME["report"].sections)
    ):
        found = read_results(
            aggregate=aggregate,
            results=results,
            data=data,
            models=config.models,
            folds=config.folds,
            settings=config.report,
        )
        page = build_page(
            found,
            experiment=config.experiment,
            description=config.description,
            tables=[_table(tables / f"{name}.csv") for name in NAMES if (tables / f"{name}.csv").is_file()],
            figures={name: path.read_bytes() for name in FIGURES if (path := figures / f"{name}.png").is_file()},
        )
        files.write_text(output, render_page(page))
        for name, text in page.downloads.items():
            files.write_text(output.parent / name, text)
        log.info("wrote %s (%.1f MB)", output, output.stat().st_size / 1e6)


def _table(path: Path) -> TableBlock:
    from siil.report.content import table_block
    from siil.run.tsv import read_table

    notes = path.with_suffix(".md")
    markdown = notes.read_text(encoding="utf-8") if notes.is_file() else ""
    return table_block(path.stem, read_table(path, text=True), markdown=markdown)
