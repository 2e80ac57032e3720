"""`siil test`: the trained network on the preprocessed cases of a list, in one process (step 7 of the pipeline).

Reads the working images that `preprocess` made, writes labels on the working grid (decoded, and by the network alone)
and on each scan's own grid, with centroids, table and facts of the scan. siil.inference does the work.
"""

from __future__ import annotations

from functools import lru_cache, partial
from pathlib import Path
from typing import Annotated, Any

import typer

from siil.config import Config
from siil.config.schema.inference import Inference
from siil.datasets.folds import read_list
from siil.errors import InputError
from siil.run import provenance
from siil.run.batch import Piece, run_batch
from siil.run.provenance import run_path
from siil.scan.geometry import Geometry
from siil.scan.grid import Volume
from siil.scan.volume import read_volume, write_volume

ENDS = ("seg.nii.gz", "work.nii.gz", "raw.nii.gz", "ctd.json", "vertebrae.tsv", "scan.json", "core.npz")
"""Of the files of a case, {case}_{end}; the run record is named after the first."""
_HEAVY = ("siil.inference.predict_case", "siil.model.weights")


def test(
    *,
    config: Config,
    data: Annotated[Path, typer.Option(help="folder of the dataset, with img/ and geometry/ as preprocess wrote them")],
    tested: Annotated[Path, typer.Option(help="list of case ids, for example folds/0/testing.txt")],
    weights: Annotated[Path, typer.Option(help="weights.safetensors of train")],
    output: Annotated[Path, typer.Option(help="folder for {case}_seg.nii.gz and the other files of each case")],
    manifest: Annotated[Path, typer.Option(help="list to write of all files with their SHA-256")],
    device: Annotated[str, typer.Option(help="auto, cpu or cuda")] = "auto",  # noqa: PT028
    processes: Annotated[int, typer.Option(help="cases at a time; on a GPU one")] = 1,  # noqa: PT028
) -> None:
    """Segment and label cases with trained weights. Research use only, not a medical device.

    Writes, of a case: _seg.nii.gz (the scan's own grid, VerSe codes), _work.nii.gz and _raw.nii.gz (working grid;
    decoded, and the network alone), _ctd.json (VerSe's centroids), _vertebrae.tsv, _scan.json and _core.npz
    (localisation and embeddings). A case that is up to date is not made again.
    """
    digest = provenance.digest(weights)
    pieces = [
        Piece(
            name=case,
            record=run_path(output / f"{case}_{ENDS[0]}"),
            inputs=(data / "img" / f"{case}.nii.gz", data / "geometry" / f"{case}.json", weights),
            outputs=tuple(output / f"{case}_{end}" for end in ENDS),
            config={"inference": config.inference.model_dump()},
            make=partial(
                _test, config.inference, case, data=data, weights=(weights, digest), output=output, device=device
            ),
        )
        for case in read_list(tested)
    ]
    run_batch("test", pieces, manifest=manifest, processes=processes, imports=_HEAVY)


def _test(
    settings: Inference,
    case: str,
    entry: dict[str, Any],
    *,
    data: Path,
    weights: tuple[Path, str],
    output: Path,
    device: str,
) -> None:
    """`weights`: the file and its SHA-256."""
    from siil.inference.device import usable_precision
    from siil.inference.outputs import write_core, write_reading
    from siil.inference.predict_case import predict_case

    network, about, place = _network(*weights, device)
    image = data / "img" / f"{case}.nii.gz"
    source = Geometry.read(data / "geometry" / f"{case}.json")
    scan = read_volume(image)
    _check(scan, source, about.spacing_mm, image)
    entry["device"], entry["precision"] = place, usable_precision(settings.precision, place)
    found = predict_case(network, scan, source, weights=about, inference=settings, device=place)
    write_reading(found, output, name=case)
    write_volume(output / f"{case}_work.nii.gz", found.work)
    write_volume(output / f"{case}_raw.nii.gz", found.raw)
    write_core(output / f"{case}_core.npz", found.posterior)


@lru_cache(1)
def _network(weights: Path, digest: str, device: str) -> tuple[Any, Any, str]:
    """The network on its device, what its file says, and the device: once in a process for weights of this digest."""
    from siil.inference.device import pick_device
    from siil.model.weights import load_network

    place = pick_device(device)
    network, about = load_network(weights)
    return network.to(place), about, place


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
