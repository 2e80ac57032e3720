"""Stage `figures`: aggregated tables and tested scans -> results/{experiment}/figures/*.png and *.pdf."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Annotated

import typer

from siil.config import Config, sections
from siil.run import provenance
from siil.run.pipeline import BY_NAME

log = logging.getLogger("siil")


def figures(
    *,
    config: Config,
    aggregate: Annotated[Path, typer.Option(help="folder of the aggregate step")],
    results: Annotated[Path, typer.Option(help="folder of the experiment, results/{experiment}")],
    data: Annotated[Path, typer.Option(help="folder of the dataset, data/{dataset}")],
    output: Annotated[Path, typer.Option(help="folder for the figures")],
) -> None:
    """Draw every figure of the experiment as PNG and PDF.

    The list of figures is fixed (siil.report.figures.FIGURES): one with nothing to show says so. The same data give the
    same bytes. Single-scan figures show the first model of the configuration.
    """
    from siil.report.figures import FIGURES
    from siil.report.results import read_results
    from siil.report.style import save

    with provenance.record(output / "run.json", stage="figures", config=sections(config, BY_NAME["figures"].sections)):
        found = read_results(
            aggregate=aggregate,
            results=results,
            data=data,
            models=config.models,
            folds=config.folds,
            settings=config.report,
        )
        for name, figure in FIGURES.items():
            png, _ = save(figure.draw(found), output, name)
            log.info("drew %s", png)
