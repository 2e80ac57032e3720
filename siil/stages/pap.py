"""Stage 4, `pap`: the map that weights the choice of patch centres, for one case."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from siil import anatomy
from siil.config import Config
from siil.datasets.pap import processed_probability_map
from siil.errors import InputError
from siil.run import provenance
from siil.scan import volume


def pap(
    *,
    config: Config,
    mask: Annotated[Path, typer.Option(help="mask of one case on the working grid, VerSe codes")],
    output: Annotated[Path, typer.Option(help="processed probability map, float32, sums to 1")],
) -> None:
    """Make the processed probability map of one case: where the centres of training patches fall.

    Equal mass per vertebra; the topmost, the lowermost and rare vertebrae count double; a floor over the background.
    """
    settings = config.dataset.pap
    used = {"dataset": {"pap": json.loads(settings.model_dump_json())}}
    with provenance.record(provenance.run_path(output), stage="pap", config=used, inputs=[mask]):
        labels = volume.read_mask(mask)
        spacing_mm = labels.grid.spacing_mm
        if max(spacing_mm) - min(spacing_mm) > 1e-3:
            raise InputError(f"{mask}: expected the isotropic working grid, got {spacing_mm} mm; run preprocess first")
        indices = anatomy.codes_to_indices(labels.array)
        made = processed_probability_map(indices, settings=settings, spacing_mm=spacing_mm[0])
        volume.write_volume(output, volume.Volume(made, labels.grid))
