"""What do defects of labelled scans look like, planted in a clean one? Used by benchmarks/audit.py and its tests.

A plant takes a generator and a scan and gives the scan with one defect, or None where it cannot have it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from siil.anatomy import BY_NAME
from siil.audit.norms import PLACE, USUAL
from siil.scan.grid import Volume
from siil.scan.nifti import nib

_LEAST_VOXELS = 40


@dataclass(frozen=True, slots=True)
class Drawn:
    """A labelled scan in LPS. centroids: name -> (z, y, x) in voxels. levels: the patient's. header: of a NIfTI file,
    where that is what is wrong; predicted, margin: what a network that held it out says."""

    case: str
    image: Volume
    mask: Volume
    centroids: dict[str, tuple[float, ...]]
    levels: tuple[str, ...]
    header: Any = None
    predicted: Volume | None = None
    margin: float = 0.0

    def entries(self) -> list[dict[str, Any]]:
        """The centroids as VerSe's file has them."""
        rows = [{"label": BY_NAME[name].code, "X": x, "Y": y, "Z": z} for name, (z, y, x) in self.centroids.items()]
        return [{"direction": ["L", "P", "S"]}, *rows]

    def relabelled(self, mask: np.ndarray) -> Drawn:
        """The scan with another mask, and without centroids, which would give it away."""
        return replace(self, mask=Volume(mask.astype(np.uint8), self.mask.grid), centroids={})

    def codes(self) -> list[int]:
        """Labels that are there with some voxels, from the head down; none of a scan with a T13."""
        counts = np.bincount(self.mask.array.ravel(), minlength=256)
        there = [vertebra.code for vertebra in USUAL if counts[vertebra.code] > _LEAST_VOXELS]
        return [] if counts[BY_NAME["T13"].code] else there


Plant = Callable[[np.random.Generator, Drawn], Drawn | None]


def _moved(mask: np.ndarray, codes: list[int], levels: int) -> np.ndarray | None:
    """The labels of `codes` some levels further down; None where there is no such level."""
    places = [PLACE[code] + levels for code in codes]
    if not places or min(places) < 0 or max(places) >= len(USUAL):
        return None
    table = np.arange(256)
    for code, place in zip(codes, places, strict=True):
        table[code] = USUAL[place].code
    return table[mask]


def shift(rng: np.random.Generator, scan: Drawn) -> Drawn | None:
    """Every label one level up or down."""
    first = int(rng.choice((-1, 1)))
    for levels in (first, -first):
        mask = _moved(scan.mask.array, scan.codes(), levels)
        if mask is not None:
            return scan.relabelled(mask)
    return None


def jump(rng: np.random.Generator, scan: Drawn) -> Drawn | None:
    """From some level on every label is one further down: a name is passed over, no bone is."""
    codes = scan.codes()
    if len(codes) < 4:
        return None
    mask = _moved(scan.mask.array, codes[int(rng.integers(1, len(codes) - 1)) :], 1)
    return None if mask is None else scan.relabelled(mask)


def missing(rng: np.random.Generator, scan: Drawn) -> Drawn | None:
    """A vertebra between others has no label; those below go on as if it were not there, or keep their names."""
    codes = scan.codes()
    if len(codes) < 5:
        return None
    gone = int(rng.integers(1, len(codes) - 1))
    mask = np.where(scan.mask.array == codes[gone], 0, scan.mask.array)
    if rng.random() < 0.5:
        renamed = _moved(mask, codes[gone + 1 :], -1)
        mask = mask if renamed is None else renamed
    return scan.relabelled(mask)


def repeat(rng: np.random.Generator, scan: Drawn) -> Drawn | None:
    """Two neighbours carry one name, and the next name is missing."""
    codes = scan.codes()
    if len(codes) < 5:
        return None
    place = int(rng.integers(1, len(codes) - 1))
    return scan.relabelled(np.where(scan.mask.array == codes[place], codes[place - 1], scan.mask.array))


def merged(rng: np.random.Generator, scan: Drawn) -> Drawn | None:
    """Two neighbours carry one name, and those below go on counting from it."""
    codes = scan.codes()
    if len(codes) < 6:
        return None
    place = int(rng.integers(2, len(codes) - 1))
    mask = _moved(scan.mask.array, codes[place:], -1)
    return None if mask is None else scan.relabelled(mask)


def mixed(rng: np.random.Generator, scan: Drawn) -> Drawn | None:
    """A third to a half of one vertebra, cut off by a plane of any direction, carries its neighbour's name."""
    codes = scan.codes()
    if len(codes) < 5:
        return None
    place = int(rng.integers(1, len(codes) - 1))
    sites = np.argwhere(scan.mask.array == codes[place])
    along = (sites * np.array(scan.mask.grid.spacing_mm)) @ rng.normal(size=3)
    cut = sites[along > np.quantile(along, 1 - rng.uniform(0.33, 0.5))]
    mask = scan.mask.array.copy()
    mask[tuple(cut.T)] = codes[place + int(rng.choice((-1, 1)))]
    return scan.relabelled(mask)


def split(rng: np.random.Generator, scan: Drawn) -> Drawn | None:
    """One vertebra is cut between two names, upper from lower or front from back; those below are one further down."""
    codes = scan.codes()
    if len(codes) < 5:
        return None
    place = int(rng.integers(1, len(codes) - 1))
    sites = np.argwhere(scan.mask.array == codes[place])
    mask = _moved(scan.mask.array, codes[place + 1 :], 1)
    if mask is None:
        return None
    along = sites[:, int(rng.integers(0, 2))] * 1.0
    along += rng.uniform(-0.5, 0.5, len(along))  # planes of equal voxels are shared
    cut = sites[along < np.quantile(along, rng.uniform(0.4, 0.6))]
    mask[tuple(cut.T)] = USUAL[PLACE[codes[place]] + 1].code
    return scan.relabelled(mask)


def off_bone(rng: np.random.Generator, scan: Drawn) -> Drawn | None:
    """The mask lies 10 to 30 mm off in any direction."""
    way = rng.normal(size=3)
    steps = rng.uniform(10, 30) * way / np.linalg.norm(way) / np.array(scan.mask.grid.spacing_mm)
    mask = np.zeros_like(scan.mask.array)
    sites = np.argwhere(scan.mask.array)
    moved = sites + np.rint(steps).astype(int)
    inside = ((moved >= 0) & (moved < mask.shape)).all(axis=1)
    mask[tuple(moved[inside].T)] = scan.mask.array[tuple(sites[inside].T)]
    return scan.relabelled(mask)


def mirrored(rng: np.random.Generator, scan: Drawn) -> Drawn | None:
    """The mask is mirrored left to right in its array, as by a lost sign."""
    return scan.relabelled(scan.mask.array[:, :, ::-1])


def spacing(rng: np.random.Generator, scan: Drawn) -> Drawn | None:
    """Slices, pixels or all of them are 1.4 to 2.5 times as far apart as the header says, or as much closer."""
    factor = float(rng.uniform(1.4, 2.5)) ** float(rng.choice((-1, 1)))
    z, y, x = scan.mask.grid.spacing_mm
    wrong = [(z * factor, y, x), (z, y * factor, x * factor), (z * factor, y * factor, x * factor)][rng.integers(3)]
    grid = replace(scan.mask.grid, spacing_mm=wrong)
    return replace(scan, image=Volume(scan.image.array, grid), mask=Volume(scan.mask.array, grid), centroids={})


def centroid(rng: np.random.Generator, scan: Drawn) -> Drawn | None:
    """Two neighbours have each other's centroid, or one lies 25 to 40 mm off, or each has the next one's."""
    names = list(scan.centroids)
    if len(names) < 3:
        return None
    places, how, one = dict(scan.centroids), int(rng.integers(3)), int(rng.integers(1, len(names)))
    if how == 0:
        places[names[one]], places[names[one - 1]] = places[names[one - 1]], places[names[one]]
    elif how == 1:
        off = rng.uniform(25, 40) / scan.mask.grid.spacing_mm[1]
        z, y, x = places[names[one]]
        places[names[one]] = (z, y - off, x)  # forward, out of the bone
    else:
        places = dict(zip(names, [*list(places.values())[1:], places[names[-1]]], strict=True))
    return replace(scan, centroids=places)


def header(rng: np.random.Generator, scan: Drawn) -> Drawn | None:
    """sform and qform of the image differ in the sign of an axis."""
    image = nib.Nifti1Image(np.zeros(scan.image.array.shape[::-1], np.int16), np.diag((-2.0, -2.0, 2.0, 1.0)))
    sides = np.ones(4)
    sides[rng.integers(3)] = -1
    image.set_sform(np.diag((-2.0, -2.0, 2.0, 1.0)), code=1)
    image.set_qform(np.diag((-2.0, -2.0, 2.0, 1.0) * sides), code=1)
    return replace(scan, header=image.header)


def held_out(rng: np.random.Generator, scan: Drawn) -> Drawn | None:
    """The mask is a level off; a network that held the scan out says the right names, with a large margin."""
    bad = shift(rng, scan)
    return None if bad is None else replace(bad, predicted=scan.mask, margin=float(rng.uniform(8, 40)))


_ALL = (shift, jump, missing, repeat, merged, mixed, split, off_bone, mirrored, spacing, centroid, header, held_out)
PLANTS: dict[str, Plant] = {plant.__name__.replace("_", " "): plant for plant in _ALL}
KINDS: dict[str, set[str]] = {
    "shift": {"shift"},
    "jump": {"gap"},
    "missing": {"gap"},
    "repeat": {"repeat", "gap", "merged"},
    "merged": {"repeat", "merged", "gap"},
    "mixed": {"mixed", "merged", "repeat"},
    "split": {"mixed", "merged"},
    "off bone": {"off bone"},
    "mirrored": {"mirrored", "off bone"},
    "spacing": {"spacing"},
    "centroid": {"centroid"},
    "header": {"header"},
    "held out": {"held out"},
    "duplicate": {"duplicate"},
}
"""Kinds of findings that say what was planted."""
