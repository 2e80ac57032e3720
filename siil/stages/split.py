"""Stage 5, `split`: which cases train, validate and test."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Annotated

import typer

from siil.config import Config
from siil.datasets import folds
from siil.datasets.cases import Case, read_cases
from siil.errors import DatasetError
from siil.run import checksums, provenance

log = logging.getLogger(__name__)


KINDS = {"training": ("img", "msk", "pap"), "validation": ("img", "msk", "pap"), "testing": ("img", "msk", "geometry")}
"""Part of a fold -> folders of the dataset whose files its steps read."""


def split(
    *,
    config: Config,
    cases: Annotated[Path, typer.Option(help="cases.tsv of the dataset, in its folder")],
    prepared: Annotated[list[Path], typer.Option(help="list of files that preprocess or pap wrote; repeat for each")],
    output: Annotated[
        Path, typer.Option(help="folder of the folds; gets {k}/training.txt, validation.txt, testing.txt, sources.tsv")
    ],
) -> None:
    """Split the cases of a dataset into folds: by patient, balanced by rare vertebrae, fixed by a seed.

    Schemes: kfold, official (the release's own), lists (training.txt and testing.txt of the source). Beside each list
    lies one of the files of its cases with their SHA-256 (training.sha256): what is trained or tested on them is made
    again when these change, and only then.
    """
    settings, rare = config.dataset.split, config.dataset.pap.rare
    used = {"dataset": {"split": json.loads(settings.model_dump_json()), "pap": {"rare": list(rare)}}}
    run = provenance.run_path(output / "0" / "training.txt")
    with provenance.record(run, stage="split", config=used, inputs=[cases], seed=settings.seed):
        known = {case.case: case for case in read_cases(cases)}
        digests = {path: digest for item in prepared for path, digest in checksums.read(item).items()}
        made = folds.make_folds(list(known.values()), settings=settings, rare=rare)
        for number, fold in enumerate(made):
            folds.write_fold(output / str(number), fold)
            folds.write_sources(output / str(number) / "sources.tsv", known.values(), fold)
            for part in folds.LISTS:
                paths = [path for name in getattr(fold, part) for path in _files(known[name], cases.parent, part)]
                checksums.write(output / str(number) / f"{part}.sha256", _of(paths, digests))
    for number, fold in enumerate(made):
        sizes = [len(getattr(fold, which)) for which in folds.LISTS]
        log.info("fold %d: %d training, %d validation, %d testing", number, *sizes)


def _files(case: Case, data: Path, part: str) -> list[Path]:
    """What the steps that see a case in this part of a fold read of it; scores are made with its mask as released."""
    suffix = {"geometry": ".json"}
    found = [data / kind / f"{case.case}{suffix.get(kind, '.nii.gz')}" for kind in KINDS[part]]
    return [*found, Path(case.mask)] if part == "testing" else found


def _of(paths: list[Path], digests: dict[Path, str]) -> dict[Path, str]:
    if missing := [path for path in paths if path not in digests]:
        raise DatasetError(f"{missing[0]}: in no list of prepared files; run preprocess and pap again")
    return {path: digests[path] for path in paths}
