"""Stage 3, `preprocess`: from the release's files to the working grid, a batch of cases in one process."""

from __future__ import annotations

import json
import logging
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from siil.config import Config
from siil.config.schema.dataset import Annotation, Preprocess
from siil.datasets import batches as dealing
from siil.datasets.annotation import mark_unlabelled
from siil.datasets.cases import Case, read_cases
from siil.run import files
from siil.run.batch import Piece, run_batch
from siil.run.provenance import run_path
from siil.scan import preprocess as steps
from siil.scan import volume

log = logging.getLogger(__name__)


def preprocess(
    *,
    config: Config,
    cases: Annotated[Path, typer.Option(help="cases.tsv of the dataset")],
    output: Annotated[Path, typer.Option(help="folder of the dataset; gets img/, msk/ and geometry/")],
    manifest: Annotated[Path, typer.Option(help="list to write of all files with their SHA-256")],
    batch: Annotated[int, typer.Option(help="number of the batch of cases, from 1")] = 1,
    batches: Annotated[int, typer.Option(help="how many batches there are")] = 1,
    processes: Annotated[int, typer.Option(help="cases at a time")] = 1,
) -> None:
    """Bring CTs and their masks to the working grid: LPS, isotropic, clipped to a HU window, cropped to the body.

    Any orientation, spacing and data type; small faults of a header are mended and said, others are refused with one
    line. The geometry file holds the exact way back. Of a case: img/{case}.nii.gz (int16 HU), msk/{case}.nii.gz (uint8
    VerSe codes; 255 marks what nobody annotated), geometry/{case}.json. A case that is up to date is not made again.
    """
    chosen = dealing.members(read_cases(cases), batch, batches)
    pieces = [_piece(case, config.dataset.preprocess, output) for case in chosen]
    run_batch("preprocess", pieces, manifest=manifest, processes=processes)


def _piece(case: Case, settings: Preprocess, data: Path) -> Piece:
    image, mask = Path(case.image), Path(case.mask)
    name = f"{case.case}.nii.gz"
    made = (data / "img" / name, data / "msk" / name, data / "geometry" / f"{case.case}.json")
    return Piece(
        name=case.case,
        record=run_path(made[0]),
        inputs=(image, mask),
        outputs=made,
        config={"dataset": {"preprocess": json.loads(settings.model_dump_json())}, "annotation": case.annotation},
        make=partial(_preprocess, settings, case.annotation, image, mask, made),
        passed_on=(mask,),  # scores are made with it
    )


def _preprocess(
    settings: Preprocess,
    annotation: Annotation,
    image: Path,
    mask: Path,
    made: tuple[Path, Path, Path],
    entry: dict[str, Any],
) -> None:
    steps.check_size(volume.read_grid(image), settings=settings, name=str(image))
    scan, labels = volume.read_image(image), volume.read_mask(mask)
    found = steps.preprocess(scan, labels, settings=settings, name=str(image))
    assert found.mask is not None
    volume.write_volume(made[0], found.image)
    volume.write_volume(made[1], mark_unlabelled(found.mask, annotation=annotation))
    files.write_json(made[2], found.geometry.to_json())
    entry["defects"] = list(found.defects)
    for defect in found.defects:
        log.warning("%s: %s", image, defect)
