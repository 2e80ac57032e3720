"""`siil test`: the trained network on one preprocessed case (step 7 of the pipeline).

Reads the working image that `preprocess` made, writes labels on the working grid (decoded, and by the network alone)
and on the scan's own grid, with the centroids, the table and the facts of the scan. siil.inference does the work.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from siil.config import Config
from siil.errors import InputError
from siil.run import provenance
from siil.scan.geometry import Geometry
from siil.scan.grid import Volume
from siil.scan.volume import read_volume, write_volume


def test(
    *,
    config: Config,
    image: Annotated[Path, typer.Option(help="image on the working grid, as preprocess wrote it")],
    geometry: Annotated[Path, typer.Option(help="geometry of the case, as preprocess wrote it")],
    weights: Annotated[Path, typer.Option(help="weights.safetensors of train")],
    output: Annotated[Path, typer.Option(help="folder for {case}_seg.nii.gz and the other files of the case")],
    device: Annotated[str, typer.Option(help="auto, cpu or cuda")] = "auto",  # noqa: PT028
) -> None:
    """Segment and label one case with trained weights. Research use only, not a medical device.

    Writes, for a case named after the image: _seg.nii.gz (the scan's own grid, VerSe codes), _work.nii.gz and
    _raw.nii.gz (working grid; decoded, and the network alone), _ctd.json (VerSe's centroids), _vertebrae.tsv,
    _scan.json and _core.npz (localisation and embeddings).
    """
    from siil.inference.device import pick_device, usable_precision
    from siil.inference.outputs import write_core, write_reading
    from siil.inference.predict_case import predict_case
    from siil.model.weights import load_network

    case = image.name.split(".")[0]
    settings, place = config.inference, pick_device(device)
    first = output / f"{case}_seg.nii.gz"
    run = provenance.record(
        provenance.run_path(first),
        stage="test",
        config={"inference": settings.model_dump()},
        inputs=[image, geometry, weights],
    )
    with run as entry:
        network, about = load_network(weights)
        source = Geometry.read(geometry)
        scan = read_volume(image)
        _check(scan, source, about.spacing_mm, image)
        entry["device"], entry["precision"] = place, usable_precision(settings.precision, place)
        found = predict_case(network.to(place), scan, source, weights=about, inference=settings, device=place)
        write_reading(found, output, name=case)
        write_volume(output / f"{case}_work.nii.gz", found.work)
        write_volume(output / f"{case}_raw.nii.gz", found.raw)
        write_core(output / f"{case}_core.npz", found.posterior)


def _check(scan: Volume, source: Geometry, spacing_mm: float, path: Path) -> None:
    if scan.grid.shape != source.working.shape:
        raise InputError(
            f"{path}: {scan.grid.shape} voxels, but its geometry says {source.working.shape}; run preprocess again"
        )
    if abs(scan.grid.spacing_mm[0] - spacing_mm) > 1e-3:
        raise InputError(
            f"{path}: the working grid has {scan.grid.spacing_mm[0]:g} mm, but the weights were trained at "
            f"{spacing_mm:g} mm; use weights and dataset of one experiment"
        )
