"""What the whole-scan decoding answers: the vertebrae of a scan, other ways to name them, and how sure that is.

Plain values, made by inference/sequence.py; when an enumeration is in doubt, `doubt` says (docs/decoding.md).
"""

from __future__ import annotations

from dataclasses import dataclass

from siil.anatomy import BY_NAME, VERTEBRAE
from siil.config.schema.inference import Decode
from siil.inference.reasons import NO_PARTS, Parts

COMPLETE = 0.85
"""A vertebra at the border that shows less than this share of its pitch is cut."""
SLIVER_MM = 4.0
"""Shorter parts of a vertebra at the border are slivers, whose cross-sections are mostly their neighbour's."""


@dataclass(frozen=True, slots=True)
class Level:
    """One vertebra of the decoded sequence.

    index: internal index. start_mm, stop_mm: its part of the centreline. confidence: 0 to 1, against all other labels
    and against none at its middle. cut: its part ends at the scan's border, shorter than it should be.
    expected_mm: its pitch in this patient. network: the index that the network alone says most.
    """

    index: int
    start_mm: float
    stop_mm: float
    confidence: float
    cut: bool
    expected_mm: float
    network: int


@dataclass(frozen=True, slots=True)
class Enumeration:
    """One way to name the vertebrae of the scan.

    names: from the head down. score: in nats. calls: for a rival, well-visible vertebrae of the best one and what it
    calls them (empty: nothing). parts: what the score is made of (inference/reasons.py).
    """

    names: tuple[str, ...]
    score: float
    calls: tuple[tuple[str, str], ...] = ()
    parts: Parts = NO_PARTS

    @property
    def changes(self) -> tuple[str, ...]:
        """Which vertebrae of the best one a rival calls what: `L1 as T12`."""
        return tuple(f"{best} as {called or 'nothing'}" for best, called in self.calls if called != best)


@dataclass(frozen=True, slots=True)
class Sequence:
    """The decoded sequence. levels from the head down; candidates[0] is it, then its rivals, best first.

    margin: nats to the best rival, None without one. renamed: share of the well-visible vertebrae that the network
    alone names otherwise. uncertain, reason: what the user is told. scale: patient's size. above, below: there is
    nothing (or no vertebra) before the first, after the last level. counts: how vertebrae were counted by sacrum and
    ribs, and what they are by that (inference/landmarks.py).
    """

    levels: tuple[Level, ...]
    candidates: tuple[Enumeration, ...]
    margin: float | None
    renamed: float
    uncertain: bool
    reason: str
    scale: float
    above: bool
    below: bool
    counts: tuple[tuple[str, str], ...] = ()


EMPTY = Sequence((), (), None, 0.0, True, "no vertebra was found", 1.0, True, True)


def doubt(
    *,
    margin: float | None,
    renamed: float,
    seen: int,
    names: tuple[str, ...],
    rivals: tuple[Enumeration, ...],
    hides: bool,
    beyond: str,
    above: bool,
    below: bool,
    unsupported: str,
    counted: str,
    decode: Decode,
) -> str:
    """Why the enumeration is uncertain, or nothing.

    Args:
        margin: nats to the best of `rivals`; None without one.
        renamed: share of the well-visible vertebrae that the network alone names otherwise.
        seen: vertebrae that are well visible.
        names: the answer, from the head down.
        rivals: other enumerations, best first.
        hides: the first rival fits better, but holds rare anatomy that the scan cannot show.
        beyond: where the spine goes on without a name, as `below L5`; empty where it does not.
        above, below: the spine begins, ends in view.
        unsupported: an end of the spine in view that the network calls by its neighbour's name; empty: none.
        counted: how counts by sacrum and ribs do not agree; empty where they do.
        decode: the limits.
    """
    if counted:
        return counted
    if hides:
        return f"{span(rivals[0].names)} fits better, but the scan does not show the borders to count it by"
    if renamed > decode.uncertain_renamed:
        return f"the network alone names {renamed:.0%} of the vertebrae otherwise"
    least = decode.uncertain_margin_c1 if above and names[0] == "C1" else decode.uncertain_margin
    if margin is not None and margin < least:
        return f"{span(rivals[0].names)} ({rivals[0].changes[0]}) is {margin:.1f} nats behind"
    if rare := unusual_reason(names, decode):
        return rare
    if decode.uncertain_unusual and below and names[-1] == "L4":
        return "the spine ends in view with L4: four lumbar vertebrae, or a fifth that is not seen"
    if beyond:
        return f"the spine goes on {beyond}, by most of a vertebra that got no name"
    if unsupported:
        return f"the network sees no {unsupported}, with which the spine would end"
    if seen < decode.uncertain_below:
        return f"only {seen} vertebra{'e are' if seen != 1 else ' is'} well visible, too few to count by"
    return ""


def unusual_reason(names: tuple[str, ...], decode: Decode) -> str:
    """What is told of an unusual answer; nothing of an ordinary one, or where it is not asked for."""
    rare = unusual(names) if decode.uncertain_unusual else []
    return f"the answer is unusual ({', '.join(rare)}): count once more" if rare else ""


def unusual(names: tuple[str, ...]) -> list[str]:
    """What few people have: `with T13`, `with L6`, `without T12`."""
    found = [f"with {name}" for name in ("T13", "L6") if name in names]
    indices = [BY_NAME[name].index for name in names]
    if indices and indices[0] < BY_NAME["T12"].index < indices[-1] and "T12" not in names:
        found.append("without T12")
    return found


def levels_beyond(index: int, *, above: bool) -> tuple[int, ...]:
    """Indices of the two levels beyond one at the scan's border, the next first. None is a T13: nothing counts it."""
    ordinary = [vertebra.index for vertebra in VERTEBRAE if vertebra.name != "T13"]
    return tuple([k for k in ordinary if k < index][:-3:-1] if above else [k for k in ordinary if k > index][:2])


def span(names: tuple[str, ...]) -> str:
    """`T9-L5`, with what is unusual in between: `T9-L5 (with T13)`."""
    if not names:
        return "nothing"
    ends = names[0] if len(names) == 1 else f"{names[0]}-{names[-1]}"
    rare = unusual(names)
    return f"{ends} ({', '.join(rare)})" if rare else ends
