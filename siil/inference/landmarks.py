"""Sacrum and ribs along the spine: evidence for the decoding, and counts that do not ask what a vertebra looks like.

Of a network with that head (`Output.landmarks`) only. Ribs are looked for where they join their vertebra, beside the
centreline; the sacrum where it begins in front of the canal. Vertebrae are counted up from the sacrum, up from the last
rib, and down from the first one, each only where it is plainly seen; where two counts, or a count and the answer, do
not agree, the scan is in doubt. That no rib is seen is no evidence: those of T1 and T12 may be stumps, and a network
that learnt ribs from phantoms misses some in patients (docs/log.md). Bins as in inference/evidence.py, from the head
down.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from siil.anatomy import VERTEBRAE
from siil.config.schema.inference import Decode
from siil.inference.centreline import Centreline
from siil.inference.evidence import STEP_MM
from siil.inference.posterior import Posterior

_CHANCE = 0.5
_ASIDE_MM, _FRONT_MM, _BACK_MM = (12.0, 42.0), 25.0, 35.0
"""Where heads and necks of ribs lie: so far aside of, in front of and behind the centreline."""
_RIB_MM2 = 40.0
"""A cross-section with this much of ribs on a side has them."""
_RIB_MM3, _NO_RIB_MM3 = 300.0, 60.0
"""Of a whole vertebra, on a side: with this much it has ribs, with less it has none that is seen."""
_SACRUM_MM2, _SACRUM_MM3, _HALF_WIDTH_MM, _BEHIND_MM = 300.0, 4000.0, 30.0, 15.0
_LAST_MM = (22.0, 6.0)
"""Between these heights above the sacrum there is the last lumbar vertebra."""
_BELOW_MM = 4.0
_BEYOND_MM = 20.0
"""Where more of vertebrae than this lies beyond, there is no sacrum yet."""
_MEETS_MM = 15.0
"""The sacrum begins this near to the end of a vertebra: that is the last one."""
_USUAL: Final = [v.name for v in VERTEBRAE if v.name != "T13"]

SACRUM, LAST_RIB, FIRST_RIB = "from the sacrum up", "from the last rib", "from the first rib down"
_STUMP: Final = {LAST_RIB: -1, FIRST_RIB: 1}
"""By how much the names move where the rib counted from is not the last, or the first: its neighbour's is a stump."""


@dataclass(frozen=True, slots=True)
class Bones:
    """Of each bin [S]. ribs_mm2: area of ribs near the spine, mean of the sides that the scan shows. sides: how many of
    them it shows. sacrum: first bin of the sacrum, None where none is seen."""

    ribs_mm2: np.ndarray
    sides: np.ndarray
    sacrum: int | None


def find_bones(posterior: Posterior, centreline: Centreline, spacing_mm: float, vertebrae: np.ndarray) -> Bones | None:
    """Sacrum and ribs along the centreline; None of a network without that head. vertebrae: [S] how sure each bin is of
    one."""
    if posterior.landmarks is None:
        return None
    found, shape, bins = posterior.landmarks, posterior.spine.shape, len(vertebrae)
    sites = np.stack(np.unravel_index(found.index, shape), axis=1)
    arclength, offset = centreline.project((sites + 0.5) * spacing_mm)
    bin_of = np.minimum((arclength / STEP_MM).astype(int), bins - 1)
    _, behind, aside = offset.T
    sure = found.chance.astype(np.float32) > _CHANCE
    area = spacing_mm**3 / STEP_MM
    middle = sure[:, 0] & (behind < _BEHIND_MM) & (np.abs(aside) < _HALF_WIDTH_MM)
    near = sure[:, 1] & (behind > -_FRONT_MM) & (behind < _BACK_MM)
    near &= (_ASIDE_MM[0] < np.abs(aside)) & (np.abs(aside) < _ASIDE_MM[1])
    line = centreline.at((np.arange(bins) + 0.5) * STEP_MM)[:, 2]
    shown = np.stack([line > _ASIDE_MM[1], line < shape[2] * spacing_mm - _ASIDE_MM[1]])
    ribs = np.bincount(bin_of[near], minlength=bins) * area
    sides = shown.sum(axis=0)
    sacrum = _beginning(np.bincount(bin_of[middle], minlength=bins) * area, vertebrae)
    return Bones(ribs / np.maximum(sides, 1), sides, sacrum)


def _beginning(sacrum_mm2: np.ndarray, vertebrae: np.ndarray) -> int | None:
    """The first bin of the sacrum. Vertebrae do not go on beyond it: a network may take a jaw for one."""
    beyond_mm = vertebrae[::-1].cumsum()[::-1] * STEP_MM
    sacrum_mm2 = np.where(beyond_mm < _BEYOND_MM, sacrum_mm2, 0)
    if sacrum_mm2.sum() * STEP_MM < _SACRUM_MM3 or sacrum_mm2.max() < _SACRUM_MM2:
        return None
    return int((sacrum_mm2 >= _SACRUM_MM2).argmax())


def landmark_evidence(bones: Bones, decode: Decode) -> np.ndarray:
    """[S, N] nats of each bin for each label, none above 0: what ribs and the sacrum speak against."""
    bins = len(bones.sides)
    nats = np.zeros((bins, len(VERTEBRAE)))
    chest = np.array([v.region == "T" for v in VERTEBRAE])
    with_ribs = (bones.sides > 0) & (bones.ribs_mm2 > _RIB_MM2)
    nats[np.ix_(with_ribs, ~chest)] -= decode.rib_weight * STEP_MM
    if bones.sacrum is not None:
        last = np.array([v.name in ("L4", "L5", "L6") for v in VERTEBRAE])
        first, stop = (max(0, bones.sacrum - round(mm / STEP_MM)) for mm in _LAST_MM)
        nats[first:stop, ~last] -= decode.sacrum_weight * STEP_MM
        nats[bones.sacrum + round(_BELOW_MM / STEP_MM) :] -= decode.sacrum_weight * STEP_MM
    return nats


def count(bones: Bones, pieces: Sequence[tuple[float, float]], whole: Sequence[bool]) -> dict[str, tuple[str, ...]]:
    """What the vertebrae are called by each count that can be made: how it was made -> names from the head down.

    Args:
        pieces: start and stop of the vertebrae along the centreline, mm, from the head down.
        whole: those that can be judged: what the border leaves of one may lack its ribs.
    """
    found: dict[str, tuple[str, ...]] = {}
    last = len(pieces) - 1
    if bones.sacrum is not None and abs(bones.sacrum * STEP_MM - pieces[last][1]) <= _MEETS_MM:
        _add(found, SACRUM, last, "L5", len(pieces))
    ribs = [_has_ribs(bones, piece) if sure else None for piece, sure in zip(pieces, whole, strict=True)]
    bearing = [n for n, has in enumerate(ribs) if has]
    if bearing and _free(ribs[bearing[-1] + 1 :]):
        _add(found, LAST_RIB, bearing[-1], "T12", len(pieces))
    if bearing and _free(ribs[: bearing[0]][::-1]):
        _add(found, FIRST_RIB, bearing[0], "T1", len(pieces))
    return found


def _free(beyond: Sequence[bool | None]) -> bool:
    """The next vertebra has no rib that is seen."""
    return bool(beyond) and beyond[0] is False


def _has_ribs(bones: Bones, piece: tuple[float, float]) -> bool | None:
    """Whether a vertebra bears ribs; None where that cannot be said."""
    inside = slice(round(piece[0] / STEP_MM), round(piece[1] / STEP_MM))
    volume = float(bones.ribs_mm2[inside].sum()) * STEP_MM
    if volume > _RIB_MM3:
        return True
    return False if volume < _NO_RIB_MM3 and (bones.sides[inside] == 2).all() else None


def _add(found: dict[str, tuple[str, ...]], how: str, place: int, name: str, pieces: int) -> None:
    first = _USUAL.index(name) - place
    if first >= 0 and first + pieces <= len(_USUAL):
        found[how] = tuple(_USUAL[first : first + pieces])


def disagreement(counts: Mapping[str, tuple[str, ...]], names: tuple[str, ...]) -> str:
    """What is told where counts, or a count and the answer, do not agree; nothing where they do. The last vertebra
    with ribs may be T11, the first one T2: beyond it are stumps.

    names: the answer, of the same vertebrae.
    """
    if all(names in (counted, _beside(counted, _STUMP.get(how, 0))) for how, counted in counts.items()):
        return ""
    told = " and ".join(f"{how} {counted[0]}-{counted[-1]}" for how, counted in counts.items())
    return f"counted {told}, but the names are {names[0]}-{names[-1]}"


def _beside(names: tuple[str, ...], by: int) -> tuple[str, ...]:
    """`names` moved along the usual order; none where that leaves it."""
    first = _USUAL.index(names[0]) + by
    return tuple(_USUAL[first : first + len(names)]) if first >= 0 else ()
