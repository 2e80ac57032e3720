"""How scans without labels were read, round by round of `siil adapt`: its table and its pictures."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from siil.anatomy import UNLABELLED, UNNAMED
from siil.report.overlays import Picture, worst_cases
from siil.report.results import Scan
from siil.report.style import save
from siil.run import files
from siil.scan.volume import read_volume

COLUMNS = (
    "scan",
    "round",
    "enumeration",
    "uncertain",
    "agreement",
    "named",
    "unnamed",
    "ignored",
    "reason",
)


@dataclass(frozen=True, slots=True)
class Reading:
    """How a scan was read with the weights of one round, and what of that may teach.

    labels, trusted: uint8 [Z, Y, X], internal indices on the working grid; trusted as siil.inference.trust gives it.
    facts: columns of scans.tsv.
    """

    scan: str
    labels: np.ndarray
    trusted: np.ndarray
    facts: Mapping[str, object]


def keep(reading: Reading, path: Path) -> None:
    """Write a reading to an .npz file."""
    with files.atomic(path) as temporary:
        np.savez_compressed(
            temporary, labels=reading.labels, trusted=reading.trusted, facts=np.array(json.dumps(dict(reading.facts)))
        )


def load(path: Path) -> Reading:
    """A reading that `keep` wrote."""
    with np.load(path) as kept:
        return Reading(path.stem, kept["labels"], kept["trusted"], json.loads(str(kept["facts"])))


def row(reading: Reading, number: int, before: np.ndarray | None) -> dict[str, object]:
    """A row of scans.tsv.

    agreement: share of the spine voxels of this or the last reading (`before`) that have the same name in both. named,
    unnamed, ignored: shares of the spine voxels that teach a name, only that they are spine, or nothing.
    """
    spine = np.count_nonzero(reading.labels) or 1
    kept = reading.trusted[reading.labels > 0]
    either = (reading.labels > 0) | (before > 0) if before is not None else None
    same = None if either is None or before is None else (reading.labels == before)[either]
    return {
        "scan": reading.scan,
        "round": number,
        "agreement": "" if same is None else f"{same.mean() if same.size else 1:.3f}",
        "named": f"{np.count_nonzero(kept < UNNAMED) / spine:.3f}",
        "unnamed": f"{np.count_nonzero(kept == UNNAMED) / spine:.3f}",
        "ignored": f"{np.count_nonzero(kept == UNLABELLED) / spine:.3f}",
        **reading.facts,
    }


def table(rows: Sequence[Mapping[str, object]]) -> str:
    """scans.tsv as text."""
    lines = ["\t".join(COLUMNS), *("\t".join(str(row[name]) for name in COLUMNS) for row in rows)]
    return "\n".join(lines) + "\n"


def draw(readings: Sequence[Reading], images: Mapping[str, Path], output: Path) -> None:
    """scans.png: a sagittal plane of each scan, with the names that it has now."""
    pictures = []
    for reading in readings:
        image = read_volume(images[reading.scan])
        shown = Scan(reading.scan, image.array, np.zeros_like(reading.labels), reading.labels, image.grid.spacing_mm[0])
        flag = "uncertain" if reading.facts["uncertain"] else "sure"
        pictures.append(Picture(shown, f"{reading.scan}\n{reading.facts['enumeration']}, {flag}"))
    save(worst_cases(pictures), output, "scans")
