"""Stage 7, `refine`: the first look on labelled scans in their own resolution -> the weights of the second look."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from siil import config as configuration
from siil.config import Config
from siil.datasets.annotation import mark_unlabelled
from siil.datasets.cases import Case, read_cases
from siil.datasets.folds import read_list
from siil.errors import ConfigError, DatasetError
from siil.run import files, processes, provenance
from siil.run.pipeline import BY_NAME
from siil.run.progress import track
from siil.scan.geometry import Geometry
from siil.scan.volume import match_mask, read_image, read_mask, read_volume

if TYPE_CHECKING:
    from siil.model.network import Network
    from siil.model.second_look import SecondLookWeights
    from siil.model.weights import Weights
    from siil.training.crop_batches import Place

log = logging.getLogger(__name__)
PARTS = ("training", "validation")


def refine(
    *,
    config: Config,
    cases: Annotated[Path, typer.Option(help="cases.tsv of the dataset")],
    data: Annotated[Path, typer.Option(help="dataset folder with img/ and geometry/")],
    lists: Annotated[Path, typer.Option(help="fold folder with training.txt and validation.txt")],
    first: Annotated[Path, typer.Option(help="weights of the first look: of train, or of the package")],
    output: Annotated[Path, typer.Option(help="folder for second_look.safetensors, history.tsv and run.json")],
    device: Annotated[str, typer.Option(help="auto, cpu or cuda")] = "auto",
) -> None:
    """Train the second look of one fold: each vertebra again, in a crop of the scan's own resolution.

    The first look segments the training and validation scans; what it saw and the scan itself become crops, kept in
    OUTPUT/lessons. A killed run goes on from OUTPUT/last.ckpt when it is called again, and ends as if it had not been
    interrupted. Research use only, not a medical device.
    """
    from siil.inference.device import usable_precision
    from siil.model.weights import load_network, save_second_look, weights_path
    from siil.training.device import device_name, make_fabric, peak_memory_mb
    from siil.training.refining import learn

    settings, first = config.refine, weights_path(first)
    values = configuration.sections(config, BY_NAME["refine"].sections)
    inputs = [first, *([Path(settings.init_weights)] if settings.init_weights else [])]
    main = processes.launched().first
    with provenance.record(
        output / "run.json", stage="refine", config=values, seed=config.train.seed, inputs=inputs, write=main
    ) as entry:
        chosen = choose_cases(cases, data, lists, most=settings.cases, coarsest_mm=settings.coarsest_mm)
        fabric = make_fabric(device, precision=config.train.precision)
        network, about = load_network(first)
        with fabric.rank_zero_first():
            made = (config, data, output / "lessons", (network, about, first), fabric.device.type)
            places = {part: _lessons(part_cases, *made) for part, part_cases in chosen.items()}
        _check(settings.shares, places["training"])
        lessons = {part: [[p.case, p.source, p.number] for p in there] for part, there in places.items()}
        digest = _digest({"lessons": lessons} | {key: entry[key] for key in ("config", "code", "inputs")})
        second_look, progress = learn(config, fabric=fabric, **places, output=output, digest=digest)
        entry["device"], entry["peak_memory_mb"] = device_name(fabric), peak_memory_mb(fabric)
        entry |= {
            "precision": usable_precision(config.train.precision, fabric.device.type),
            "parameters": sum(parameter.numel() for parameter in second_look.parameters()),
            "lessons": {part: len(there) for part, there in places.items()},
            "steps": progress.step,
            "training_seconds": round(progress.seconds, 1),
            "best_epoch": progress.best_epoch,
            "best_score": progress.best_score if progress.best_weights else None,
        }
        if main:
            description = _description(config, entry["code"])
            save_second_look(output / "second_look.safetensors", second_look, about=description, half=settings.half)
    log.info("best epoch %d: dice %.3f per crop of validation cases", progress.best_epoch, progress.best_score)


def _description(config: Config, code: str) -> SecondLookWeights:
    """What the weights file says of itself."""
    from siil.model.second_look import SecondLookWeights

    settings = config.refine
    return SecondLookWeights(
        widths=settings.widths,
        spacing_mm=settings.spacing_mm,
        margin_mm=settings.margin_mm,
        window_hu=settings.window_hu,
        experiment=config.experiment,
        code=code,
    )


def choose_cases(
    cases: Path, data: Path, lists: Path, *, most: int | None, coarsest_mm: float
) -> dict[str, list[Case]]:
    """The scans to learn from and to validate on: fine enough, at most `most` of each source, evenly over the list.

    Raises DatasetError when none is left to learn from.
    """
    table = {case.case: case for case in read_cases(cases)}
    chosen: dict[str, list[Case]] = {}
    for part in PARTS:
        by_source: dict[str, list[Case]] = {}
        for name in read_list(lists / f"{part}.txt"):
            if name not in table:
                raise DatasetError(f"{lists / part}.txt: case {name} is not in {cases}; run the index step again")
            finest = min(Geometry.read(data / "geometry" / f"{name}.json").source.spacing_mm)
            if finest <= coarsest_mm:
                by_source.setdefault(table[name].source, []).append(table[name])
        kept = [case for found in by_source.values() for case in _evenly(found, most or len(found))]
        chosen[part] = sorted(kept, key=lambda case: case.case)
    if not chosen["training"]:
        raise DatasetError(f"{lists}: no training scan has an axis of {coarsest_mm:g} mm or less; nothing to refine")
    return chosen


def _evenly(found: list[Case], most: int) -> list[Case]:
    most = min(most, len(found))
    return [found[number * len(found) // most] for number in range(most)]


def _lessons(
    cases: list[Case],
    config: Config,
    data: Path,
    folder: Path,
    first: tuple[Network, Weights, Path],
    device: str,
) -> tuple[Place, ...]:
    """The lessons of the cases, made where they are not there already."""
    from siil.training.crop_batches import Place
    from siil.training.lessons import count_lessons

    common = {
        "first": files.sha256(first[2]),
        "crops": [config.refine.spacing_mm, config.refine.margin_mm],
        "inference": config.inference.model_dump(),
        "code": provenance.code_digest("refine"),
    }
    places = []
    for case in track(cases, description="crops", total=len(cases)):
        path = folder / f"{case.case}.npz"
        digest = _digest(common | {"image": case.image_sha256, "mask": case.mask_sha256, "kind": case.annotation})
        count = count_lessons(path, digest=digest)
        if count is None:
            count = _make(config, case, data, path, first, device, digest)
        places += [Place(case.case, case.source, path, number) for number in range(count)]
    return tuple(places)


def _make(
    config: Config,
    case: Case,
    data: Path,
    path: Path,
    first: tuple[Network, Weights, Path],
    device: str,
    digest: str,
) -> int:
    """Write the lessons of one case; how many there are."""
    from siil.inference.crops import cut_crops
    from siil.inference.predict_case import first_maps
    from siil.training.lessons import count_lessons, make_lessons, write_lessons

    network, about, _ = first
    geometry = Geometry.read(data / "geometry" / f"{case.case}.json")
    image = read_volume(data / "img" / f"{case.case}.nii.gz")
    maps = first_maps(network.to(device), image, weights=about, inference=config.inference, device=device)
    source = read_image(Path(case.image))
    mask = mark_unlabelled(match_mask(source.grid, read_mask(Path(case.mask)), case.mask), annotation=case.annotation)
    crops = cut_crops(source, maps, geometry, spacing_mm=config.refine.spacing_mm, margin_mm=config.refine.margin_mm)
    write_lessons(path, make_lessons(crops, mask), digest=digest)
    return count_lessons(path, digest=digest) or 0


def _check(shares: Mapping[str, float], places: Iterable[Place]) -> None:
    there = {place.source for place in places}
    if not there:
        raise DatasetError("the first look saw no vertebra of any training scan; the second has nothing to learn from")
    for source in shares:
        if source not in there:
            raise ConfigError(
                f"refine.shares: source {source} has no crop in this fold; there are {', '.join(sorted(there))}"
            )


def _digest(values: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()
