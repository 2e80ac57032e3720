"""`siil adapt`: weights that learn from scans without labels, by their own answers as far as these can be trusted.

A round labels every scan (windows, whole-scan decoding), keeps what is trustworthy (siil.inference.trust), and trains
on it among the labelled scans of a dataset, from the weights of the round before. Everything lies below OUTPUT; a
killed run that is called again goes on with the scan, or the training, where it was.
"""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import typer

from siil import config as configuration
from siil.config import Config
from siil.errors import DatasetError, InputError
from siil.run import files, provenance
from siil.run.batch import Piece, run_batch
from siil.run.pipeline import BY_NAME

if TYPE_CHECKING:
    from siil.datasets.levels import Known
    from siil.inference.predict_case import Prediction
    from siil.inference.scans import Scan
    from siil.model.network import Network
    from siil.model.weights import Weights
    from siil.report.adapted import Reading

log = logging.getLogger(__name__)
SECTIONS = BY_NAME["adapt"].sections
SOURCE = "scans"
"""Name of the scans without labels among the sources of `train.shares`."""


def adapt(
    *,
    config: Config,
    scans: Annotated[list[Path], typer.Argument(metavar="SCAN...", help="NIfTI, NRRD, MHA, folder, DICOM series, zip")],
    output: Annotated[Path, typer.Option(help="folder for the weights, scans.tsv and the pictures")],
    data: Annotated[Path, typer.Option(help="dataset folder whose labelled scans keep what is known: data/adapt")],
    fold: Annotated[int, typer.Option(help="the fold whose training scans these are")] = 0,
    levels: Annotated[Path | None, typer.Option(help="levels.tsv: counts that a person knows")] = None,
    weights: Annotated[Path | None, typer.Option(help="file, or patients (default), phantom; or $SIIL_WEIGHTS")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda")] = "auto",
) -> None:
    """Adapt weights to scans that nobody labelled. Research use only, not a medical device.

    Writes OUTPUT/weights.safetensors, scans.tsv (how each scan was read before and after each round, and how much of
    that agrees) and scans.png. Agreement is no accuracy: whether the names are right, only a person who counts can say.
    The scans are only read. `snakemake --cores all --config experiment=adapt` makes the labelled scans of --data.
    """
    from siil.datasets.folds import LISTS, read_list
    from siil.datasets.levels import read_levels
    from siil.inference.scans import find_scans
    from siil.model.weights import weights_path
    from siil.report.adapted import draw, row, table

    found = find_scans(scans)
    known = read_levels(levels) if levels else {}
    if strange := sorted(known.keys() - {scan.name for scan in found}):
        raise DatasetError(f"{levels}: no scan {strange[0]}; expected names of the scans given")
    lists = data / "folds" / str(fold)
    labelled = {part: read_list(lists / f"{part}.txt") for part in LISTS}
    sources = read_list(lists / "sources.tsv")
    chosen = weights_path(weights or os.environ.get("SIIL_WEIGHTS") or None)
    values = configuration.sections(config, SECTIONS)
    with provenance.record(output / "run.json", stage="adapt", config=values, inputs=[chosen]) as entry:
        work = output / "work"
        images = _prepare_all(found, work, config)
        rows: list[Mapping[str, object]] = []
        before: dict[str, np.ndarray] = {}
        for number in range(config.adapt.rounds + 1):
            readings = _read_all(images, chosen, known, config=config, folder=work / f"read{number}", device=device)
            rows += [row(reading, number, before.get(reading.scan)) for reading in readings]
            before = {reading.scan: reading.labels for reading in readings}
            files.write_text(output / "scans.tsv", table(rows))
            if number < config.adapt.rounds:
                folder = work / f"round{number + 1}"
                chosen = _train(
                    readings, images, chosen, labelled, sources, config=config, data=data, folder=folder, device=device
                )
        with files.atomic(output / "weights.safetensors") as temporary:
            shutil.copyfile(chosen, temporary)
        draw(readings, images, output)
        entry["scans"] = [scan.name for scan in found]
    log.info("weights: %s. %s", output / "weights.safetensors", provenance.RESEARCH_USE)


def _prepare_all(scans: Sequence[Scan], work: Path, config: Config) -> dict[str, Path]:
    """The scans on the working grid, as files below `work`."""
    pieces, values = [], configuration.sections(config, ("dataset.preprocess",))
    for scan in scans:
        there = (scan.path,) if scan.path.is_file() else tuple(p for p in sorted(scan.path.rglob("*")) if p.is_file())
        image, geometry = work / "img" / f"{scan.name}.nii.gz", work / "geometry" / f"{scan.name}.json"
        record = work / "img" / f"{scan.name}.run.json"
        make = partial(_prepare, scan, image, geometry, config)
        pieces.append(Piece(scan.name, record, there, (image, geometry), values, make))
    run_batch("adapt", pieces, manifest=work / "img.sha256")
    return {piece.name: piece.outputs[0] for piece in pieces}


def _prepare(scan: Scan, image: Path, geometry: Path, config: Config, entry: dict[str, Any]) -> None:
    from siil.scan.preprocess import preprocess
    from siil.scan.reading import read_scan
    from siil.scan.volume import write_volume

    made = preprocess(read_scan(scan.path), None, settings=config.dataset.preprocess, name=str(scan.path))
    entry["defects"] = list(made.defects)
    write_volume(image, made.image)
    files.write_json(geometry, made.geometry.to_json())


def _read_all(
    images: Mapping[str, Path],
    weights: Path,
    known: Mapping[str, Known],
    *,
    config: Config,
    folder: Path,
    device: str,
) -> list[Reading]:
    """How the scans are read with these weights, kept below `folder`."""
    from siil.inference.device import pick_device
    from siil.model.weights import load_network
    from siil.report.adapted import load

    network, about = load_network(weights)
    if about.spacing_mm != config.dataset.preprocess.spacing_mm:
        raise DatasetError(
            f"{weights}: trained at {about.spacing_mm:g} mm, the dataset is at "
            f"{config.dataset.preprocess.spacing_mm:g} mm; name an experiment of the weights' own grid"
        )
    place = pick_device(device)
    network = network.to(place)
    used = configuration.sections(config, ("inference", "adapt.trust"))
    pieces = []
    for name, path in images.items():
        level, to = known.get(name), folder / f"{name}.npz"
        make = partial(_read, name, path, level, to, network=network, about=about, config=config, device=place)
        settled = {"settled": None if level is None else level.words()}
        pieces.append(Piece(name, folder / f"{name}.run.json", (path, weights), (to,), used | settled, make))
    run_batch("adapt", pieces, manifest=folder.with_suffix(".sha256"))
    return [load(piece.outputs[0]) for piece in pieces]


def _read(
    name: str,
    path: Path,
    known: Known | None,
    to: Path,
    _: dict[str, Any],
    *,
    network: Network,
    about: Weights,
    config: Config,
    device: str,
) -> None:
    from siil.anatomy import codes_to_indices
    from siil.inference.enumeration import span
    from siil.inference.predict_case import predict_case
    from siil.inference.relabel import relabelled
    from siil.inference.results import Request, settle
    from siil.inference.trust import trusted_labels
    from siil.report.adapted import Reading, keep
    from siil.scan.geometry import Geometry
    from siil.scan.volume import read_volume

    image = read_volume(path)
    geometry = Geometry.read(path.parents[1] / "geometry" / f"{name}.json")
    found: Prediction = predict_case(network, image, geometry, weights=about, inference=config.inference, device=device)
    labels, raw = codes_to_indices(found.work.array), codes_to_indices(found.raw.array)
    names = found.names
    if known is not None and names:
        try:
            names = settle(Request(known), names, found.findings, ())
        except InputError as error:
            raise InputError(f"{known.words()}: {error}") from None
        labels = codes_to_indices(relabelled(found.work, dict(zip(found.names, names, strict=True))).array)
    trusted = trusted_labels(
        found.posterior, raw, labels, found.sequence, trust=config.adapt.trust, settled=known is not None
    )
    facts = {
        "enumeration": span(names),
        "uncertain": found.sequence.uncertain and known is None,
        "reason": found.sequence.reason if known is None else f"settled: {known.words()}",
    }
    keep(Reading(name, labels, trusted, facts), to)


def _train(
    readings: Sequence[Reading],
    images: Mapping[str, Path],
    start: Path,
    labelled: Mapping[str, Sequence[str]],
    sources: Sequence[str],
    *,
    config: Config,
    data: Path,
    folder: Path,
    device: str,
) -> Path:
    """One round's training; returns its weights. labelled: cases by list. sources: lines of their sources.tsv."""
    from siil.stages.train import train

    for part in ("img", "msk", "pap"):
        for case in (*labelled["training"], *labelled["validation"]):
            _link(data / part / f"{case}.nii.gz", folder / part / f"{case}.nii.gz")
    for reading in readings:
        _write_case(reading, images[reading.scan], folder, config)
    here, scans = folder / "lists", [f"{SOURCE}-{reading.scan}" for reading in readings]
    lists = {
        "training.txt": (*labelled["training"], *scans),
        "validation.txt": labelled["validation"],
        "sources.tsv": (*sources, *(f"{scan}\t{SOURCE}" for scan in scans)),
    }
    for name, lines in lists.items():
        files.write_text(here / name, "".join(f"{line}\n" for line in lines))
    settings = config.train.model_copy(update={"init_weights": str(start)})
    values = configuration.sections(config.model_copy(update={"train": settings}), BY_NAME["train"].sections)
    train(config=configuration.partial(values), data=folder, lists=here, output=folder / "train", device=device)
    return folder / "train" / "weights.safetensors"


def _link(there: Path, here: Path) -> None:
    here.parent.mkdir(parents=True, exist_ok=True)
    here.unlink(missing_ok=True)
    here.symlink_to(os.path.relpath(there, here.parent))


def _write_case(reading: Reading, image: Path, folder: Path, config: Config) -> None:
    from siil.anatomy import indices_to_codes
    from siil.datasets.pap import processed_probability_map
    from siil.scan.volume import Volume, read_grid, write_volume

    name, grid = f"{SOURCE}-{reading.scan}.nii.gz", read_grid(image)
    _link(image, folder / "img" / name)
    write_volume(folder / "msk" / name, Volume(indices_to_codes(reading.trusted), grid))
    pap = processed_probability_map(reading.trusted, settings=config.dataset.pap, spacing_mm=grid.spacing_mm[0])
    write_volume(folder / "pap" / name, Volume(pap, grid))
