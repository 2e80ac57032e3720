"""What `siil predict` writes beside a scan, told by its names: it is no scan, and no file of a series.

Used where scans are looked for (`reading`, `dicom`), so that results may lie with their scan.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from pathlib import PurePath
from typing import Final

_ENDS: Final = re.compile(
    r"(.+?)([._]seg\.(nii\.gz|dcm|nrrd)|_(ctd|scan)\.json|_vertebrae\.tsv|_preview\.png|_viewer\.html|\.mrk\.json)"
)
_FACTS: Final = "_scan.json"


def is_result(path: PurePath, there: Collection[PurePath]) -> bool:
    """Did an earlier `predict` write this file? Then NAME_scan.json lies beside it, among the files `there`."""
    if path.name == "run.json":
        return any(other.name.endswith(_FACTS) and other.parent == path.parent for other in there)
    found = _ENDS.fullmatch(path.name)
    return found is not None and path.with_name(f"{found[1]}{_FACTS}") in there
