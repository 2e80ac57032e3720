"""The codes of other tools' label maps: label -> VerSe code, by the name of the tool.

Used by `labelmaps`. What another tool labels beside vertebrae is background; a label that its table does not hold is
refused, because then the map is of another tool. Sources:

    verse                VerSe's README (anjany/verse)
    totalsegmentator     class map `total` of version 2 (totalsegmentator/map_to_binary.py); one file or one a bone
    totalsegmentator_v1  class map `total_v1` of the same file: 18 L5 to 22 L1, 23 T12 to 34 T1, 35 C7 to 41 C1
    vertebrae_pp         TotalSegmentator's task of that name: 1 C1 to 24 L5, as in VerSe
    spineps              vertebrae as in VerSe; ribs + 32, discs + 100 and endplates + 200 (SPINEPS README, TPTBox)
    nnunet               nnU-Net wants consecutive labels: VerSe's, T13 after L6; or a `dataset.json` with names

An endplate is part of a vertebra, as in VerSe's masks, but its number does not say which: models for MR give the
superior plate of L2 the number of L1. So it becomes `PLATE` and goes to the body that it touches (`labelmaps`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import numpy as np

from siil.anatomy import BY_CODE, BY_NAME, IGNORED_CODES, RIB_CODE, SACRUM_CODE
from siil.errors import ConfigError

CODES: Final = ("verse", "totalsegmentator", "totalsegmentator_v1", "vertebrae_pp", "spineps", "nnunet")
PLATE: Final = 253
"""An endplate, of whichever vertebra."""
HIGHEST: Final = 999
"""No table has a label above it."""
_DOWN: Final = (
    *(f"L{n}" for n in range(5, 0, -1)),
    *(f"T{n}" for n in range(12, 0, -1)),
    *(f"C{n}" for n in range(7, 0, -1)),
)
"""From L5 up to C1, as TotalSegmentator counts."""


def table(codes: str) -> dict[int, int]:
    """Label of a tool -> VerSe code, 0 for what is no vertebra.

    Raises:
        ConfigError: neither a name of `CODES` nor a `dataset.json` whose labels have the names of vertebrae.
    """
    verse = {0: 0, **{code: code for code in (*BY_CODE, *IGNORED_CODES)}}
    if codes == "verse":
        return verse
    if codes == "totalsegmentator":
        ribs = dict.fromkeys(range(92, 116), RIB_CODE)
        return dict.fromkeys(range(118), 0) | {25: SACRUM_CODE, 26: SACRUM_CODE} | _counted(27) | ribs
    if codes == "totalsegmentator_v1":
        return dict.fromkeys(range(105), 0) | _counted(18)
    if codes == "vertebrae_pp":
        return {code: code for code in range(25)}
    if codes == "spineps":
        ribs_and_discs = dict.fromkeys([*range(33, 61), *range(100, 135)], 0)
        return verse | ribs_and_discs | {200 + code: PLATE for code in verse}
    if codes == "nnunet":
        return {**{code: code for code in range(26)}, 26: BY_NAME["T13"].code}
    return _named(Path(codes))


def fitting(labels: np.ndarray, truth: np.ndarray) -> dict[str, float]:
    """Codes -> the share of the truth's vertebra voxels that a map's labels name rightly, for each table.

    Args:
        labels: of the map as stored, on the grid of the truth.
        truth: VerSe codes, any shape, as `labels`.
    """
    inside = np.isin(truth, list(BY_CODE))
    pairs, counts = np.unique(
        labels[inside].astype(np.int64) * 256 + truth[inside].astype(np.int64), return_counts=True
    )
    shares = {}
    for name in CODES:
        turned = table(name)
        right = [turned.get(int(pair) // 256) == int(pair) % 256 for pair in pairs]
        shares[name] = float(counts[right].sum() / max(1, counts.sum()))
    return shares


def _counted(first: int) -> dict[int, int]:
    return {first + place: BY_NAME[name].code for place, name in enumerate(_DOWN)}


def _named(path: Path) -> dict[int, int]:
    """From nnU-Net's dataset.json: {"labels": {"C1": 1, ...}}, or the other way round as in its first version."""
    try:
        labels: Mapping[str, object] = json.loads(path.read_text(encoding="utf-8"))["labels"]
        pairs = [(key, value) if str(value).isdigit() else (value, key) for key, value in labels.items()]
        made = {int(str(value)): BY_NAME[str(name)].code if name in BY_NAME else 0 for name, value in pairs}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise ConfigError(
            f"--codes {path}: expected one of {', '.join(CODES)} or nnU-Net's dataset.json, got something else"
        ) from None
    if not any(made.values()):
        raise ConfigError(f"--codes {path}: expected labels with names C1 to L6, got {', '.join(labels)[:80]}")
    return made
