"""`siil trace`: where does this come from? No step of the pipeline: it writes nothing.

Of a case: every file, its digest, what is in it, and the run record behind it. Of a file: the run that made it. Of a
number of the tables: the scans that it is the mean of, and the files of their scores.
"""

from __future__ import annotations

import math
from pathlib import Path
from statistics import fmean
from typing import Annotated

import typer

from siil.config import Config
from siil.datasets.cases import Case, read_cases
from siil.errors import InputError
from siil.report import lineage
from siil.report.file_records import line_of

SECTIONS = ("experiment", "models", "repeats", "folds", "dataset.name", "report.averaging")


def trace(
    *,
    config: Config,
    case: Annotated[str, typer.Argument(metavar="[CASE]", help="case id, as in cases.tsv, or a file")] = "",
    metric: Annotated[str, typer.Option(help="instead of a case: a column of aggregate/scans.tsv, e.g. dice")] = "",
    model: Annotated[str, typer.Option(help="with --metric: the model, where there are several")] = "",
    space: Annotated[str, typer.Option(help="with --metric: work, raw, input, first or ceiling")] = "work",
    label: Annotated[str, typer.Option(help="with --metric: of one vertebra, e.g. L3; then of vertebrae.tsv")] = "",
    root: Annotated[Path, typer.Option(help="folder with data/ and results/")] = Path("."),
) -> None:
    """Follow a result back to the files that it was made from.

    `siil trace CASE` lists every file of a case with SHA-256 (its first 16 digits), shape, labels, and the run.json
    that tells code, revision and time; an input that has changed since is named. `siil trace FILE` is one line: the run
    that made a file of the pipeline or of predict. `siil trace --metric dice` lists the scans behind a mean of the
    tables.
    """
    if bool(case) == bool(metric):
        raise InputError("expected a case or --metric: `siil trace sub-verse004`, or `siil trace --metric dice`")
    if metric:
        results = root / "results" / config.experiment
        levels = [] if label else _levels(config, results, metric=metric, model=model, space=space)
        if levels:
            _trace_levels(levels, metric=metric, of=" ".join(word for word in (model, space) if word))
        else:
            _trace_number(results, metric=metric, model=model, space=space, label=label)
    else:
        found = _find(root / "data" / config.dataset.name / "cases.tsv", case)
        if found is None:
            typer.echo(line_of(Path(case)))
        else:
            _trace_case(found, config=config, root=root)


def _find(table: Path, name: str) -> Case | None:
    """The case of this name; None where it names a file instead. Raises InputError where it is neither."""
    known = {case.case: case for case in read_cases(table)} if table.is_file() else {}
    if name in known:
        return known[name]
    if Path(name).exists():
        return None
    there = (
        f"it has {', '.join(sorted(known)[:8])}" if known else "run the workflow first, or name --experiment, --root"
    )
    raise InputError(f"{name}: no such file, and no case of {table}; {there}")


def _trace_case(case: Case, *, config: Config, root: Path) -> None:
    typer.echo(f"{case.case}: patient {case.patient}, source {case.source}, vertebrae {case.labels}")
    made = lineage.made_for(case, config=config, root=root)
    known = lineage.digests(path for item in made for path in item.paths)
    for item in made:
        record = lineage.read_record(item.record)
        typer.echo(f"\n{item.stage}: {item.record if record else 'NO RUN RECORD; run the workflow again'}")
        told = ("code", "revision", "started", "seconds", "device")
        typer.echo("  " + ", ".join(f"{name} {record[name]}" for name in told if record.get(name) is not None))
        for name in lineage.changed(record, known):
            typer.echo(f"  CHANGED since: {name}; run the workflow again")
        for path in item.paths:
            typer.echo(f"  {known[path][:16]}  {path}  {lineage.describe(path)}")


def _levels(config: Config, results: Path, *, metric: str, model: str, space: str) -> list[tuple[str, float, int]]:
    """The levels behind a number of the table `comparison` where that averages per level; nothing where it does not."""
    if config.report.averaging != "levels":
        return []
    return lineage.levels_behind(results, metric=metric, model=model, space=space)


def _trace_levels(levels: list[tuple[str, float, int]], *, metric: str, of: str) -> None:
    typer.echo(f"{metric}, {of}: mean {fmean(mean for _, mean, _ in levels):.6g} of {len(levels)} levels")
    for label, mean, count in levels:
        typer.echo(f"  {mean:.6g}  {label}, mean of {count}")
    typer.echo("Behind each: the same with --label, e.g. --label " + levels[-1][0])


def _trace_number(results: Path, *, metric: str, model: str, space: str, label: str) -> None:
    rows = list(lineage.rows_behind(results, metric=metric, model=model, space=space, label=label))
    values = [value for _, _, value, _ in rows if not math.isnan(value)]
    of = " ".join(word for word in (model, space, label) if word)
    typer.echo(f"{metric}, {of}: mean {fmean(values):.6g} of {len(values)}" if values else f"{metric}, {of}: no value")
    for place, case, value, path in sorted(rows, key=lambda row: row[2]):
        typer.echo(f"  {value:.6g}  {place}  {case}  {path}")
    typer.echo("Behind each: siil trace CASE")
