"""The table of cases: one row per scan, made by `index`, read by everything after it.

A case is one series of one patient; its id is the whole stem of the file name before `_ct`, dots replaced by
underscores. Paths are relative to the repository's root (the working directory of the pipeline).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from itertools import pairwise
from pathlib import Path
from typing import get_args

import pandas as pd

from siil.config.schema.dataset import Annotation
from siil.errors import DatasetError, why
from siil.run import files
from siil.run.tsv import read_table


@dataclass(frozen=True, slots=True)
class Case:
    """One scan. Lists are space-separated; an empty string means none or unknown. spacing_mm and size_vox: x, y, z."""

    case: str
    patient: str
    source: str
    edition: str
    split: str
    """the release's own split: training, validation, testing, or empty"""
    image: str
    mask: str
    centroids: str
    orientation: str
    """axis codes of the file, for example PIR: where each voxel axis grows to"""
    spacing_mm: str
    size_vox: str
    labels: str
    """names of the vertebrae present, in anatomical order"""
    defects: str
    image_sha256: str
    mask_sha256: str
    annotation: Annotation = "all"
    """how the annotation of its source ends (siil.datasets.annotation)"""
    landmarks: str = ""
    """what its mask holds beside vertebrae: of siil.anatomy.LANDMARKS"""

    @property
    def vertebrae(self) -> tuple[str, ...]:
        """Names of the vertebrae present."""
        return tuple(self.labels.split())


def write_cases(path: Path, cases: Iterable[Case]) -> None:
    """Write cases, sorted by id, as TSV. Raises DatasetError when an id stands twice or there is none."""
    rows = sorted(cases, key=lambda case: case.case)
    if not rows:
        raise DatasetError(f"{path}: no case found; expected at least one image with its mask")
    for one, two in pairwise(rows):
        if one.case == two.case:
            raise DatasetError(f"case id {one.case} stands for both {one.image} and {two.image}; ids must be unique")
    frame = pd.DataFrame([asdict(row) for row in rows], columns=[field.name for field in fields(Case)])
    files.write_text(path, frame.to_csv(sep="\t", index=False, lineterminator="\n"))


def read_cases(path: Path) -> list[Case]:
    """The cases of a TSV written by `write_cases`, in its order. Raises DatasetError for any other file."""
    try:
        frame = read_table(path, text=True)
    except (OSError, ValueError) as error:
        raise DatasetError(f"{path}: no table of cases ({why(error)}); run the index step again") from None
    if "landmarks" not in frame:  # an older table tells of none
        frame["landmarks"] = ""
    missing = {field.name for field in fields(Case)} - set(frame.columns)
    if missing:
        raise DatasetError(f"{path}: columns {sorted(missing)} are missing; run the index step again")
    if odd := set(frame["annotation"]) - set(get_args(Annotation)):
        expected = " or ".join(get_args(Annotation))
        raise DatasetError(f"{path}: expected annotation {expected}, got {sorted(odd)[0]!r}; run the index step again")
    return [Case(**{field.name: row[field.name] for field in fields(Case)}) for row in frame.to_dict("records")]
