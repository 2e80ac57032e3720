"""From the scans found in the sources to the rows of cases.tsv: headers and masks are read, defects are decided.

Used by the `index` stage. What is repaired is listed per case, what is skipped is returned with its reason, what is
refused stops the step: all refused cases are told at once, so that they can be mended or excluded in one go.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from siil import anatomy
from siil.config.schema.dataset import Annotation, Landmarks
from siil.datasets import known
from siil.datasets.cases import Case
from siil.datasets.layout import Found, check_name
from siil.errors import DatasetError, InputError
from siil.run.progress import track
from siil.scan import defects, volume
from siil.scan.labels import labels_present

THREADS = 2
"""Masks read at a time: unpacking runs outside the interpreter's lock, and memory stays small."""


@dataclass(frozen=True, slots=True)
class Indexed:
    """A scan, the name of its source, the SHA-256 of the source's files, how its annotation ends, and what it holds."""

    source: str
    found: Found
    digests: Mapping[Path, str]
    annotation: Annotation = "all"
    landmarks: Landmarks = ()


def make_cases(
    scans: Sequence[Indexed], *, exclude: Iterable[str], editions: Sequence[str], keep_questioned: bool = True
) -> tuple[list[Case], list[str]]:
    """Rows for the usable scans, and one line per scan left out.

    Args:
        scans: what the readers found.
        exclude: case ids to leave out; each must exist.
        editions: keep scans of these editions only; empty: all.
        keep_questioned: False leaves the cases of siil.datasets.known out.

    Raises:
        DatasetError: some scans cannot be used (the first ones are named), an excluded case does not exist, or a scan
            came twice, in different lists of its releases.
    """
    excluded = set(exclude)
    unknown = sorted(excluded - {scan.found.case for scan in scans})
    if unknown:
        raise DatasetError(
            f"dataset.exclude names {unknown[0]}, which is not among the {len(scans)} scans; mend the id"
        )
    chosen, skipped = _choose(scans, excluded, editions, keep_questioned)
    cases: list[Case] = []
    refused: list[str] = []
    with ThreadPoolExecutor(THREADS) as pool:
        for scan, row in zip(
            chosen, track(pool.map(_row, chosen), description="index", total=len(chosen)), strict=True
        ):
            if isinstance(row, InputError):
                refused.append(f"{scan.found.case}: {row}")
            elif not row.labels:
                skipped.append(f"{row.case}: {defects.note('no_vertebra', 'a mask without any')}")
            else:
                cases.append(row)
    if refused:
        others = ", ".join(line.split(":")[0] for line in refused[1:6])
        more = f" (and {len(refused) - 1} more: {others})" if others else ""
        raise DatasetError(f"{refused[0]}{more}; mend the files or name the cases in dataset.exclude")
    if not cases:
        told = f"; the first: {skipped[0]}" if skipped else "; none is of the editions that dataset.editions names"
        raise DatasetError(f"no case found: {len(skipped)} of {len(scans)} scans were left out{told}")
    return cases, skipped


def _choose(
    scans: Sequence[Indexed], excluded: set[str], editions: Sequence[str], keep_questioned: bool
) -> tuple[list[Indexed], list[str]]:
    chosen: list[Indexed] = []
    skipped: list[str] = []
    seen: dict[str, Indexed] = {}
    for scan in scans:
        found = scan.found
        if editions and not set(editions) & set(found.edition.split()):
            continue
        claim = known.known(found)
        if found.case in excluded:
            skipped.append(f"{found.case}: {defects.note('excluded', 'an excluded one')}")
        elif claim and not keep_questioned:
            skipped.append(f"{found.case}: {defects.note('known_defect', f'{claim.claim} ({claim.source})')}")
        elif found.mask is None:
            skipped.append(f"{found.case}: {defects.note('no_mask', f'{found.image} alone')}")
        elif first := _again(scan, seen):
            skipped.append(f"{found.case}: the same scan as {first.found.case} ({found.image})")
        else:
            chosen.append(scan)
    return chosen, skipped


def _again(scan: Indexed, seen: dict[str, Indexed]) -> Indexed | None:
    """The scan that came before and is the same one: by its bytes, or in another public release by its name.

    Raises DatasetError when the two stand in different lists: what one release tests on, the other trains on.
    """
    found = scan.found
    digest, name = scan.digests[found.image], known.without_direction(found.case)
    named = seen.get(name)
    first = seen.get(digest) or (named if named and found.edition and named.source != scan.source else None)
    if first is None:
        seen[digest] = scan
        seen.setdefault(name, scan)
    elif len({found.split, first.found.split} - {""}) == 2:
        raise DatasetError(
            f"{found.case} stands in {first.found.split} of {first.source} and in {found.split} of {scan.source}: a "
            "leak between releases; read one of them alone, or name the scan in dataset.exclude"
        )
    return first


def _row(scan: Indexed) -> Case | InputError:
    found = scan.found
    assert found.mask is not None
    try:
        check_name(found)
        grid = volume.read_grid(found.image)
        mask = volume.read_mask(found.mask)
        matched = volume.match_mask(grid, mask, found.mask)
    except InputError as error:
        return error
    codes = labels_present(mask.array)
    vertebrae = [vertebra for vertebra in anatomy.VERTEBRAE if vertebra.code in codes]
    words = [repair.split(":")[0] for repair in matched.repairs] + _gaps([vertebra.name for vertebra in vertebrae])
    words += ["questioned"] if known.known(found) else []
    return Case(
        case=found.case,
        patient=found.patient,
        source=scan.source,
        edition=found.edition,
        split=found.split,
        image=str(found.image),
        mask=str(found.mask),
        centroids=str(found.centroids or ""),
        orientation=grid.orientation,
        spacing_mm=" ".join(f"{value:.4g}" for value in grid.spacing_mm[::-1]),
        size_vox=" ".join(str(value) for value in grid.shape[::-1]),
        labels=" ".join(vertebra.name for vertebra in vertebrae),
        defects=" ".join(dict.fromkeys(words)),
        image_sha256=scan.digests[found.image],
        mask_sha256=scan.digests[found.mask],
        annotation=scan.annotation,
        landmarks=" ".join(scan.landmarks),
    )


def _gaps(names: Sequence[str]) -> list[str]:
    """`no_T12` for each vertebra missing between two that are there; T13 and L6 may be missing."""
    usual = [vertebra.name for vertebra in anatomy.VERTEBRAE if vertebra.name not in ("T13", "L6")]
    there = [usual.index(name) for name in names if name in usual]
    if not there:
        return []
    return [f"no_{usual[index]}" for index in range(there[0], there[-1]) if index not in there]
