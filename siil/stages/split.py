"""Stage 5, `split`: which cases train, validate and test."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Annotated

import typer

from siil.config import Config
from siil.datasets import folds
from siil.datasets.cases import read_cases
from siil.run import provenance

log = logging.getLogger(__name__)


def split(
    *,
    config: Config,
    cases: Annotated[Path, typer.Option(help="cases.tsv of the dataset")],
    output: Annotated[
        Path, typer.Option(help="folder of the folds; gets {k}/training.txt, validation.txt, testing.txt, sources.tsv")
    ],
) -> None:
    """Split the cases of a dataset into folds: by patient, balanced by rare vertebrae, fixed by a seed.

    Schemes: kfold, official (the release's own), lists (training.txt and testing.txt of the source).
    """
    settings, rare = config.dataset.split, config.dataset.pap.rare
    used = {"dataset": {"split": json.loads(settings.model_dump_json()), "pap": {"rare": list(rare)}}}
    run = provenance.run_path(output / "0" / "training.txt")
    with provenance.record(run, stage="split", config=used, inputs=[cases], seed=settings.seed):
        table = read_cases(cases)
        made = folds.make_folds(table, settings=settings, rare=rare)
        for number, fold in enumerate(made):
            folds.write_fold(output / str(number), fold)
            folds.write_sources(output / str(number) / "sources.tsv", table, fold)
    for number, fold in enumerate(made):
        sizes = [len(getattr(fold, which)) for which in folds.LISTS]
        log.info("fold %d: %d training, %d validation, %d testing", number, *sizes)
