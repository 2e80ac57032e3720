"""Counting vertebrae: names by place in a scan whose enumeration a reader settles (docs/results.md).

A place is the position of a vertebra from the head down, with those between that hold no voxel. What is known of some
places names all: the count goes on along the ordinary order, in which L1 follows T12 and L5 is the last. T13 and L6 are
counted where they are named, and a missing T12 only where a rival of the decoding has it. Pure values.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise

from siil.anatomy import BY_NAME, VERTEBRAE
from siil.errors import InputError
from siil.inference.enumeration import Enumeration, unusual

RARE = ("T13", "L6")
_L6 = "the count would end with L6, which few people have; say --last L6 where that is meant"
_REACH_MM = 20.0
"""A height names the vertebra whose body's centre is this near: half of the longest pitch and some."""


def count_on(places: int, known: Mapping[int, str]) -> tuple[str, ...]:
    """Names of all places from those of some.

    Args:
        places: how many vertebrae there are.
        known: place -> name, at least one.

    Raises:
        InputError: the known names contradict each other, or the count would leave the table of vertebrae.
    """
    chain = _chain(known.values())
    for (one, a), (two, b) in pairwise(sorted(known.items())):
        steps = chain.index(b) - chain.index(a)
        if steps == two - one:
            continue
        if steps <= 0:
            raise InputError(f"{b} would stand {'twice' if a == b else f'below {a}'}; the names go down the spine")
        raise InputError(
            f"{' '.join(chain[chain.index(a) : chain.index(b) + 1])} are {steps + 1} vertebrae, the scan has "
            f"{two - one + 1} there; T13 and L6 are counted where they are named (--at Z_MM=T13)"
        )
    place, name = next(iter(known.items()))
    start = chain.index(name) - place
    if start < 0:
        raise InputError(f"with {name} at place {place + 1} from the head the count would go {-start} beyond C1")
    over = start + places - len(chain)
    if over == 1 and "L6" not in chain:
        raise InputError(_L6)
    if over > 0:
        raise InputError(f"with {name} at place {place + 1} of {places} the count would go {over} beyond {chain[-1]}")
    return tuple(chain[start : start + places])


def shifted(names: Sequence[str], by: int) -> tuple[str, ...]:
    """All names moved along the ordinary order (+1: T12 becomes L1).

    Raises:
        InputError: it moves nothing or leaves the table, or the answer has a T13 or no T12, where a shift does not say
            which part moves.
    """
    if by == 0:
        raise InputError("--shift 0 moves nothing; expected for example --shift 1 (towards the feet) or --shift -1")
    rare = [word for word in unusual(tuple(names)) if word != "with L6"]
    if rare:
        raise InputError(f"a shift of an answer {rare[0]} does not say which part moves; say --first, --last or --at")
    chain = _chain(("L6",))
    first = chain.index(names[0]) + by
    over = first + len(names) - len(chain)
    if first < 0:
        raise InputError(f"--shift {by} would make {names[0]} a vertebra above C1")
    if over > 0:
        raise InputError(f"--shift {by} would make {names[-1]} a vertebra below L6")
    if over == 0:
        raise InputError(_L6)
    return tuple(chain[first : first + len(names)])


def place_at(z_mm: float, bodies: Mapping[str, float], names: Sequence[str]) -> int:
    """The place of the vertebra whose body lies at a height.

    Args:
        z_mm: LPS, as body_z_mm of the table.
        bodies: name -> height of the body's centre.
        names: of all places.

    Raises:
        InputError: no body is near.
    """
    nearest = min(bodies, key=lambda name: abs(bodies[name] - z_mm))
    if abs(bodies[nearest] - z_mm) > _REACH_MM:
        raise InputError(
            f"no vertebra lies at z = {z_mm:g} mm, the nearest is {nearest} at {bodies[nearest]:.1f} mm; "
            "give body_z_mm of the table of vertebrae"
        )
    return names.index(nearest)


def rival_names(names: Sequence[str], rival: Enumeration) -> tuple[str, ...] | None:
    """What a rival of the decoding calls each place; None where it counts another number of vertebrae.

    The places that the rival was judged by must all be in step with its own names; those at the scan's borders that
    are too short to judge are counted on.
    """
    known = [(names.index(best), called) for best, called in rival.calls if best in names]
    if not known or any(called not in rival.names for _, called in known):
        return None
    indices = [BY_NAME[name].index for name in (rival.names[0], rival.names[-1])]
    ordinary = [v.name for v in VERTEBRAE if v.name not in RARE]
    before = [name for name in ordinary if BY_NAME[name].index < indices[0]]
    after = [name for name in ordinary if BY_NAME[name].index > indices[1]]
    chain = [*before, *rival.names, *after]
    starts = {chain.index(called) - place for place, called in known}
    start = starts.pop()
    if starts or start < 0 or start + len(names) > len(chain):
        return None
    return tuple(chain[start : start + len(names)])


def refusal(names: Sequence[str]) -> str:
    """Why these names, from the head down, are no spine; nothing where they are one."""
    strange = [name for name in names if name not in BY_NAME]
    if strange:
        return f"{strange[0]} is no vertebra"
    for above, below in pairwise(names):
        steps = BY_NAME[below].index - BY_NAME[above].index
        if steps <= 0:
            return f"{below} would stand {'twice' if above == below else f'below {above}'}"
        if steps > 1 and (above, below) not in (("T12", "L1"), ("T11", "L1")):
            return f"{below} would follow {above}"
    return ""


def _chain(named: Iterable[str]) -> list[str]:
    """The ordinary order, with the rare ones that are named."""
    return [v.name for v in VERTEBRAE if v.name not in RARE or v.name in named]
