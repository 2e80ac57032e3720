"""The pipeline on one's own scans in one process: what `python -m siil.trainer` and `python -m siil.tester` run.

The same stages on the same paths as the workflow with `experiment=custom` (data/custom, results/custom below the
working directory), so either may go on where the other stopped: a case that is up to date is not made again
(siil.run.batch). The user's folder is only read.
"""

from __future__ import annotations

import importlib
import logging
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from siil import config as configuration
from siil.config import Config
from siil.errors import message
from siil.run.pipeline import BY_NAME

log = logging.getLogger(__name__)


def train(config: Config, device: str) -> None:
    """From the user's folder to weights: fetch, index, preprocess, pap, split, train, and refine where it is on."""
    data = prepare(config)
    for fold in config.folds:
        output = _fold_folder(config, "train", fold)
        _stage(config, "train", data=data, lists=data / "folds" / str(fold), output=output, device=device)
        log.info("trained: %s", output / "weights.safetensors")
        if config.refine.enabled:
            _refine(config, data, output / "weights.safetensors", fold=fold, device=device)


def test(config: Config, device: str) -> None:
    """From weights to the report: test and evaluate the cases of testing.txt, then aggregate to report."""
    data = prepare(config)
    for fold in config.folds:
        _test_fold(config, data, fold=fold, device=device)
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
    cases = data / "cases.tsv"
    prepared = [data / verb / "1.of.1.sha256" for verb in ("preprocess", "pap")]
    _stage(config, "preprocess", cases=cases, output=data, manifest=prepared[0])
    _stage(config, "pap", cases=cases, data=data, manifest=prepared[1])
    _stage(config, "split", cases=cases, prepared=prepared, output=data / "folds")
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


def _refine(config: Config, data: Path, weights: Path, *, fold: int, device: str) -> None:
    output = _fold_folder(config, "refine", fold)
    first = Path(config.refine.first) if config.refine.first else weights
    paths = {"cases": data / "cases.tsv", "data": data, "lists": data / "folds" / str(fold)}
    _stage(config, "refine", **paths, first=first, output=output, device=device)
    log.info("refined: %s", output / "second_look.safetensors")


def _test_fold(config: Config, data: Path, *, fold: int, device: str) -> None:
    tested = data / "folds" / str(fold) / "testing.txt"
    found, scores = (_fold_folder(config, verb, fold) for verb in ("test", "evaluate"))
    weights = _fold_folder(config, "train", fold) / "weights.safetensors"
    manifests = [folder.with_suffix(".sha256") for folder in (found, scores)]
    common = {"data": data, "tested": tested, "cases": data / "cases.tsv"}
    again = _fold_folder(config, "refine", fold) / "second_look.safetensors" if config.refine.enabled else None
    looks = {"weights": weights, "second_look": again}
    _stage(config, "test", **common, **looks, output=found, manifest=manifests[0], device=device)
    _stage(config, "evaluate", **common, prediction=found, output=scores, manifest=manifests[1])


def _results(config: Config) -> Path:
    return Path("results") / config.experiment


def _fold_folder(config: Config, verb: str, fold: int) -> Path:
    return _results(config) / verb / config.models[0] / f"fold{fold}"


def _stage(config: Config, verb: str, **arguments: Any) -> None:
    """Call a stage with the sections that it declares, as the command line does."""
    stage = getattr(importlib.import_module(f"siil.stages.{verb}"), verb)
    stage(config=configuration.partial(configuration.sections(config, BY_NAME[verb].sections)), **arguments)
