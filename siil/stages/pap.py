"""Stage 4, `pap`: the map that weights the choice of patch centres, for a batch of cases in one process."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from siil import anatomy
from siil.config import Config
from siil.config.schema.dataset import Pap
from siil.datasets import batches as dealing
from siil.datasets.cases import read_cases
from siil.datasets.pap import processed_probability_map
from siil.errors import InputError
from siil.run.batch import Piece, run_batch
from siil.run.provenance import run_path
from siil.scan import volume


def pap(
    *,
    config: Config,
    cases: Annotated[Path, typer.Option(help="cases.tsv of the dataset")],
    data: Annotated[Path, typer.Option(help="folder of the dataset, with msk/ as preprocess wrote it; gets pap/")],
    manifest: Annotated[Path, typer.Option(help="list to write of all files with their SHA-256")],
    batch: Annotated[int, typer.Option(help="number of the batch of cases, from 1")] = 1,
    batches: Annotated[int, typer.Option(help="how many batches there are")] = 1,
    processes: Annotated[int, typer.Option(help="cases at a time")] = 1,
) -> None:
    """Make the processed probability maps of cases: where the centres of training patches fall.

    Equal mass per vertebra, more for the topmost, the lowermost and rare ones (dataset.pap); a floor over the
    background. Of a case: pap/{case}.nii.gz, float32, sums to 1. A case that is up to date is not made again.
    """
    names = [case.case for case in dealing.members(read_cases(cases), batch, batches)]
    pieces = [_piece(name, config.dataset.pap, data) for name in names]
    run_batch("pap", pieces, manifest=manifest, processes=processes)


def _piece(case: str, settings: Pap, data: Path) -> Piece:
    mask, made = (data / part / f"{case}.nii.gz" for part in ("msk", "pap"))
    return Piece(
        name=case,
        record=run_path(made),
        inputs=(mask,),
        outputs=(made,),
        config={"dataset": {"pap": json.loads(settings.model_dump_json())}},
        make=partial(_pap, settings, mask, made),
    )


def _pap(settings: Pap, mask: Path, made: Path, entry: dict[str, Any]) -> None:
    labels = volume.read_mask(mask)
    spacing_mm = labels.grid.spacing_mm
    if max(spacing_mm) - min(spacing_mm) > 1e-3:
        raise InputError(f"{mask}: expected the isotropic working grid, got {spacing_mm} mm; run preprocess first")
    indices = anatomy.codes_to_indices(labels.array)
    found = processed_probability_map(indices, settings=settings, spacing_mm=spacing_mm[0])
    volume.write_volume(made, volume.Volume(found, labels.grid))
