"""Which series of a folder is read, what is set aside, and what cannot be decided for the user.

Of several CT series of one study the one with the most slices is taken, of equally long ones at one place the one with
the lowest number; both are said. Between patients, between studies and between series of different places nothing is
chosen. A file that may be a slice of the series and cannot be used is an error: a series is read whole or not at all.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

import numpy as np

from siil.errors import InputError
from siil.scan import defects
from siil.scan.dicom.objects import Aside, Slice, look
from siil.scan.dicom.stacking import plane
from siil.scan.written import is_result

TILT: Final = 1e-2
"""Cosines of slices may differ by this much before they count as two stacks: exports round and drift."""
_SUFFIXES: Final = (".dcm", ".dicom", ".dic", ".ima")
_SYSTEM: Final = ("._", ".DS_Store", "__MACOSX", ".tmp-", "Thumbs.db")
_LISTED: Final = 6


def choose(folder: Path, path: Path) -> tuple[list[Slice], list[str]]:
    """The slices of the series to read, and notes on what was set aside.

    Args:
        folder: searched to its depths.
        path: what the user gave, for messages.

    Raises:
        InputError: see the module's docstring.
    """
    slices, asides = _sorted_out(folder, path)
    if not slices:
        raise _nothing(asides, path)
    _check_one_study(slices, folder, path)
    slices, copies = _once(slices, folder, path)
    stacks = _stacks(slices)
    chosen, why = _longest(stacks, folder, path)
    _check_whole(chosen, stacks, asides, path)
    notes = []
    counts = Counter(aside.what for aside in asides) + Counter({"copy of a slice": copies})
    if counts:
        notes.append(defects.note("set_aside", _counted(counts)))
    if len(stacks) > 1:
        rest = ", ".join(str(len(stack)) for stack in stacks if stack is not chosen)
        notes.append(
            f"other_series: {_named(chosen)} is used, not those of {rest}: {why}; to have another, give its folder"
        )
    return chosen, notes


def _sorted_out(folder: Path, path: Path) -> tuple[list[Slice], list[Aside]]:
    found: list[Slice] = []
    asides: list[Aside] = []
    for file in _inside(folder, path):
        what = look(file)
        if isinstance(what, Slice):
            found.append(what)
        else:
            asides.append(what)
    return found, asides


def _inside(folder: Path, path: Path) -> Iterator[Path]:
    """The files of a folder without those of the system and the results of `predict`.

    Raises InputError for a link that leads out of the folder.
    """
    inside = folder.resolve()
    there = sorted(folder.rglob("*"))
    names = set(there)
    for file in there:
        parts = file.relative_to(folder).parts
        if not file.is_file() or file.name == "DICOMDIR" or any(part.startswith(_SYSTEM) for part in parts):
            continue
        if not file.resolve().is_relative_to(inside):
            raise InputError(f"{path}: {file.name} is a link that leads out of the folder; copy the file instead")
        if not is_result(file, names):
            yield file


def _once(slices: Sequence[Slice], folder: Path, path: Path) -> tuple[list[Slice], int]:
    """Each instance of a series once, and how many copies there were. Raises InputError where copies differ."""
    first: dict[tuple[str, str], Slice] = {}
    for one in slices:
        before = first.setdefault((one.series, one.instance), one)
        if before is not one and not _equal(before, one):
            names = " and ".join(str(each.path.relative_to(folder)) for each in (before, one))
            raise InputError(f"{path}: {names} have one SOPInstanceUID and differ; remove one")
    return list(first.values()), len(slices) - len(first)


def _equal(one: Slice, two: Slice) -> bool:
    if one.path.read_bytes() == two.path.read_bytes():
        return True
    pairs = ((one.orientation, two.orientation), (one.position_mm, two.position_mm))
    placed = all(np.array_equal(a, b) for a, b in pairs)
    same = (one.size, one.spacing_mm) == (two.size, two.spacing_mm)
    try:
        return placed and same and np.array_equal(plane(one.path), plane(two.path))
    except Exception:  # decoders raise whatever they like on damaged pixels
        return False


def _check_one_study(slices: Sequence[Slice], folder: Path, path: Path) -> None:
    patients, studies = {one.patient for one in slices} - {""}, {one.study for one in slices} - {""}
    for what, found in (("patients", patients), ("studies", studies)):
        if len(found) > 1:
            whose = [one.patient if what == "patients" else one.study for one in slices]
            apart = len({one.path.parent for one in slices}) >= len(found)
            advice = f"or all: siil predict {path}/*" if apart else "after sorting the files into a folder each"
            told = f"{len(found)} {what} ({_places(slices, whose, folder)})"
            raise InputError(f"{path}: got CT of {told}; give the folder of one, {advice}")
    series = [one.series for one in slices]
    if not patients and not studies and len({one.frame or one.series for one in slices}) > 1:
        raise InputError(
            f"{path}: got {len(set(series))} CT series that do not say whose they are "
            f"({_places(slices, series, folder)}); give the folder of one"
        )


def _places(slices: Sequence[Slice], keys: Sequence[str], folder: Path) -> str:
    """How many slices each key has and where: folders are the user's names, tags are the patient's."""
    where: dict[str, list[Slice]] = defaultdict(list)
    for key, one in zip(keys, slices, strict=True):
        where[key].append(one)
    told = [f"{len(those)} slices in {_place(those, folder)}" for those in where.values()]
    return ", ".join(told[:_LISTED]) + (f" and {len(told) - _LISTED} more" if len(told) > _LISTED else "")


def _place(slices: Iterable[Slice], folder: Path) -> str:
    places = sorted({str(one.path.parent.relative_to(folder)) for one in slices})
    return places[0] + (" and others" if len(places) > 1 else "")


def _stacks(slices: Sequence[Slice]) -> list[list[Slice]]:
    """Slices of one series, size and direction, the longest first."""
    stacks: list[list[Slice]] = []
    for one in slices:
        for stack in stacks:
            first = stack[0]
            if (one.series, one.size) == (first.series, first.size) and _parallel(one, first):
                stack.append(one)
                break
        else:
            stacks.append([one])
    return sorted(stacks, key=len, reverse=True)


def _parallel(one: Slice, two: Slice) -> bool:
    return float(np.abs(one.orientation - two.orientation).max()) < TILT


def _longest(stacks: list[list[Slice]], folder: Path, path: Path) -> tuple[list[Slice], str]:
    most = len(stacks[0])
    if most < 2:
        raise InputError(f"{path}: expected a CT series of several slices, got single ones; give the whole series")
    ties = [stack for stack in stacks if len(stack) == most]
    if len(ties) == 1:
        return ties[0], "it has the most slices"
    numbers = [stack[0].number for stack in ties]
    known = [number for number in numbers if number is not None]
    if len(set(known)) < len(ties) or not all(_same_place(ties[0], stack) for stack in ties[1:]):
        keys = [str(place) for place, stack in enumerate(ties) for _ in stack]
        told = _places([one for stack in ties for one in stack], keys, folder)
        raise InputError(f"{path}: got {len(ties)} series of {most} slices; give the folder of one ({told})")
    return ties[numbers.index(min(known))], "of those with the most slices it has the lowest number"


def _same_place(one: list[Slice], two: list[Slice]) -> bool:
    """Do two stacks begin and end within 10 mm of each other?"""
    if one[0].frame != two[0].frame or not _parallel(one[0], two[0]):
        return False
    ends = [np.array([s.position_mm @ one[0].normal for s in stack]) for stack in (one, two)]
    return abs(ends[0].min() - ends[1].min()) < 10 and abs(ends[0].max() - ends[1].max()) < 10


def _named(stack: list[Slice]) -> str:
    number = "" if stack[0].number is None else f" (number {stack[0].number})"
    return f"the series of {len(stack)} slices{number}"


def _check_whole(chosen: list[Slice], stacks: list[list[Slice]], asides: Sequence[Aside], path: Path) -> None:
    """Raise InputError where a slice of the chosen series would be left out."""
    first = chosen[0]
    for stack in stacks:
        other = stack[0]
        if stack is not chosen and other.series == first.series and _parallel(other, first):
            got = " and ".join(f"{rows}x{columns}" for rows, columns in (first.size, other.size))
            raise InputError(
                f"{path}: expected slices of one size in a series, got {got} ({other.path.name}); remove it"
            )
    folders = {one.path.parent for one in chosen}
    shapes = {_shape(one.path.name) for one in chosen}
    for aside in asides:
        if not aside.may_belong:
            continue
        unknown = not aside.series and aside.path.parent in folders
        alike = aside.path.suffix.lower() in _SUFFIXES or _shape(aside.path.name) in shapes
        if (aside.series and aside.series == first.series) or (unknown and alike):
            raise InputError(
                f"{path}: {aside.path.name} lies among the slices of the series and is a {aside.what}; "
                "export or copy the series again, or remove the file if it is none of it"
            )


def _shape(name: str) -> str:
    return re.sub(r"\d+", "0", name)


def _counted(counts: Counter[str]) -> str:
    told = sorted(counts.items(), key=lambda item: (item[0].startswith("file that"), -item[1], item[0]))
    return ", ".join(f"{what} ({count})" for what, count in told)


def _nothing(asides: Sequence[Aside], path: Path) -> InputError:
    """What was there instead of a CT series, and what to do about the commonest of it."""
    if not asides:
        return InputError(f"{path}: expected a CT series in DICOM, got no file; give the CT's folder")
    counts = Counter(aside.what for aside in asides)
    telling = [aside for aside in asides if not aside.what.startswith("file that")] or asides
    common = Counter(aside.what for aside in telling).most_common(1)[0][0]
    those = [aside for aside in telling if aside.what == common]
    named = f": {', '.join(aside.path.name for aside in those[:_LISTED])}" if common.startswith("file that") else ""
    return InputError(f"{path}: expected a CT series in DICOM, got {_counted(counts)}{named}; {those[0].advice}")
