"""Cases of the public sets whose labels somebody has questioned, each with its source: the one table of known defects.

Read by `index`: `dataset.known_defects` says whether these cases are kept (and marked `questioned` in cases.tsv) or
left out. None of the claims was settled by the owners of the data; names as in case ids, without `dir-`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from siil.datasets.layout import Found


@dataclass(frozen=True, slots=True)
class Known:
    """One questioned case."""

    case: str
    claim: str
    source: str


_VERSE: Final = "github.com/anjany/verse, issue 13"
_SPINE1K: Final = "github.com/MIRACLE-Center/CTSpine1K, issues 13 and 15"
_COLONOG: Final = "1_3_6_1_4_1_9328_50_4_"
TABLE: Final = (
    Known("sub-verse544", "no T12 between T11 and L1", _VERSE),
    Known("sub-verse581", "no T12 between T11 and L1", "landmarks of MedicalDataAugmentationTool-VerSe"),
    Known("sub-verse642", "no T12 between T11 and L1", _VERSE),
    Known(f"{_COLONOG}0103", "the labels jump", _SPINE1K),
    Known(f"{_COLONOG}0291", "L3 is missing", _SPINE1K),
    Known(f"{_COLONOG}0482", "T7 should be T8", _SPINE1K),
    Known(f"{_COLONOG}0500", "T7 should be T8", _SPINE1K),
    Known(f"{_COLONOG}0730", "L3 is missing", _SPINE1K),
)
_BY_CASE: Final = {known.case: known for known in TABLE}


def known(found: Found) -> Known | None:
    """What is known of a scan of a public set; never anything of phantoms and a user's own files."""
    return _BY_CASE.get(without_direction(found.case)) if found.edition else None


def without_direction(case: str) -> str:
    """The id without `_dir-ax`: some releases name the same scan with it and some without."""
    return re.sub(r"_dir-[a-z]+", "", case)
