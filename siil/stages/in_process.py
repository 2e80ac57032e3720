"""The pipeline on one's own scans in one process: what `python -m siil.trainer` and `python -m siil.tester` run.

The same stages on the same paths as the workflow with `experiment=custom` (data/custom, results/custom below the
working directory), so either may go on where the other stopped. A case that is up to date (its run record names this
code, this configuration and the SHA-256 of these inputs) is not made again. The user's folder is only read.
"""

from __future__ import annotations

import importlib
import json
import logging
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from siil import config as configuration
from siil.config import Config
from siil.datasets.cases import Case, read_cases
from siil.datasets.folds import read_list
from siil.errors import message
from siil.run import files
from siil.run.pipeline import BY_NAME
from siil.run.progress import track
from siil.run.provenance import code_digest, run_path

log = logging.getLogger(__name__)


def train(config: Config, device: str) -> None:
    """From the user's folder to weights: fetch, index, preprocess, pap, split, train."""
    data = prepare(config)
    for fold in config.folds:
        output = _fold_folder(config, "train", fold)
        _stage(config, "train", data=data, lists=data / "folds" / str(fold), output=output, device=device)
        log.info("trained: %s", output / "weights.safetensors")


def test(config: Config, device: str) -> None:
    """From weights to the report: test and evaluate each case of testing.txt, then aggregate to report."""
    data = prepare(config)
    known = {case.case: case for case in read_cases(data / "cases.tsv")}
    for fold in config.folds:
        names = read_list(data / "folds" / str(fold) / "testing.txt")
        for name in track(names, description="test", total=len(names)):
            _test_case(config, known[name], data=data, fold=fold, device=device)
    results = _results(config)
    folders = {verb: results / verb for verb in ("aggregate", "tables", "figures")}
    _stage(config, "aggregate", results=results, data=data, output=folders["aggregate"])
    _stage(config, "tables", aggregate=folders["aggregate"], output=folders["tables"])
    _stage(config, "figures", aggregate=folders["aggregate"], results=results, data=data, output=folders["figures"])
    page = results / "report" / "index.html"
    _stage(config, "report", **folders, results=results, data=data, output=page)
    log.info("report: %s", page)


def prepare(config: Config) -> Path:
    """Everything before training; returns data/{dataset}."""
    data = Path("data") / config.dataset.name
    manifests = []
    for source in config.dataset.sources:
        manifests.append(Path("data/raw") / f"{source}.tsv")
        _stage(config, "fetch", source=source, folder=manifests[-1].with_suffix(""), manifest_path=manifests[-1])
    _stage(config, "index", manifest_paths=manifests, output=data / "cases.tsv")
    cases = read_cases(data / "cases.tsv")
    for case in track(cases, description="preprocess", total=len(cases)):
        _prepare_case(config, case, data=data)
    _stage(config, "split", cases=data / "cases.tsv", output=data / "folds")
    return data


def run(steps: Callable[[Config, str], None], asked: Callable[[], tuple[Config, str]]) -> None:
    """Run `steps` as a program on the configuration and the device that `asked` tells: log on standard error, one
    `ERROR:` line and exit code 2 for what the user can mend."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", force=True)
    try:
        steps(*asked())
    except Exception as error:
        line = message(error)
        if line is None:
            raise
        sys.stderr.write(f"ERROR: {line}\n")
        sys.exit(2)


def _prepare_case(config: Config, case: Case, *, data: Path) -> None:
    image, mask, pap = (data / part / f"{case.case}.nii.gz" for part in ("img", "msk", "pap"))
    geometry = data / "geometry" / f"{case.case}.json"
    digests = [case.image_sha256, case.mask_sha256]
    made = (image, mask, geometry)
    if not _up_to_date(config, "preprocess", digests, outputs=made, annotation=case.annotation):
        _stage(
            config,
            "preprocess",
            image=Path(case.image),
            mask=Path(case.mask),
            output_image=image,
            output_mask=mask,
            output_geometry=geometry,
            annotation=case.annotation,
        )
    if not _up_to_date(config, "pap", [files.sha256(mask)], outputs=[pap]):
        _stage(config, "pap", mask=mask, output=pap)


def _test_case(config: Config, case: Case, *, data: Path, fold: int, device: str) -> None:
    image, mask = (data / part / f"{case.case}.nii.gz" for part in ("img", "msk"))
    geometry = data / "geometry" / f"{case.case}.json"
    weights = _fold_folder(config, "train", fold) / "weights.safetensors"
    found = _fold_folder(config, "test", fold)
    _stage(config, "test", image=image, geometry=geometry, weights=weights, output=found, device=device)
    table = _fold_folder(config, "evaluate", fold) / f"{case.case}.tsv"
    _stage(
        config,
        "evaluate",
        truth=mask,
        truth_input=Path(case.mask),
        geometry=geometry,
        prediction=found,
        output=table,
        annotation=case.annotation,
    )


def _results(config: Config) -> Path:
    return Path("results") / config.experiment


def _fold_folder(config: Config, verb: str, fold: int) -> Path:
    return _results(config) / verb / config.models[0] / f"fold{fold}"


def _stage(config: Config, verb: str, **arguments: Any) -> None:
    """Call a stage with the sections that it declares, as the command line does."""
    stage = getattr(importlib.import_module(f"siil.stages.{verb}"), verb)
    stage(config=configuration.partial(_values(config, verb)), **arguments)


def _values(config: Config, verb: str) -> dict[str, Any]:
    return configuration.sections(config, BY_NAME[verb].sections)


def _up_to_date(
    config: Config, verb: str, digests: list[str], *, outputs: Sequence[Path], annotation: str | None = None
) -> bool:
    """Were `outputs` made so, from inputs of these digests and this annotation?

    If not, the record goes: it is of other outputs.
    """
    record = run_path(outputs[0])
    if all(path.is_file() for path in (record, *outputs)):
        entry = json.loads(record.read_text(encoding="utf-8"))
        made = (entry.get("code"), entry.get("config"), list(entry.get("inputs", {}).values()), entry.get("annotation"))
        if made == (code_digest(verb), _values(config, verb), digests, annotation):
            return True
    record.unlink(missing_ok=True)
    return False
