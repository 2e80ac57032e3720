"""From results, tables and figures to the values of the report's page: headline, cells, scans, provenance.

Between the stage `report` and siil.report.page. Reads run records and the volumes of the scans that get a viewer;
everything else comes in as frames.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from siil.config import run_name
from siil.report.colours import itksnap_labels, slicer_table
from siil.report.figures import FIGURES
from siil.report.page import CaseRow, FigureBlock, Number, Page, TableBlock
from siil.report.records import find_records, read_record, summarise
from siil.report.results import Results
from siil.report.viewer import REPORT_VOXELS, ViewerScan, viewer_scan
from siil.run.provenance import RESEARCH_USE

DOWNLOADS = {"siil_slicer.ctbl": slicer_table, "siil_itksnap.txt": itksnap_labels}
"""File name -> its text: written beside the page too."""
SCANS = "siil_scans.tsv"
"""Every tested scan of every model, as rows of the page: written beside it, and in it to be saved."""
WORST, BEST = 75, 25
"""Rows of a model in the page's table of scans."""
_HEADLINE = (
    ("dice", "input", "Dice, input's own grid"),
    ("dice", "first", "Dice of the first look"),
    ("dice", "ceiling", "Ceiling of a working-grid map"),
    ("binary_dice", "work", "Binary Dice"),
    ("dice", "work", "Dice per vertebra"),
    ("id_rate_verse", "work", "Identification rate"),
)
_SPACES = {"work": "working grid"} | dict.fromkeys(("input", "first", "ceiling"), "input's own grid")
_CASES = (
    "scan",
    "model",
    "fold",
    "Dice",
    "binary Dice",
    "identified",
    "Dice, own grid",
    "truth",
    "found",
    "shift",
    "enumeration",
)


def build_page(
    results: Results,
    *,
    experiment: str,
    description: str,
    tables: Sequence[TableBlock],
    figures: Mapping[str, bytes],
) -> Page:
    """Gather the page.

    Args:
        results: the experiment.
        experiment, description: of the configuration.
        tables: in the order of the page.
        figures: name -> PNG bytes; a figure of FIGURES without bytes is shown as missing.
    """
    viewers = inline_scans(results, count=results.settings.viewer_cases)
    rows = case_rows(results, viewers)
    cases = list(dict.fromkeys(results.scans["case"]))
    every = [run_name(model, repeat) for repeat in range(results.repeats) for model in results.models]
    paths = find_records(results=results.results, data=results.data, models=every, folds=results.folds, cases=cases)
    records = [(model, fold, read_record(path)) for model, fold, path in paths]
    return Page(
        experiment=experiment,
        description=description,
        models=results.models,
        repeats=results.repeats,
        folds=results.folds,
        scans=len(cases),
        headline=tuple(headline(results.summary, model=results.method, confidence=results.settings.confidence)),
        tables=tuple(tables),
        figures=tuple(
            FigureBlock(name, figure.title, figure.caption, figures.get(name)) for name, figure in FIGURES.items()
        ),
        case_columns=_CASES,
        cases=tuple(shown_rows(rows)),
        all_cases=len(rows),
        viewers=viewers,
        ran=tuple(summarise(records)),
        versions=_versions(records),
        config=_configuration(records),
        downloads={**{name: make() for name, make in DOWNLOADS.items()}, SCANS: scans_text(rows)},
    )


def headline(summary: pd.DataFrame, *, model: str, confidence: float) -> list[Number]:
    """The few numbers on top, from the rows of aggregate/summary.tsv of one model."""
    found = []
    for metric, space, label in _HEADLINE:
        rows = summary[(summary["model"] == model) & (summary["space"] == space) & (summary["metric"] == metric)]
        if len(rows) and pd.notna(rows.iloc[0]["mean"]):
            row = rows.iloc[0]
            interval = f"{confidence:.0%}: {row['low']:.3f} to {row['high']:.3f}" if pd.notna(row["low"]) else ""
            detail = ", ".join(part for part in (_SPACES[space], interval, f"n = {int(row['n'])}") if part)
            found.append(Number(label, f"{row['mean']:.3f}", detail))
    return found


def table_block(name: str, frame: pd.DataFrame, *, markdown: str) -> TableBlock:
    """A table as the tables step wrote it: cells from the CSV, title and notes from the Markdown.

    Columns of numbers are found by their cells.
    """
    lines = [line.strip() for line in markdown.splitlines()]
    title = next((line.removeprefix("# ") for line in lines if line.startswith("# ")), name)
    caption = " ".join(line for line in lines if line and line[0] not in "#|" and line != RESEARCH_USE)
    columns = tuple(str(column) for column in frame.columns)
    rows = tuple(tuple(str(cell) for cell in row) for row in frame.itertuples(index=False))
    numeric = tuple(
        any(row[i] for row in rows) and all(_is_number(row[i]) for row in rows) for i in range(len(columns))
    )
    return TableBlock(name, title, caption, columns, rows, numeric)


def _is_number(text: str) -> bool:
    return not text or re.fullmatch(r"[-−–]|nan|[-+−]?\d[\d.,]*([\s(\[±].*)?%?", text.strip()) is not None


def case_rows(results: Results, viewers: Mapping[str, ViewerScan]) -> list[CaseRow]:
    """A row per scan and model (its first training), worst first."""
    rows = []
    for model in results.models:
        own = results.ranking(model, space="input").set_index(["fold", "case"])
        for _, row in results.ranking(model).iterrows():
            case, fold = str(row["case"]), int(row["fold"])
            own_dice = own["dice"].get((fold, case), float("nan"))
            flagged = pd.notna(row.get("flagged")) and bool(row.get("flagged"))
            shift = row.get("shift")
            cells: list[tuple[str, float | str]] = [(case, case), (model, model), (str(fold), float(fold))]
            cells += [_score(row.get(name)) for name in ("dice", "binary_dice", "id_rate_verse")] + [_score(own_dice)]
            cells += [_count(row.get(name)) for name in ("n_truth", "n_predicted")]
            cells += [_count(shift, sign=True), ("uncertain" if flagged else "", float(flagged))]
            name = viewer_name(case) if model == results.method else ""
            right = pd.notna(row.get("all_right")) and bool(row.get("all_right"))
            rows.append(CaseRow(case, model, tuple(cells), name if name in viewers else "", not right))
    return rows


def shown_rows(rows: Sequence[CaseRow]) -> list[CaseRow]:
    """Of a model with many scans the worst and the best, as they are ordered: a browser cannot show thousands of rows
    at once, and a person does not read them."""
    of_model: dict[str, list[CaseRow]] = {}
    for row in rows:
        of_model.setdefault(row.model, []).append(row)
    shown = []
    for own in of_model.values():
        many = len(own) > WORST + BEST
        shown += [*own[:WORST], *own[-BEST:]] if many else own
    return shown


def scans_text(rows: Sequence[CaseRow]) -> str:
    """All rows as TSV."""
    lines = [_CASES, *([text for text, _ in row.cells] for row in rows)]
    return "".join("\t".join(line) + "\n" for line in lines)


def _score(value: Any) -> tuple[str, float | str]:
    return ("", "") if value is None or pd.isna(value) else (f"{value:.3f}", float(value))


def _count(value: Any, *, sign: bool = False) -> tuple[str, float | str]:
    if value is None or pd.isna(value):
        return "", ""
    return (f"{int(value):+d}" if sign and value else str(int(value))), float(value)


def viewer_name(case: str) -> str:
    """Case id as it stands in ids of the page."""
    return re.sub(r"[^A-Za-z0-9_-]", "_", case)


def inline_scans(results: Results, *, count: int) -> dict[str, ViewerScan]:
    """Viewer data of `count` scans of the first model: worst, best, second worst, second best, and so on."""
    ranking = results.ranking(results.method)
    order = [place for pair in zip(range(len(ranking)), reversed(range(len(ranking))), strict=True) for place in pair]
    found: dict[str, ViewerScan] = {}
    for place in list(dict.fromkeys(order))[:count]:
        row = ranking.iloc[place]
        case, fold = str(row["case"]), int(row["fold"])
        volumes = results.volumes(results.method, fold, case)
        scores = f"Dice {row['dice']:.3f}, identified {row['id_rate_verse']:.3f}"
        found[viewer_name(case)] = viewer_scan(
            title=f"{case}: {scores} ({results.method}, fold {fold})",
            ct=volumes["ct"],
            labels={"truth": volumes["truth"], "prediction": volumes["prediction"]},
            max_voxels=REPORT_VOXELS,
        )
    return found


def _versions(records: Sequence[tuple[str, str, dict[str, Any]]]) -> dict[str, str]:
    found: dict[str, set[str]] = {}
    for _, _, entry in records:
        for name, version in (entry.get("versions") or {}).items():
            found.setdefault(name, set()).add(str(version))
    return {name: " and ".join(sorted(versions)) for name, versions in found.items()}


def _configuration(records: Sequence[tuple[str, str, dict[str, Any]]]) -> str:
    """The resolved configuration of each stage and model, once, as YAML."""
    import yaml

    found: dict[str, Any] = {}
    for model, _, entry in records:
        if entry.get("config"):
            name = str(entry.get("stage", "?")) + (f" ({model})" if model else "")
            found.setdefault(name, json.loads(json.dumps(entry["config"])))
    return yaml.safe_dump(found, sort_keys=False, allow_unicode=True, width=120) if found else "No run records."
