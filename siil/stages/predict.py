"""`siil predict`: label and segment a user's own scans with trained weights.

Not a step of the pipeline, but the same way: read -> preprocess -> siil.inference.predict_case -> write. The outputs of
a scan are made in a hidden folder and moved into place when all are there, run.json last.
"""

from __future__ import annotations

import glob
import logging
import os
import shutil
import socket
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from siil.config import Config
from siil.errors import InputError, message
from siil.run import files, provenance

if TYPE_CHECKING:
    from siil.inference.scans import Scan
    from siil.model.network import Network
    from siil.model.weights import Weights
    from siil.scan.grid import Volume

log = logging.getLogger(__name__)
SECTIONS = ("inference", "dataset.preprocess")


def predict(
    *,
    config: Config,
    scans: Annotated[list[Path], typer.Argument(metavar="SCAN...", help="NIfTI, NRRD, MHA, folder, DICOM series, zip")],
    output: Annotated[Path, typer.Option(help="folder for the results; several scans get a folder each")],
    weights: Annotated[Path | None, typer.Option(help="else $SIIL_WEIGHTS, else those of the package")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda")] = "auto",
) -> None:
    """Label and segment the vertebrae in CT scans. Research use only, not a medical device.

    SCAN is a NIfTI, NRRD, MHA or MHD file, a folder of them, or a DICOM series as folder or zip. Per scan, in its own
    geometry:
    _seg.nii.gz (VerSe codes), _ctd.json (centres of the bodies), _vertebrae.tsv, _scan.json, _preview.png,
    _viewer.html (opens offline), for DICOM also _seg.dcm, and run.json. The input is never changed.
    Under torchrun or srun each process takes its share of the scans.
    """
    from siil.inference.device import pick_device
    from siil.inference.scans import find_scans
    from siil.model.weights import load_network
    from siil.run import processes

    chosen = _weights(weights)
    found = find_scans(scans)
    place, here = pick_device(device), processes.launched()
    if here.world > 1:
        from siil.training.device import make_fabric

        make_fabric(place, precision="32-true")  # each process on its own GPU
    network, about = load_network(chosen)
    network = network.to(place)
    log.info("%s", provenance.RESEARCH_USE)
    failed = []
    for scan in here.share(found):
        folder = output if len(found) == 1 else output / scan.name
        try:
            _predict_one(scan, folder, network=network, about=about, config=config, weights=chosen, device=place)
        except Exception as error:  # whatever one scan brings up, the others are done
            if len(found) == 1:
                raise
            said = message(error)
            what = " ".join(f"{scan.path}: {type(error).__name__}: {error}".split()) if said is None else said
            log.error("ERROR: %s", what, exc_info=said is None)
            failed.append(scan.name)
    if here.world > 1:  # together, since a launcher ends all processes when one ends with an error
        from siil.training.device import gather

        failed = gather(failed)
    if failed:
        raise InputError(f"{len(failed)} of {len(found)} scans were not segmented: {', '.join(failed)}")


def _weights(given: Path | None) -> Path:
    """The file that was asked for, or the one that comes with the package (docs/model-card.md)."""
    from siil.model.weights import SHIPPED

    return given or Path(os.environ.get("SIIL_WEIGHTS", "") or SHIPPED)


def _predict_one(
    scan: Scan,
    folder: Path,
    *,
    network: Network,
    about: Weights,
    config: Config,
    weights: Path,
    device: str,
) -> None:
    from siil.inference.device import usable_precision

    there = folder.exists()
    folder.mkdir(parents=True, exist_ok=True)
    _spare_input(scan, folder)
    made = _temporary(folder, scan)
    try:
        settings = config.inference.model_dump()
        inputs = [weights] if scan.dicom else [weights, scan.path]
        run = provenance.record(made / "run.json", stage="predict", config={"inference": settings}, inputs=inputs)
        with run as entry:
            entry["device"], entry["precision"] = device, usable_precision(config.inference.precision, device)
            entry["weights"] = {"model": about.model.name, "code": about.code}
            entry["scan"] = scan.name
            _make(scan, made, network=network, about=about, config=config, device=device, entry=entry)
        _move(made, folder, scan)
    finally:
        shutil.rmtree(made, ignore_errors=True)
        if not there and not any(folder.iterdir()):
            folder.rmdir()
    log.info("%s: results in %s", scan.name, folder)


def _temporary(folder: Path, scan: Scan) -> Path:
    """A hidden folder of this process; those of processes of this machine that were killed are removed."""
    ours = f".tmp-{scan.name}-{socket.gethostname()}-"
    for left in folder.glob(f"{glob.escape(ours)}*"):
        number = left.name.removeprefix(ours)
        if number.isdecimal() and (number == str(os.getpid()) or files.is_dead(number)):
            shutil.rmtree(left, ignore_errors=True)
    made = folder / f"{ours}{os.getpid()}"
    made.mkdir()
    return made


def _make(
    scan: Scan,
    folder: Path,
    *,
    network: Network,
    about: Weights,
    config: Config,
    device: str,
    entry: dict[str, Any],
) -> None:
    """Everything between the scan and its files in `folder`."""
    from siil.inference.enumeration import span
    from siil.inference.outputs import write_reading
    from siil.inference.predict_case import predict_case
    from siil.report.preview import preview, write_preview
    from siil.report.viewer import viewer_page
    from siil.run.progress import Laps
    from siil.scan.preprocess import check_size, preprocess
    from siil.scan.reading import read_grid, read_scan

    laps = Laps()
    trained = {"spacing_mm": about.spacing_mm, "window_hu": about.window_hu}
    settings = config.dataset.preprocess.model_copy(update=trained)
    grid = read_grid(scan.path)
    if grid:  # by the header, before any voxel is read
        check_size(grid, settings=settings, name=str(scan.path))
    source = read_scan(scan.path)
    laps.end("read")
    made = preprocess(source, None, settings=settings, name=str(scan.path))
    entry["defects"] = list(made.defects)
    for defect in made.defects:
        log.warning("%s: %s", scan.path, defect)
    laps.end("preprocess")
    inference = config.inference
    found = predict_case(
        network, made.image, made.geometry, weights=about, inference=inference, device=device, laps=laps
    )
    write_reading(found, folder, name=scan.name)
    warning = found.sequence.reason if found.sequence.uncertain else ""
    figure = preview(
        made.image,
        found.work.array,
        found.findings,
        title=scan.name,
        enumeration=span(found.names),
        warning=warning,
        centreline=found.centreline,
    )
    write_preview(folder / f"{scan.name}_preview.png", figure)
    files.write_text(folder / f"{scan.name}_viewer.html", viewer_page(source, found.seg, scan.name))
    if scan.dicom:
        _write_dicom(scan, folder / f"{scan.name}_seg.dcm", found.seg)
    laps.end("write")
    entry["parts_seconds"] = laps.seconds


def _write_dicom(scan: Scan, path: Path, seg: Volume) -> None:
    """The DICOM-SEG; a series that lacks what it must refer to, or that highdicom refuses, goes without one."""
    from siil.inference.dicom_seg import write_dicom_seg
    from siil.scan.dicom import series_files

    with series_files(scan.path) as sources:
        try:
            write_dicom_seg(path, seg, sources)
        except InputError as error:
            log.warning("%s: no DICOM-SEG: %s", scan.name, error)
        except (ValueError, TypeError, AttributeError, KeyError) as error:  # its text may quote the patient
            log.warning("%s: no DICOM-SEG: a tag of the series cannot be used (%s)", scan.name, type(error).__name__)


def _spare_input(scan: Scan, folder: Path) -> None:
    if not scan.dicom and scan.path.resolve().parent == folder.resolve() and scan.path.name.endswith("_seg.nii.gz"):
        raise InputError(f"{scan.path}: is named like a result and lies in --output; choose another folder")


def _move(made: Path, folder: Path, scan: Scan) -> None:
    """Move the finished files into place, the run record last: where it lies, the others are whole and of one run."""
    run = made / "run.json"
    (folder / run.name).unlink(missing_ok=True)
    (folder / f"{scan.name}_seg.dcm").unlink(missing_ok=True)  # the one file that not every run writes
    for path in sorted(made.iterdir()):
        if path != run:
            path.replace(folder / path.name)
    run.replace(folder / run.name)
