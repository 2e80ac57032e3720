"""`siil evaluate`: one predicted case against its truth (step 8 of the pipeline).

Compares on the working grid the decoded labels (`work`) and the network's own (`raw`), and on the input's grid the
decoded labels (`input`) beside the `ceiling`: what a perfect working-grid map reaches there when it is put back in the
same soft way. All metrics come from siil.metrics.case; conventions in docs/decisions/0004-metric-conventions.md.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import numpy as np
import pandas as pd
import typer

from siil.config import Config
from siil.config.schema.dataset import Annotation
from siil.datasets.annotation import mark_unlabelled
from siil.errors import DatasetError, InputError
from siil.metrics import objects, rows
from siil.metrics.annotation import judged
from siil.metrics.case import score_case
from siil.run import files, provenance
from siil.scan import volume
from siil.scan.grid import Volume
from siil.scan.preprocess import Geometry, SoftMap, undo_soft

Pair = tuple[str, Volume, Volume]


def evaluate(
    *,
    config: Config,
    truth: Annotated[Path, typer.Option(help="mask on the working grid; its name is the case")],
    truth_input: Annotated[Path, typer.Option(help="mask as released, on the scan's own grid")],
    geometry: Annotated[Path, typer.Option(help="geometry of the case, as preprocess wrote it")],
    prediction: Annotated[Path, typer.Option(help="folder with {case}_seg, _work, _raw.nii.gz and _scan.json")],
    output: Annotated[Path, typer.Option(help="TSV to write: a row per space and vertebra, and per space")],
    annotation: Annotated[Annotation, typer.Option(help="of its source: are cut vertebrae labelled?")] = "all",
) -> None:
    """Score one predicted case: Dice, surface distances, identification, on both grids. Research use only.

    Rows of scope `vertebra` hold a vertebra of the truth or of the prediction, rows of scope `scan` the whole case. The
    column `space` says what was compared: work, raw, input, ceiling. For folders of label maps made by other tools:
    `siil evaluate --pred DIR --gt DIR --codes NAME` (see `siil score --help`).
    """
    case = truth.name.split(".")[0]
    source = Geometry.read(geometry)
    settings = config.evaluate
    names = ["work", "raw", *(["seg"] if settings.input_grid else [])]
    predicted = {name: prediction / f"{case}_{name}.nii.gz" for name in names}
    facts = prediction / f"{case}_scan.json"
    inputs = [truth, truth_input, geometry, *predicted.values(), facts]
    run = provenance.run_path(output)
    with provenance.record(run, stage="evaluate", config={"evaluate": settings.model_dump()}, inputs=inputs):
        native = volume.match_mask(source.source, volume.read_mask(truth_input), str(truth_input))
        ignores = settings.beyond_annotation == "ignore"
        if ignores:
            native = mark_unlabelled(native, annotation=annotation)
        places = objects.locate(native.array, native.grid.spacing_mm)
        uncut = objects.complete(places, native.array.shape)
        flagged = _flagged(facts)
        frames = []
        for space, there, found in _pairs(truth, native, predicted, source):
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
        files.write_text(output, rows.to_text(pd.concat(frames, ignore_index=True)))


def _pairs(truth: Path, native: Volume, predicted: dict[str, Path], geometry: Geometry) -> Iterator[Pair]:
    """Space, truth and prediction; one pair in memory at a time."""
    working = volume.read_mask(truth)
    for name in ("work", "raw"):
        yield name, working, _on(working, predicted[name])
    if "seg" in predicted:
        yield "input", native, _on(native, predicted["seg"])
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
