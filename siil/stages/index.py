"""Stage 2, `index`: the table of cases from the trees that are there."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Annotated

import typer

from siil import config as configuration
from siil.config import Config
from siil.datasets import indexing, manifest, registry
from siil.datasets.cases import write_cases
from siil.errors import ConfigError
from siil.run import provenance
from siil.run.pipeline import BY_NAME

log = logging.getLogger(__name__)


def index(
    *,
    config: Config,
    manifest_paths: Annotated[list[Path], typer.Option("--manifest", help="manifest of a source, repeatable")],
    output: Annotated[Path, typer.Option(help="cases.tsv")],
) -> None:
    """Make the table of cases: what is there, with orientation, spacing, labels, defects and checksums.

    Reads headers and masks. A CT without mask, a mask without vertebra and an excluded case are left out and said; a
    file that cannot be used stops the step and is named.
    """
    dataset = config.dataset
    found: list[indexing.Indexed] = []
    used = configuration.sections(config, BY_NAME["index"].sections)
    with provenance.record(provenance.run_path(output), stage="index", config=used, inputs=manifest_paths) as entry:
        for path in manifest_paths:
            source = dataset.sources.get(path.stem)
            if source is None:
                raise ConfigError(f"{path}: dataset.sources has no {path.stem}; there are {', '.join(dataset.sources)}")
            entries = manifest.read_manifest(path)
            scans = registry.find([item.path for item in entries], source)
            digests = {item.path: item.sha256 for item in entries}
            found += [indexing.Indexed(path.stem, scan, digests, source.annotation, source.landmarks) for scan in scans]
        cases, skipped = indexing.make_cases(
            found,
            exclude=dataset.exclude,
            editions=dataset.editions,
            keep_questioned=dataset.known_defects == "keep",
        )
        entry["skipped"] = skipped
        expected = registry.expected_counts(tuple(dataset.sources.values()), dataset.editions)
        mismatch = registry.count_mismatch(cases, expected, left_out=len(skipped))
        if mismatch:
            entry["mismatch"] = mismatch
            log.warning("%s: %s", dataset.name, mismatch)
        write_cases(output, cases)
    for line in skipped:
        log.warning("left out: %s", line)
    log.info("%s: %d cases of %d patients", dataset.name, len(cases), len({case.patient for case in cases}))
