"""`siil audit`, beside the way from `index` to the report: are the labels of a dataset right? A person decides.

Reads files and hands them to siil.audit; writes a table, pictures, and what to exclude.
"""

from __future__ import annotations

import logging
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from siil.anatomy import UNNAMED, codes_to_indices
from siil.audit import checks, folder
from siil.audit.coarse import coarse
from siil.audit.findings import Finding, exclusion, ranked, suspected, to_text
from siil.audit.norms import norms
from siil.config import Config
from siil.errors import DatasetError, SiilError
from siil.run import files, provenance
from siil.run.progress import track

log = logging.getLogger(__name__)
_PICTURE_MM = 2.0


def audit(
    *,
    config: Config,
    dataset: Annotated[
        Path,
        typer.Argument(
            metavar="FOLDER", help="img/ and msk/, BIDS, VerSe, CTSpine1K, TotalSegmentator's folders; or a cases.tsv"
        ),
    ],
    output: Annotated[Path, typer.Option(help="folder for audit.tsv, suspects.png, exclude.yaml")] = Path("audit"),
    results: Annotated[
        Path | None,
        typer.Option(help="predictions: results/EXPERIMENT of a cross-validation on these scans, or of predict"),
    ] = None,
    pictures: Annotated[int, typer.Option(min=0, help="how many of the suspected scans are drawn")] = 12,
    processes: Annotated[int, typer.Option(min=1, help="scans read at a time")] = 2,
) -> None:
    """Look for wrong labels in a labelled dataset, from masks and images, and from predictions where there are some.

    Names that are a level off, gaps, repeats, vertebrae mixed, merged or split, labels off bone or mirrored, wrong
    spacing, centroids in another label, headers that contradict, scans that come twice. Writes audit.tsv (a row per
    finding, the most suspicious scan first; from 1 on a scan is suspected), suspects.png and .pdf, and exclude.yaml:
    `dataset.exclude` as it is, and the suspected. Nothing is written into FOLDER and nothing reads the list by itself;
    a finding is a reason to look, no proof.
    """
    scans = folder.find(dataset)
    if results is not None and not results.is_dir():
        raise DatasetError(f"{results}: expected an experiment's or predict's results, got no folder; check --results")
    excluded = config.dataset.exclude
    used = {"dataset": {"exclude": list(excluded)}}
    with provenance.record(output / "run.json", stage="audit", config=used) as entry:
        with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
            found = pool.map(partial(folder.look, results=results), scans)
            measured = list(track(found, description="audit", total=len(scans)))
        usual = norms(measured)
        rows = ranked([*(row for scan in measured for row in checks.check(scan, usual)), *checks.duplicates(measured)])
        cases = suspected(rows)
        files.write_text(output / "audit.tsv", to_text(rows))
        files.write_text(output / "exclude.yaml", exclusion(rows, excluded))
        by_case = {scan.case: scan for scan in scans}
        _draw(rows, [by_case[case] for case in cases], pictures, output)
        entry["folder"], entry["scans"], entry["suspected"] = str(dataset), len(scans), len(cases)
    for row in rows[:20]:
        typer.echo(f"{row.case}  {row.suspicion:.1f}  {row.kind}, {row.where}: {row.words}")
    bare = sum(not scan.bones and not scan.words for scan in measured)
    told = f"{len(scans)} scans, {bare} of them without a vertebra" if bare else f"{len(scans)} scans"
    typer.echo(f"{told}, {len(cases)} suspected: {output / 'audit.tsv'}, {output / 'exclude.yaml'}")


def _draw(rows: list[Finding], scans: list[folder.Labelled], pictures: int, output: Path) -> None:
    from siil.report.results import Scan
    from siil.report.style import save
    from siil.report.suspects import suspects

    first = {row.case: row for row in reversed(rows)}
    shown: list[tuple[Finding, Scan]] = []
    for scan in scans:
        if len(shown) == pictures:
            break
        try:
            _, mask, image = folder.read(scan)
        except SiilError:
            continue
        labels = coarse(mask, _PICTURE_MM)
        labels = codes_to_indices(np.where(labels >= UNNAMED, np.uint8(0), labels))
        hu = np.zeros(labels.shape, np.int16) if image is None else coarse(image, _PICTURE_MM)
        shown.append((first[scan.case], Scan(scan.case, hu, labels, np.zeros_like(labels), _PICTURE_MM)))
    save(suspects(shown), output, "suspects")
