"""Results of `siil predict` on disk: which there are below a path, and what a reader says of one of them.

Looks at names alone; inference/outputs.py reads and writes the files.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from siil.anatomy import BY_NAME
from siil.datasets.levels import NOTHING, Known
from siil.errors import InputError
from siil.inference import slicer
from siil.inference.count import count_on, place_at, refusal, shifted
from siil.inference.vertebrae import Finding
from siil.run.swap import BEFORE

_SCAN = "_scan.json"
_KINDS = ("seg.nii.gz", "ctd.json", "vertebrae.tsv", "scan.json", "preview.png", "viewer.html", "seg.dcm")


def result_names(name: str) -> list[str]:
    """Names of all files that `predict` may leave of a scan, beside run.json."""
    return [f"{name}_{kind}" for kind in (*_KINDS, *slicer.KINDS)]


@dataclass(frozen=True, slots=True)
class Result:
    """The files of one scan: {name}_seg.nii.gz and so on in `folder`."""

    folder: Path
    name: str


@dataclass(frozen=True, slots=True)
class Request:
    """What a reader says of a scan: some names, or a shift of all, or the number of a rival (from 1)."""

    known: Known = NOTHING
    shift: int | None = None
    rival: int | None = None

    @property
    def words(self) -> str:
        """As the options of `siil relabel`; empty where nothing is said."""
        more = [f"--{key} {value}" for key in ("shift", "rival") if (value := getattr(self, key)) is not None]
        return " ".join([self.known.words(), *more]).strip()


def find_results(path: Path) -> list[Result]:
    """The results that a path names: a file of one, its folder, or a folder of such folders, sorted.

    Raises:
        InputError: there is none.
    """
    if path.is_dir():
        found = sorted(path.glob(f"*{_SCAN}")) or sorted(
            item
            for item in path.rglob(f"*{_SCAN}")
            if not any(p.startswith(".") for p in item.parts[len(path.parts) :])
        )
        if not found:
            raise InputError(f"{path}: expected results of predict (NAME{_SCAN} and others), got none")
        return [Result(item.parent, item.name.removesuffix(_SCAN)) for item in found]
    if not path.exists():
        raise InputError(f"{path}: no such file or folder; expected a result of predict")
    if path.name == "run.json":
        return find_results(path.parent)
    for scan in path.parent.glob(f"*{_SCAN}"):
        name = scan.name.removesuffix(_SCAN)
        if path.name.removesuffix(BEFORE) in result_names(name):
            return [Result(path.parent, name)]
    raise InputError(f"{path}: expected a file of a result of predict, beside its NAME{_SCAN}")


def settle(
    request: Request, places: Sequence[str], findings: Sequence[Finding], rivals: Sequence[Mapping[str, Any]]
) -> tuple[str, ...]:
    """Names of all places as a reader says.

    Args:
        places: all vertebrae from the head down, those without a voxel too, as they are called now.
        findings: those with voxels.
        rivals: of the facts of the scan.

    Raises:
        InputError: the table of vertebrae does not allow it, in one line that says why.
    """
    if request.rival is not None:
        return _rival(request.rival, places, rivals)
    if request.shift is not None:
        return shifted(places, request.shift)
    bodies = {finding.name: finding.body_mm[2] for finding in findings}
    said = [(0, request.known.first), (len(places) - 1, request.known.last)]
    said += [(place_at(z_mm, bodies, places), name) for z_mm, name in request.known.at]
    known: dict[int, str] = {}
    for place, name in said:
        if name and known.setdefault(place, name) != name:
            raise InputError(f"{known[place]} and {name} would be one vertebra, which is now {places[place]}")
    return count_on(len(places), known)


def places_of(facts: Mapping[str, Any]) -> tuple[str, ...]:
    """All vertebrae of the facts of a scan from the head down, those without a voxel too."""
    return tuple(sorted({*facts["vertebrae"], *facts["unseen"]}, key=lambda name: BY_NAME[name].index))


def _rival(number: int, places: Sequence[str], rivals: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    if not 1 <= number <= len(rivals):
        listed = f"1 to {len(rivals)}" if rivals else "none"
        raise InputError(f"--rival {number}: expected the number of a rival in NAME{_SCAN} ({listed})")
    rival = rivals[number - 1]
    if "names" not in rival:
        raise InputError(f"--rival {number}: the result is of an older siil; predict again, or say --first or --last")
    names = rival["names"]
    if names is None:
        raise InputError(
            f"--rival {number}: {rival['enumeration']} counts another number of vertebrae here, one would have to be "
            "split or two merged; names alone do not do that"
        )
    why = refusal(names) or ("" if len(names) == len(places) else f"it names {len(names)} of {len(places)} vertebrae")
    if why:
        raise InputError(f"--rival {number}: {why}; NAME{_SCAN} was changed, predict again")
    return tuple(names)
