"""`siil check`: is this dataset fit for training? No step of the pipeline: it writes nothing."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Annotated

import typer

from siil.config import Config
from siil.datasets import checking
from siil.errors import DatasetError
from siil.run.progress import track

SECTIONS = ("dataset.preprocess",)


def check(
    *,
    config: Config,
    paths: Annotated[list[Path], typer.Argument(help="folder (img/ and msk/, BIDS, VerSe, CTSpine1K) or NIfTI files")],
) -> None:
    """Read every scan and mask as the pipeline will, and list what is wrong: before GPU hours are spent.

    Ends with exit code 2 when a scan would be refused, and when none could be used. Nothing is written.
    """
    found = checking.find(paths)
    problems: list[checking.Problem] = []
    for scan, needs_mask in track(found, description="check", total=len(found)):
        problems += checking.check_scan(scan, settings=config.dataset.preprocess, needs_mask=needs_mask)
    if problems:
        width = max(len(problem.case) for problem in problems)
        typer.echo(f"{'case':<{width}}  action  problem")
        for problem in problems:
            typer.echo(f"{problem.case:<{width}}  {problem.action:<6}  {problem.text}")
    counts = Counter(problem.action for problem in problems)
    told = ", ".join(
        f"{counts[action]} to {action}" for action in ("repair", "say", "skip", "refuse") if counts[action]
    )
    typer.echo(f"{len(found)} scans: {told or 'nothing wrong'}")
    refused = sorted({problem.case for problem in problems if problem.action == "refuse"})
    if refused:
        raise DatasetError(f"{len(refused)} of {len(found)} scans cannot be used: {', '.join(refused[:8])}")
    unused = [problem for problem in problems if problem.action in ("refuse", "skip")]
    if found and len({problem.case for problem in unused}) >= len({scan.case for scan, _ in found}):
        raise DatasetError(f"none of {len(found)} scans can be used; the first: {unused[0].case}: {unused[0].text}")
