"""`siil evaluate`: the predicted cases of a list against their truth, in one process (step 9 of the pipeline).

Compares on the working grid the decoded labels (`work`) and the network's own (`raw`), and on the input's grid the
decoded labels (`input`; where there was a second look also the first alone, `first`) beside the `ceiling`: what a
perfect working-grid map reaches there when it is put back in the same soft way. All metrics come from
siil.metrics.case; conventions in docs/decisions/0004-metric-conventions.md.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pandas as pd
import typer

from siil.config import Config
from siil.config.schema.dataset import Annotation
from siil.config.schema.report import Evaluate
from siil.datasets.annotation import mark_unlabelled
from siil.datasets.cases import Case, read_cases
from siil.datasets.folds import read_list
from siil.errors import DatasetError, InputError
from siil.metrics import objects, rows
from siil.metrics.annotation import judged
from siil.metrics.case import score_case
from siil.run import files
from siil.run.batch import Piece, run_batch
from siil.run.provenance import run_path
from siil.scan import volume
from siil.scan.grid import Volume
from siil.scan.preprocess import Geometry, SoftMap, undo_soft

Pair = tuple[str, Volume, Volume]


def evaluate(
    *,
    config: Config,
    cases: Annotated[Path, typer.Option(help="cases.tsv of the dataset: where the masks as released are")],
    data: Annotated[Path, typer.Option(help="folder of the dataset, with msk/ and geometry/ as preprocess wrote them")],
    tested: Annotated[Path, typer.Option(help="list of case ids, for example folds/0/testing.txt")],
    prediction: Annotated[Path, typer.Option(help="folder with {case}_seg, _work, _raw (_first) .nii.gz, _scan.json")],
    output: Annotated[Path, typer.Option(help="folder for {case}.tsv: a row per space and vertebra, and per space")],
    manifest: Annotated[Path, typer.Option(help="list to write of all files with their SHA-256")],
    processes: Annotated[int, typer.Option(help="cases at a time")] = 1,
) -> None:
    """Score predicted cases: Dice, surface distances, identification, on both grids. Research use only.

    Rows of scope `vertebra` hold a vertebra of the truth or of the prediction, rows of scope `scan` the whole case. The
    column `space` says what was compared: work, raw, input, first, ceiling. A case that is up to date is not scored
    again. The options below are those of the pipeline's step. With --pred it is another command: `siil evaluate --pred
    DIR --gt DIR --codes NAME` is `siil score --pred DIR --gt DIR --codes NAME`, which scores folders of label maps made
    by any tools and takes the options of `siil score --help` alone.
    """
    known = {case.case: case for case in read_cases(cases)}
    if missing := [name for name in read_list(tested) if name not in known]:
        raise DatasetError(f"{tested}: case {missing[0]} is not in {cases}; run index and split again")
    pieces = [_piece(known[name], config, data, prediction, output) for name in read_list(tested)]
    run_batch("evaluate", pieces, manifest=manifest, processes=processes)


@dataclass(frozen=True, slots=True)
class _Files:
    """Of one case: truth on the working grid and as released, the way between, what was predicted, where rows go."""

    truth: Path
    released: Path
    geometry: Path
    predicted: dict[str, Path]
    facts: Path
    scores: Path


def _piece(case: Case, config: Config, data: Path, prediction: Path, output: Path) -> Piece:
    names = ["work", "raw", *(["seg"] if config.evaluate.input_grid else [])]
    predicted = {name: prediction / f"{case.case}_{name}.nii.gz" for name in names}
    first = prediction / f"{case.case}_first.nii.gz"
    if config.evaluate.input_grid and first.exists():  # test had a second look
        predicted["first"] = first
    of_case = _Files(
        truth=data / "msk" / f"{case.case}.nii.gz",
        released=Path(case.mask),
        geometry=data / "geometry" / f"{case.case}.json",
        predicted=predicted,
        facts=prediction / f"{case.case}_scan.json",
        scores=output / f"{case.case}.tsv",
    )
    return Piece(
        name=case.case,
        record=run_path(of_case.scores),
        inputs=(of_case.truth, of_case.released, of_case.geometry, *of_case.predicted.values(), of_case.facts),
        outputs=(of_case.scores,),
        config={"evaluate": config.evaluate.model_dump(), "annotation": case.annotation},
        make=partial(_evaluate, config.evaluate, case.case, case.annotation, of_case),
    )


def _evaluate(settings: Evaluate, case: str, annotation: Annotation, of_case: _Files, entry: dict[str, Any]) -> None:
    source = Geometry.read(of_case.geometry)
    native = volume.match_mask(source.source, volume.read_mask(of_case.released), str(of_case.released))
    ignores = settings.beyond_annotation == "ignore"
    if ignores:
        native = mark_unlabelled(native, annotation=annotation)
    places = objects.locate(native.array, native.grid.spacing_mm)
    uncut = objects.complete(places, native.array.shape)
    flagged = _flagged(of_case.facts)
    frames = []
    for space, there, found in _pairs(of_case.truth, native, of_case.predicted, source):
        scored = score_case(
            there.array,
            judged(there.array, found.array) if ignores else found.array,
            there.grid.spacing_mm,
            complete=uncut,
            tolerances_mm=settings.surface_tolerances_mm,
            identification_mm=settings.identification_mm,
        )
        scored.insert(0, "case", case)
        scored.insert(1, "space", space)
        scored["flagged"] = [flagged and space != "ceiling" if s == "scan" else None for s in scored["scope"]]
        frames.append(scored)
    files.write_text(of_case.scores, rows.to_text(pd.concat(frames, ignore_index=True)))


def _pairs(truth: Path, native: Volume, predicted: dict[str, Path], geometry: Geometry) -> Iterator[Pair]:
    """Space, truth and prediction; one pair in memory at a time."""
    working = volume.read_mask(truth)
    for name in ("work", "raw"):
        yield name, working, _on(working, predicted[name])
    if "seg" in predicted:
        yield "input", native, _on(native, predicted["seg"])
        if "first" in predicted:
            yield "first", native, _on(native, predicted["first"])
        yield "ceiling", native, undo_soft(_crisp(working), geometry)


def _on(truth: Volume, path: Path) -> Volume:
    """The label map at `path`, which must lie on the grid of the truth."""
    found = volume.read_mask(path)
    same_place = np.allclose(found.grid.matrix, truth.grid.matrix, atol=1e-2)
    if found.grid.shape != truth.grid.shape or not same_place:
        raise InputError(
            f"{path}: expected the grid of the truth, {truth.grid.shape} voxels of {truth.grid.spacing_mm} mm, got "
            f"{found.grid.shape} of {found.grid.spacing_mm} mm; run test again"
        )
    return found


def _crisp(mask: Volume) -> Iterator[SoftMap]:
    """The truth on the working grid as a perfect prediction: probability 1 in each vertebra."""
    for code, place in objects.locate(mask.array, mask.grid.spacing_mm).items():
        z, y, x = (side.start for side in place.box)
        yield SoftMap(code, (z, y, x), (mask.array[place.box] == code).astype(np.float32))


def _flagged(path: Path) -> bool:
    """Whether decoding called the enumeration uncertain."""
    try:
        return bool(json.loads(path.read_text(encoding="utf-8"))["uncertain"])
    except (OSError, ValueError, KeyError, TypeError):
        raise DatasetError(f"{path}: expected JSON with the key `uncertain`; run test for this case again") from None
