"""Running the data stages as the workflow does: from a dataset's configuration, in a working directory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from siil import config as configuration
from siil.run.pipeline import BY_NAME
from siil.stages.fetch import fetch
from siil.stages.index import index


def dataset(experiment: str = "verse19", **changes: Any) -> configuration.Config:
    """The configuration of a shipped experiment with keys of its dataset changed."""
    full = configuration.resolve(experiment)
    values = full.model_dump()
    values["dataset"] |= changes
    return configuration.validate(values, where="test")


def partial(full: configuration.Config, verb: str) -> configuration.Config:
    """What the stage sees."""
    return configuration.partial(configuration.sections(full, BY_NAME[verb].sections))


def source(folder: Path, edition: str = "verse19", **changes: Any) -> dict[str, Any]:
    """A VerSe source that is a local folder."""
    return {
        "kind": "verse",
        "edition": edition,
        "urls": [str(folder)],
        "scans": "",
        "licence": "CC BY-SA 4.0",
    } | changes


def fetch_and_index(full: configuration.Config) -> Path:
    """Fetch every source of the dataset and index them, in the current directory. Returns cases.tsv."""
    manifests = []
    for name in full.dataset.sources:
        manifests.append(Path(f"data/raw/{name}.tsv"))
        fetch(config=partial(full, "fetch"), source=name, folder=Path(f"data/raw/{name}"), manifest_path=manifests[-1])
    output = Path("data") / full.dataset.name / "cases.tsv"
    index(config=partial(full, "index"), manifest_paths=manifests, output=output)
    return output
