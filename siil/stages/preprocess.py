"""Stage 3, `preprocess`: one case from the release's files to the working grid."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Annotated

import typer

from siil.config import Config
from siil.config.schema.dataset import Annotation
from siil.datasets.annotation import mark_unlabelled
from siil.run import files, provenance
from siil.scan import preprocess as steps
from siil.scan import volume

log = logging.getLogger(__name__)


def preprocess(
    *,
    config: Config,
    image: Annotated[Path, typer.Option(help="CT of one case (NIfTI)")],
    mask: Annotated[Path, typer.Option(help="its mask in VerSe codes")],
    output_image: Annotated[Path, typer.Option(help="CT on the working grid, int16 HU")],
    output_mask: Annotated[Path, typer.Option(help="mask on the working grid, uint8 VerSe codes")],
    output_geometry: Annotated[Path, typer.Option(help="JSON with the way back to the input's grid")],
    annotation: Annotated[Annotation, typer.Option(help="of its source: are cut vertebrae labelled?")] = "all",
) -> None:
    """Bring one CT and its mask to the working grid: LPS, isotropic, clipped to a HU window, cropped to the body.

    Any orientation, spacing and data type; small faults of a header are mended and said, others are refused with one
    line. The geometry file holds the exact way back. In the mask 255 marks what nobody annotated.
    """
    settings = config.dataset.preprocess
    steps.check_size(volume.read_grid(image), settings=settings, name=str(image))
    run = provenance.run_path(output_image)
    used = {"dataset": {"preprocess": json.loads(settings.model_dump_json())}}
    with provenance.record(run, stage="preprocess", config=used, inputs=[image, mask]) as entry:
        scan, labels = volume.read_image(image), volume.read_mask(mask)
        made = steps.preprocess(scan, labels, settings=settings, name=str(image))
        assert made.mask is not None
        volume.write_volume(output_image, made.image)
        volume.write_volume(output_mask, mark_unlabelled(made.mask, annotation=annotation))
        files.write_json(output_geometry, made.geometry.to_json())
        entry["defects"], entry["annotation"] = list(made.defects), annotation
    for defect in made.defects:
        log.warning("%s: %s", image, defect)
