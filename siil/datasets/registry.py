"""The one table of dataset kinds: how a source is fetched, how its tree is read, and how many scans it promises.

Between `fetch` and `index` stages and the modules of single datasets. Imports nothing heavy.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from siil.config.schema.dataset import CustomSource, PhantomSource, Source, VerseSource
from siil.datasets import ctspine1k, custom, verse
from siil.datasets.cases import Case
from siil.datasets.layout import Found


def find(paths: Sequence[Path], source: Source) -> list[Found]:
    """Scans of one source, given by its files. Raises DatasetError when the tree is another one."""
    if isinstance(source, PhantomSource):
        return verse.find(paths, edition="")
    if isinstance(source, VerseSource):
        return verse.find(paths, edition=source.edition)
    if isinstance(source, CustomSource):
        return custom.find(paths)
    return ctspine1k.find(paths)


def guess(paths: Sequence[Path]) -> list[Found]:
    """Scans of a folder of unknown kind, by its layout: CTSpine1K, VerSe or BIDS, or img/ and msk/."""
    kept = [path for path in paths if path.name == "data_split.txt" or "volumes" in path.parts]
    return ctspine1k.find(paths) if len(kept) > 1 else custom.find(paths)


def expected_counts(sources: Sequence[Source], editions: Sequence[str]) -> dict[str, int]:
    """Scans per split, and patients, that the releases promise, as far as that is known for this choice of sources."""
    kinds = {source.kind for source in sources}
    released = sorted(source.edition for source in sources if isinstance(source, VerseSource))
    if kinds == {"ctspine1k"}:
        return dict(ctspine1k.COUNTS)
    if kinds == {"verse"} and released == ["verse19"] and list(editions) in ([], ["verse19"]):
        return dict(verse.COUNTS["verse19"])
    if kinds == {"verse"} and released == ["verse19", "verse20"]:
        if list(editions) == ["verse20"]:
            return dict(verse.COUNTS["verse20"])
        if not editions:
            return dict(verse.UNION)
    return {}


def count_mismatch(cases: Sequence[Case], expected: dict[str, int], *, left_out: int = 0) -> str | None:
    """One loud line when the number of scans is not what the release promises; None when it is, or nothing is known.

    left_out: scans that are there and were not taken, by configuration or for a fault; the line then says so.
    """
    if not expected:
        return None
    found = Counter(case.split or "in no list" for case in cases)
    if "patients" in expected:
        found["patients"] = len({case.patient for case in cases})
    names = [*expected, *sorted(set(found) - set(expected))]
    if all(found[name] == expected.get(name, 0) for name in names):
        return None
    told = ", ".join(f"{name} {found[name]} of {expected.get(name, 0)}" for name in names)
    why = f"{left_out} were left out (each is named)" if left_out else "fetch the missing parts"
    return f"not the whole release: {told}; {why}, or accept that numbers are not comparable"
