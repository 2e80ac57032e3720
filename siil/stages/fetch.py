"""Stage 1, `fetch`: a source as released, into data/raw, and the manifest of its files."""

from __future__ import annotations

import json
import logging
import shutil
from pathlib import Path
from typing import Annotated

import typer

from siil.config import Config
from siil.config.schema.dataset import CustomSource, PhantomSource, VerseSource
from siil.datasets import manifest
from siil.errors import ConfigError, DatasetError
from siil.run import provenance

log = logging.getLogger(__name__)


def fetch(
    *,
    config: Config,
    source: Annotated[str, typer.Option("--source", help="name of a source of the dataset")],
    folder: Annotated[Path, typer.Option(help="folder of the source, data/raw/NAME")],
    manifest_path: Annotated[Path, typer.Option("--manifest", help="manifest to write, beside the folder")],
    threads: Annotated[int, typer.Option(help="phantoms drawn, or files downloaded, at a time")] = 1,
) -> None:
    """Get one source: draw phantoms, download and unpack a public release, or look at the user's own folder.

    A download needs `dataset.accept_licence: true`, goes on where it was cut, and is checked against the sizes and
    SHA-256 of the lock file written at the first download. A user's own folder is never written to.
    """
    sources = config.dataset.sources
    if source not in sources:
        raise ConfigError(f"dataset.sources has no {source}; there are {', '.join(sources)}")
    chosen = sources[source]
    used = {"dataset": {"sources": {source: json.loads(chosen.model_dump_json(exclude={"annotation"}))}}}
    with provenance.record(provenance.run_path(manifest_path), stage="fetch", config=used):
        if isinstance(chosen, PhantomSource):
            from siil.phantom import generate

            _empty(folder)
            generate(chosen.recipe, folder, threads=threads)
            paths = manifest.tree(folder)
        elif isinstance(chosen, CustomSource):
            paths = manifest.tree(Path(chosen.path))
        else:
            from siil.datasets import download

            accept, lock = config.dataset.accept_licence, manifest_path.with_suffix(".lock")
            if isinstance(chosen, VerseSource):
                paths = download.fetch_verse(chosen, folder, lock=lock, accept_licence=accept)
            else:
                paths = download.fetch_ctspine1k(chosen, folder, lock=lock, accept_licence=accept, threads=threads)
        manifest.write_manifest(manifest_path, (manifest.entry(path) for path in paths))
    log.info("%s: %d files", source, len(paths))


def _empty(folder: Path) -> None:
    """Remove the phantoms of an earlier recipe; a folder that holds anything else is not touched."""
    if not folder.exists():
        return
    strange = [path for path in manifest.tree(folder) if "phantom" not in path.name]
    if strange:
        raise DatasetError(f"{folder}: expected phantoms or nothing, got {strange[0].name}; choose another folder")
    shutil.rmtree(folder)
