"""`siil test`: the trained network on the preprocessed cases of a list, in one process (step 8 of the pipeline).

Reads the working images that `preprocess` made, writes labels on the working grid (decoded, and by the network alone)
and on each scan's own grid, with centroids, table and facts of the scan. With a second look it reads the scans
themselves too. siil.inference does the work.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache, partial
from pathlib import Path
from typing import Annotated, Any

import typer

from siil.config import Config
from siil.config.schema.inference import Inference
from siil.datasets.cases import read_cases
from siil.datasets.folds import read_list
from siil.errors import ConfigError, DatasetError, InputError
from siil.run import provenance
from siil.run.batch import Piece, run_batch
from siil.run.provenance import run_path
from siil.scan.geometry import Geometry
from siil.scan.grid import Volume
from siil.scan.volume import read_image, read_volume, write_volume

ENDS = ("seg.nii.gz", "work.nii.gz", "raw.nii.gz", "ctd.json", "vertebrae.tsv", "scan.json", "core.npz")
"""Ends of the names of a case's files, {case}_{end}; the run record is named after the first."""
FIRST = "first.nii.gz"
"""One more file where there is a second look: what the first one saw."""
_HEAVY = ("siil.inference.predict_case", "siil.inference.second_look", "siil.model.weights")


def test(
    *,
    config: Config,
    data: Annotated[Path, typer.Option(help="folder of the dataset, with img/ and geometry/ as preprocess wrote them")],
    tested: Annotated[Path, typer.Option(help="list of case ids, for example folds/0/testing.txt")],
    weights: Annotated[Path, typer.Option(help="weights.safetensors of train")],
    output: Annotated[Path, typer.Option(help="folder for {case}_seg.nii.gz and the other files of each case")],
    manifest: Annotated[Path, typer.Option(help="list to write of all files with their SHA-256")],
    second_look: Annotated[
        Path | None, typer.Option(help="second_look.safetensors of refine; without it the first look is the answer")
    ] = None,  # noqa: PT028
    cases: Annotated[Path | None, typer.Option(help="cases.tsv: where the scans are, for a second look")] = None,  # noqa: PT028
    device: Annotated[str, typer.Option(help="auto, cpu or cuda")] = "auto",  # noqa: PT028
    processes: Annotated[int, typer.Option(help="cases at a time; on a GPU one")] = 1,  # noqa: PT028
) -> None:
    """Segment and label cases with trained weights. Research use only, not a medical device.

    Writes, of a case: _seg.nii.gz (the scan's own grid, VerSe codes), _work.nii.gz and _raw.nii.gz (working grid;
    decoded, and the network alone), _ctd.json (VerSe's centroids), _vertebrae.tsv, _scan.json and _core.npz
    (localisation and embeddings); with a second look _first.nii.gz, what _seg would be without it. A case that is up to
    date is not made again.
    """
    looks = [weights, second_look] if second_look and config.inference.refine else [weights]
    digests = tuple((path, provenance.digest(path)) for path in looks)
    names = read_list(tested)
    scans = _scans(cases, names) if len(looks) > 1 else {}
    pieces = []
    for case in names:
        own = [scans[case]] if scans else []
        pieces.append(
            Piece(
                name=case,
                record=run_path(output / f"{case}_{ENDS[0]}"),
                inputs=(data / "img" / f"{case}.nii.gz", data / "geometry" / f"{case}.json", *looks, *own),
                outputs=tuple(output / f"{case}_{end}" for end in (*ENDS, *([FIRST] if scans else []))),
                config={"inference": config.inference.model_dump()},
                make=partial(
                    _test,
                    config.inference,
                    case,
                    data=data,
                    looks=digests,
                    scan=scans.get(case),
                    output=output,
                    device=device,
                ),
            )
        )
    run_batch("test", pieces, manifest=manifest, processes=processes, imports=_HEAVY)


def _test(
    settings: Inference,
    case: str,
    entry: dict[str, Any],
    *,
    data: Path,
    looks: tuple[tuple[Path, str], ...],
    scan: Path | None,
    output: Path,
    device: str,
) -> None:
    """looks: the weights of the first look and perhaps of the second, each with its SHA-256. scan: for the second."""
    from siil.inference.device import usable_precision
    from siil.inference.outputs import write_core, write_reading
    from siil.inference.predict_case import predict_case
    from siil.inference.second_look import Again

    network, about, place = _network(*looks[0], device)
    image = data / "img" / f"{case}.nii.gz"
    source = Geometry.read(data / "geometry" / f"{case}.json")
    working = read_volume(image)
    _check(working, source, about.spacing_mm, image)
    precision = usable_precision(settings.precision, place)
    entry["device"], entry["precision"] = place, precision
    again = None
    if scan is not None:
        again = Again(*_second_look(*looks[1], place), read_image(scan), place, precision)
    found = predict_case(
        network, working, source, weights=about, inference=settings, device=place, again=again, both=True
    )
    write_reading(found, output, name=case)
    write_volume(output / f"{case}_work.nii.gz", found.work)
    write_volume(output / f"{case}_raw.nii.gz", found.raw)
    write_core(output / f"{case}_core.npz", found.posterior)
    if scan is not None:
        write_volume(output / f"{case}_{FIRST}", found.first or found.seg)
    else:
        (output / f"{case}_{FIRST}").unlink(missing_ok=True)  # of an earlier run


@lru_cache(1)
def _network(weights: Path, digest: str, device: str) -> tuple[Any, Any, str]:
    """The network on its device, what its file says, and the device: once in a process for weights of this digest."""
    from siil.inference.device import pick_device
    from siil.model.weights import load_network

    place = pick_device(device)
    network, about = load_network(weights)
    return network.to(place), about, place


@lru_cache(1)
def _second_look(weights: Path, digest: str, place: str) -> tuple[Any, Any]:
    """The second look on its device, and what its file says: once in a process."""
    from siil.model.weights import load_second_look

    network, about = load_second_look(weights)
    return network.to(place), about


def _scans(cases: Path | None, names: Sequence[str]) -> dict[str, Path]:
    """Case -> the scan itself."""
    if cases is None:
        raise ConfigError("--second-look needs --cases cases.tsv: it looks at the scans themselves")
    known = {case.case: Path(case.image) for case in read_cases(cases)}
    if missing := [name for name in names if name not in known]:
        raise DatasetError(f"{cases}: case {missing[0]} is not in it; run index and split again")
    return {name: known[name] for name in names}


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
