"""`siil score`, also `siil evaluate --pred DIR --gt DIR --codes NAME`: label maps of any tools against the truth.

No step of the pipeline: folders in, one table for all tools out, by the metrics, conventions and tests of the pipeline.
"""

from __future__ import annotations

import io
import logging
from pathlib import Path
from typing import Annotated

import numpy as np
import pandas as pd
import typer

from siil.anatomy import BY_CODE, UNLABELLED
from siil.config import Config
from siil.config.schema.dataset import Annotation
from siil.datasets import labelmaps
from siil.datasets.annotation import mark_unlabelled
from siil.datasets.codes import CODES, fitting, table
from siil.errors import ConfigError, DatasetError
from siil.metrics import rows
from siil.metrics.annotation import judged
from siil.metrics.case import score_case
from siil.report import tables
from siil.report.formats import FORMATS, to_markdown
from siil.run import files, provenance
from siil.run.progress import track
from siil.run.tsv import read_table
from siil.scan import volume
from siil.scan.grid import Volume

log = logging.getLogger(__name__)
SECTIONS = ("evaluate", "report")
_BETTER, _FITS = 0.1, 0.5
"""Other codes are suggested where they name so much more of the mask's voxels rightly, and at least so much."""


def score(
    *,
    config: Config,
    pred: Annotated[list[Path], typer.Option(help="folder of predicted label maps, repeatable: one per tool")],
    gt: Annotated[Path, typer.Option(help="folder of true masks in VerSe codes (VerSe, CTSpine1K, or msk/)")],
    codes: Annotated[
        list[str],
        typer.Option(help=f"{', '.join(CODES)}, or a dataset.json: once, or for each --pred"),
    ],
    name: Annotated[list[str], typer.Option(help="how a tool is called in the tables, for each --pred")] = [],  # noqa: B006
    annotation: Annotated[Annotation, typer.Option(help="of --gt: are cut vertebrae labelled?")] = "all",
    output: Annotated[Path, typer.Option(help="folder for vertebrae.tsv, scans.tsv and the tables")] = Path("scores"),
) -> None:
    """Score folders of label maps made by any tools against the same truth, by one code. Research use only.

    Maps and masks find each other by the name of the case, and are compared on the grid of the mask. A mask without a
    map counts as missed vertebrae, a map without a mask is left out; both are said. The first tool is the one that the
    others are tested against (Wilcoxon, Holm-corrected). A scan whose name begins with `sub-X_` belongs to patient
    `sub-X`. With `--set evaluate.beyond_annotation=ignore` what lies where nobody annotated (255 in a mask, or by
    `--annotation whole` beyond its labelled range) is no false positive.
    """
    tools = _tools(pred, codes, name)
    truths = labelmaps.find(gt)
    maps = {tool: labelmaps.find(folder) for tool, (folder, _) in tools.items()}
    for tool, found in maps.items():
        _say(tool, found, truths)
    used = {"evaluate": config.evaluate.model_dump(), "report": config.report.model_dump()}
    inputs = [path for found in (truths, *maps.values()) for paths in found.values() for path in paths]
    with provenance.record(output / "run.json", stage="score", config=used, inputs=inputs) as entry:
        parts = []
        for case, paths in track(truths.items(), description="score", total=len(truths)):
            truth = labelmaps.read(paths, table("verse") | {UNLABELLED: UNLABELLED}, expected="labels")
            if config.evaluate.beyond_annotation == "ignore":
                truth = mark_unlabelled(truth, annotation=annotation)
            for tool, (_, named) in tools.items():
                parts.append(_score(case, truth, tool, maps[tool].get(case), named, config))
        scored = pd.concat(parts, ignore_index=True)
        if not (scored["scope"] == "vertebra").any():
            raise DatasetError(f"{gt}: expected vertebrae, got none in any mask or map; check the folders")
        frame = read_table(io.StringIO(rows.to_text(scored)), text=True)
        split = rows.split(frame.drop(columns=["repeat", "fold"]), where=str(output))
        frames = {scope: part.assign(repeat=0, fold=0) for scope, part in split.items()}
        _write(frames["vertebra"], frames["scan"], output, config)
        entry["tools"] = {tool: str(folder) for tool, (folder, _) in tools.items()}


def _tools(pred: list[Path], codes: list[str], names: list[str]) -> dict[str, tuple[Path, str]]:
    """Name of a tool -> its folder and its codes."""
    if len(codes) not in (1, len(pred)):
        raise ConfigError(f"--codes: expected one for all or one for each of {len(pred)} --pred, got {len(codes)}")
    if names and len(names) != len(pred):
        raise ConfigError(f"--name: expected one for each of {len(pred)} --pred, got {len(names)}")
    called = names or [folder.name for folder in pred]
    if len(set(called)) < len(called):
        raise ConfigError(f"--name: expected names that differ, got {', '.join(called)}; give one for each --pred")
    each = codes * len(pred) if len(codes) == 1 else codes
    for one in each:
        table(one)  # refuses what is no table before anything is read
    return dict(zip(called, zip(pred, each, strict=True), strict=True))


def _say(tool: str, found: dict[str, tuple[Path, ...]], truths: dict[str, tuple[Path, ...]]) -> None:
    missing, alone = sorted(set(truths) - set(found)), sorted(set(found) - set(truths))
    if len(missing) == len(truths):
        raise DatasetError(
            f"{tool}: none of its {len(found)} label maps (first: {alone[0]}) is of one of the {len(truths)} masks "
            f"(first: {missing[0]}); give both the names of the cases"
        )
    if missing:
        log.warning(
            "%s: no label map of %d cases, their vertebrae count as missed: %s", tool, len(missing), missing[:8]
        )
    if alone:
        log.warning("%s: no mask of %d cases, left out: %s", tool, len(alone), alone[:8])


def _score(
    case: str, truth: Volume, tool: str, paths: tuple[Path, ...] | None, named: str, config: Config
) -> pd.DataFrame:
    if paths is None:
        found = np.zeros_like(truth.array)
    else:
        mended = volume.match_mask(truth.grid, labelmaps.read(paths, table(named)), paths[0])
        for note in dict.fromkeys(mended.repairs):
            log.warning("%s, %s: %s", tool, paths[0], note)
        found = mended.array
        _check_codes(paths, truth, found, named, tool)
    if config.evaluate.beyond_annotation == "ignore":
        found = judged(truth.array, found)
    frame = score_case(
        truth.array,
        found,
        truth.grid.spacing_mm,
        tolerances_mm=config.evaluate.surface_tolerances_mm,
        identification_mm=config.evaluate.identification_mm,
    )
    patient = case.split("_")[0] if case.startswith("sub-") else case
    lead = {"model": tool, "repeat": 0, "fold": 0, "case": case, "patient": patient, "space": "input", "flagged": None}
    return pd.concat([pd.DataFrame(lead, index=frame.index), frame], axis=1)


def _check_codes(paths: tuple[Path, ...], truth: Volume, found: np.ndarray, named: str, tool: str) -> None:
    """Refuse a map that other codes fit far better, or that names no vertebra where the mask has some.

    A map without any label is one of a tool that found nothing: its vertebrae are missed, and that is said.
    """
    vertebrae = np.isin(truth.array, list(BY_CODE))
    right = float(np.mean(found[vertebrae] == truth.array[vertebrae])) if vertebrae.any() else 1.0
    if right > 1 - _BETTER:
        return
    none = not np.isin(found, list(BY_CODE)).any()
    better = []
    if not labelmaps.is_structure(paths[0]):
        raw = volume.match_mask(truth.grid, labelmaps.read_labels(paths[0]), paths[0]).array
        if not raw.any():
            log.warning("%s, %s: holds no label, its vertebrae count as missed", tool, paths[0])
            return
        shares = fitting(raw, truth.array)
        best = [name for name, share in shares.items() if share >= max(_FITS, right + _BETTER, *shares.values())]
        better = [f"{name} ({100 * shares[name]:.0f} %)" for name in best]
    if better or none:
        what = "no vertebra" if none else f"{100 * right:.0f} % of their voxels"
        advice = f"give --codes {' or '.join(better)}" if better else "name the tool that made it, or remove the map"
        raise DatasetError(f"{paths[0]}: expected vertebrae of the mask by --codes {named}, got {what}; {advice}")


def _write(vertebrae: pd.DataFrame, scans: pd.DataFrame, output: Path, config: Config) -> None:
    for name, frame in {"vertebrae": vertebrae, "scans": scans}.items():
        files.write_text(output / f"{name}.tsv", rows.to_text(frame.drop(columns="flagged", errors="ignore")))
    made = [
        tables.comparison(scans, vertebrae, settings=config.report),
        tables.paired(scans, settings=config.report),
        tables.per_vertebra(vertebrae, settings=config.report),
        tables.per_region(vertebrae, settings=config.report),
    ]
    for one in made:
        for kind, write in FORMATS.items():
            files.write_text(output / f"{one.name}.{kind}", write(one))
    typer.echo(to_markdown(made[0]))
