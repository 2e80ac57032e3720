"""`siil predict`: label and segment a user's own scans with trained weights.

Not a step of the pipeline, but the same way: read -> preprocess -> siil.inference.predict_case -> write. The outputs of
a scan are made in a hidden folder and moved into place when all are there, run.json last.
"""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from siil.config import Config
from siil.errors import ConfigError, InputError, SiilError, message
from siil.run import provenance, swap
from siil.run.files import check_place

if TYPE_CHECKING:
    from siil.inference.answer import Answer
    from siil.inference.scans import Scan
    from siil.inference.second_look import Again
    from siil.model.network import Network
    from siil.model.second_look import SecondLook, SecondLookWeights
    from siil.model.weights import Weights
    from siil.run.progress import Told
    from siil.scan.grid import Volume

log = logging.getLogger(__name__)
SECTIONS = ("inference", "dataset.preprocess")
ALSO = ("slicer",)


@dataclass(frozen=True, slots=True)
class Setup:
    """What is the same for all scans of a run. weights: file of the first look. again: the second look, what its file
    says, and the file. also: files to write besides, of ALSO."""

    network: Network
    about: Weights
    config: Config
    weights: Path
    again: tuple[SecondLook, SecondLookWeights, Path] | None
    device: str
    also: list[str]

    @property
    def precision(self) -> str:
        """The configured precision, or the one that this device has in its place."""
        from siil.inference.device import usable_precision

        return usable_precision(self.config.inference.precision, self.device)

    def again_at(self, source: Volume) -> Again | None:
        """The second look at a scan."""
        from siil.inference.second_look import Again

        return self.again and Again(*self.again[:2], source, self.device, self.precision)


def predict(
    *,
    config: Config,
    scans: Annotated[list[Path], typer.Argument(metavar="SCAN...", help="NIfTI, NRRD, MHA, folder, DICOM series, zip")],
    output: Annotated[Path, typer.Option(help="folder for the results; several scans get a folder each")],
    weights: Annotated[Path | None, typer.Option(help="file, or patients (default), phantom; or $SIIL_WEIGHTS")] = None,
    fast: Annotated[bool, typer.Option("--fast", help="the first look alone: masks of about 3 mm, less time")] = False,
    second_look: Annotated[Path | None, typer.Option(help="its weights; else those of the package")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda")] = "auto",
    also: Annotated[list[str], typer.Option(help="slicer: _centroids.mrk.json and _seg.seg.nrrd for 3D Slicer")] = [],  # noqa: B006
    as_json: Annotated[
        bool, typer.Option("--json", help="the answers as one JSON document on standard output")
    ] = False,
) -> None:
    """Label and segment the vertebrae in CT scans. Research use only, not a medical device.

    SCAN is a NIfTI, NRRD, MHA or MHD file, a folder of them, or a DICOM series as folder or zip. A first look at about
    3 mm finds the vertebrae and their names; a second, in a crop of each, makes masks as sharp as the scan, down to
    1 mm. --fast, or --set inference.refine=false, leaves it out. Per scan, in its own geometry:
    _seg.nii.gz (VerSe codes), _ctd.json (centres of the bodies), _vertebrae.tsv, _scan.json, _preview.png,
    _viewer.html (opens offline), for DICOM also _seg.dcm, and run.json. The input is never changed.
    Ends with a line per scan on standard output: which vertebrae, how many, how sure; several scans with a table too.
    Exit code 0: all done, 2: nothing or not all. `siil relabel` mends a count that is wrong.
    Under torchrun or srun each process takes its share of the scans.
    """
    from siil.inference.answer import document, table
    from siil.model.weights import weights_path
    from siil.run import processes

    try:
        if unknown := set(also) - set(ALSO):
            raise ConfigError(f"--also: expected {', '.join(ALSO)}, got {', '.join(sorted(unknown))}")
        check_place(output, folder=True)
        if fast and second_look:
            raise ConfigError("expected one of --fast and --second-look, got both")
        if fast:
            config = config.model_copy(update={"inference": config.inference.model_copy(update={"refine": False})})
        both = weights_path(weights or os.environ.get("SIIL_WEIGHTS") or None), second_look
        answers, error = _all(config, scans, output, both, device, also, quiet=as_json)
    except SiilError as refused:
        if as_json and processes.launched().first:
            typer.echo(document([], error=message(refused) or ""))
        raise
    if processes.launched().first and as_json:
        typer.echo(document(answers))
    elif processes.launched().first and len(answers) > 1:
        typer.echo(table(answers))
    if error:
        raise error


def _all(
    config: Config,
    scans: list[Path],
    output: Path,
    weights: tuple[Path, Path | None],
    device: str,
    also: list[str],
    *,
    quiet: bool,
) -> tuple[list[Answer], Exception | None]:
    """The answer of every scan of all processes, in order, and the error to end with. quiet: no line per scan."""
    from siil.inference.answer import not_done
    from siil.inference.device import pick_device
    from siil.inference.scans import find_scans
    from siil.model.weights import SHIPPED_SECOND_LOOK, load_network, load_second_look
    from siil.run import processes
    from siil.run.progress import bar

    refused: list[tuple[Path, InputError]] = []
    found = find_scans(scans, refused=refused if len(scans) > 1 else None)
    place, here = pick_device(device), processes.launched()
    if here.world > 1:
        from siil.training.device import make_fabric

        make_fabric(place, precision="32-true")  # each process on its own GPU
    network, about = load_network(weights[0])
    again = None
    if config.inference.refine:
        path = weights[1] or SHIPPED_SECOND_LOOK
        second, described = load_second_look(path)
        again = second.to(place), described, path
    setup = Setup(network.to(place), about, config, weights[0], again, place, also)
    log.info("%s", provenance.RESEARCH_USE)
    names = [*(scan.name for scan in found), *(str(path) for path, _ in refused)]
    made: list[tuple[int, Answer]] = []
    failure: Exception | None = None
    for number, scan in here.share(list(enumerate(found))):
        folder = output if len(names) == 1 else output / scan.name
        try:
            with bar(scan.name if len(names) == 1 else f"{number + 1} of {len(names)}, {scan.name}") as told:
                answer = _predict_one(scan, folder, setup, told)
            if not quiet:
                typer.echo(answer.line)
        except Exception as error:  # whatever one scan brings up, the others are done
            failure, answer = error, not_done(error, scan.path)
            if len(names) > 1:
                log.error("%s: %s", scan.path, answer.error, exc_info=message(error) is None)
        made.append((number, answer))
    if here.world > 1:  # together, since a launcher ends all processes when one ends with an error
        from siil.training.device import gather

        made = gather(made)
    made.sort(key=itemgetter(0))
    for path, error in refused:
        log.error("%s", message(error))
        made.append((len(made), not_done(error, path)))
    failed = [names[number] for number, answer in made if answer.error]
    if failed and len(names) > 1:
        failure = InputError(f"{len(failed)} of {len(names)} scans were not segmented: {', '.join(failed)}")
    return [answer for _, answer in made], failure


def _predict_one(scan: Scan, folder: Path, setup: Setup, told: Told) -> Answer:
    from siil.inference.answer import answer_of, called
    from siil.inference.results import result_names

    there = folder.exists()
    folder.mkdir(parents=True, exist_ok=True)
    _spare_input(scan, folder)
    try:
        with swap.making(folder, scan.name) as made:
            inputs = [setup.weights, *(setup.again[2:] if setup.again else ()), *(() if scan.dicom else (scan.path,))]
            used = {"inference": setup.config.inference.model_dump()}
            with provenance.record(made / "run.json", stage="predict", config=used, inputs=inputs) as entry:
                entry["device"], entry["precision"] = setup.device, setup.precision
                entry["weights"] = {"model": setup.about.model.name, "code": setup.about.code}
                if setup.again:
                    _, about, path = setup.again
                    entry["second_look"] = {"weights": path.name, "spacing_mm": about.spacing_mm, "code": about.code}
                entry["scan"] = scan.name
                facts = _make(scan, made, folder, setup, entry, told)
            swap.replace(made, folder, scan.name, result_names(scan.name), last="run.json")
    finally:
        if not there and not any(folder.iterdir()):
            folder.rmdir()
    return answer_of(facts, scan=called(scan.path), folder=folder)


def _make(scan: Scan, made: Path, folder: Path, setup: Setup, entry: dict[str, Any], told: Told) -> dict[str, Any]:
    """Everything between the scan and its files, which are made in `made` for `folder`: the facts of the scan."""
    from siil.inference.outputs import scan_facts
    from siil.inference.predict_case import predict_case
    from siil.report.pictures import Views
    from siil.report.scan_files import write_scan
    from siil.run.progress import Laps
    from siil.scan.preprocess import check_size, preprocess
    from siil.scan.reading import read_grid, read_scan

    laps = Laps()
    trained = {"spacing_mm": setup.about.spacing_mm, "window_hu": setup.about.window_hu}
    settings = setup.config.dataset.preprocess.model_copy(update=trained)
    grid = read_grid(scan.path)
    if grid:  # by the header, before any voxel is read
        check_size(grid, settings=settings, name=str(scan.path))
    source = read_scan(scan.path)
    laps.end("read")
    ready = preprocess(source, None, settings=settings, name=str(scan.path))
    entry["defects"] = list(ready.defects)
    for defect in ready.defects:
        log.warning("%s: %s", scan.path, defect)
    laps.end("preprocess")
    found = predict_case(
        setup.network,
        ready.image,
        ready.geometry,
        weights=setup.about,
        inference=setup.config.inference,
        device=setup.device,
        again=setup.again_at(source),
        laps=laps,
        told=told,
    )
    facts = scan_facts(found, name=scan.name)
    views = Views(source, found.seg, found.centreline, ready.image.grid)
    write_scan(made, facts, found, views, settings=settings, folder=folder, slicer="slicer" in setup.also,
               series=scan.path if scan.dicom else None)  # fmt: skip
    laps.end("write")
    entry["parts_seconds"] = laps.seconds
    return facts


def _spare_input(scan: Scan, folder: Path) -> None:
    if not scan.dicom and scan.path.resolve().parent == folder.resolve() and scan.path.name.endswith("_seg.nii.gz"):
        raise InputError(f"{scan.path}: is named like a result and lies in --output; choose another folder")
