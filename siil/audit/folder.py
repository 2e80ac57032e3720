"""A labelled folder of any known layout, or the table that `index` made, scan by scan: files in, what was measured out.

Layouts: img/ and msk/, BIDS and VerSe, CTSpine1K (siil.datasets.registry); one folder for each scan with ct.nii.gz and
segmentations/vertebrae_*.nii.gz (TotalSegmentator); masks alone.
"""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass, replace
from glob import escape
from pathlib import Path

import numpy as np

from siil.anatomy import UNLABELLED, UNNAMED
from siil.audit.coarse import SPACING_MM, coarse
from siil.audit.headers import contradictions, labels_at, read_centroids
from siil.audit.heldout import constant_shift
from siil.audit.measure import Measured, measure
from siil.datasets import labelmaps, manifest, registry
from siil.datasets.cases import read_cases
from siil.datasets.codes import table
from siil.datasets.layout import is_volume, stem
from siil.errors import DatasetError, InputError
from siil.scan import volume
from siil.scan.grid import Volume
from siil.scan.nifti import nib

log = logging.getLogger(__name__)
_CODES = table("verse") | {UNNAMED: UNNAMED, UNLABELLED: UNLABELLED}


@dataclass(frozen=True, slots=True)
class Labelled:
    """One scan. masks: one label map, or a file for each structure. image: None where only masks are there."""

    case: str
    image: Path | None
    masks: tuple[Path, ...]
    centroids: Path | None = None


def find(folder: Path) -> list[Labelled]:
    """The labelled scans of a folder, or of a cases.tsv, by case.

    Raises:
        DatasetError: no such folder, no mask in any known layout, or another table.
    """
    if folder.suffix == ".tsv":
        return [
            Labelled(case.case, Path(case.image), (Path(case.mask),), Path(case.centroids) if case.centroids else None)
            for case in read_cases(folder)
        ]
    paths = manifest.tree(folder)
    if any(path.name.startswith("vertebrae_") and is_volume(path) for path in paths):
        return [Labelled(case, _scan_of(masks[0]), masks) for case, masks in sorted(labelmaps.find(folder).items())]
    try:
        scans = [
            Labelled(scan.case, scan.image, (scan.mask,), scan.centroids)
            for scan in registry.guess(paths)
            if scan.mask is not None
        ]
        why = "no scan has a mask"
    except DatasetError as error:
        scans, why = [], str(error)
    return scans or _masks_alone(folder, why, any(is_volume(path) for path in paths))


def _masks_alone(folder: Path, why: str, volumes: bool) -> list[Labelled]:
    """Label maps to which no scan belongs. why: what was said where scans were looked for."""
    try:
        found = labelmaps.find(folder)
    except DatasetError as error:
        raise DatasetError(why) if volumes else error from None
    log.warning("masks alone are looked at: %s", why)
    return [Labelled(case, None, masks) for case, masks in sorted(found.items())]


def _scan_of(mask: Path) -> Path | None:
    """ct.nii.gz beside the folder of structures, or in it."""
    for place in (mask.parent, mask.parent.parent):
        for name in ("ct.nii.gz", "ct.nii"):
            if (place / name).is_file():
                return place / name
    return None


def look(scan: Labelled, results: Path | None = None) -> Measured:
    """Read and measure one scan. What cannot be read is said in the `words` of the result, so that the others go on.

    results: folder of an experiment whose tests left `{case}_seg.nii.gz` (predictions by networks that held it out), or
        of results of `siil predict` by weights that never saw it.
    """
    try:
        words, mask, image = read(scan)
    except InputError as error:
        return Measured(scan.case, (), {}, None, "", "", words=(" ".join(str(error).split()),))
    labels = coarse(mask)
    found = measure(scan.case, labels, None if image is None else coarse(image), SPACING_MM)
    near = labels_at(read_centroids(scan.centroids), mask) if scan.centroids else {}
    shift, sure = _held_out(scan, mask, results)
    return replace(found, centroids=near, words=tuple(words), shift=shift, sure=sure)


def read(scan: Labelled) -> tuple[list[str], Volume, Volume | None]:
    """What its headers say against each other, the mask, and the image on the same grid.

    Raises:
        InputError: a file that cannot be read, or mask and image on different grids.
    """
    mask = labelmaps.read(scan.masks, _CODES, expected="labels")
    words = [f"mask: {text}" for text in contradictions(nib.load(scan.masks[0]).header)]
    if scan.image is None:
        return words, mask, None
    words = [f"image: {text}" for text in contradictions(nib.load(scan.image).header)] + words
    image = volume.read_volume(scan.image)
    return words, volume.match_mask(image.grid, mask, scan.masks[0]), image


def _held_out(scan: Labelled, mask: Volume, results: Path | None) -> tuple[tuple[int, float, int] | None, bool]:
    """The first prediction of the scan below `results`: (levels, margin, vertebrae compared), is it sure of itself?"""
    if results is None:
        return None, True
    names = [scan.case] if scan.image is None else [scan.case, stem(scan.image.name)]
    maps: list[Path] = []
    for place in ("test/*/*", "*", "."):
        for name in names:
            maps += sorted(results.glob(f"{place}/{escape(name)}_seg.nii.gz"))
    if not maps:
        return None, True
    facts = maps[0].with_name(maps[0].name.replace("_seg.nii.gz", "_scan.json"))
    said = json.loads(facts.read_text(encoding="utf-8")) if facts.is_file() else {}
    margin, sure = said.get("margin"), not said.get("uncertain", False)
    predicted = volume.match_mask(mask.grid, volume.read_mask(maps[0]), maps[0])
    shift = constant_shift(coarse(mask), coarse(predicted))
    return None if shift is None else (shift[0], np.inf if margin is None else float(margin), shift[1]), sure
