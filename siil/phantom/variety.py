"""What makes patients and scans differ beyond the textbook; phantoms drawn without it stay the same to the byte.

`Quirks` belong to a patient (uneven sides, slipped or fused vertebrae, metal, arms, how they lie), `Conditions` to a
scan (reconstruction circle, kernel, thick slices, clothes). anatomy.py and view.py put them in; the renderer reads them
there.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from siil.config.schema.phantom import Variety
from siil.phantom.morphometry import Morphometry
from siil.phantom.shapes import Limb, Point

SLIPPING = ("L3", "L4", "L5")
FLOATING = ("T11", "T12", "T13")
LOWEST_FUSED = 4
"""A fused pair is at least so many levels from the lower end: fusing with the sacrum is another matter."""


@dataclass(frozen=True, slots=True)
class Skew:
    """How a vertebra's left differs from its right."""

    sides: float = 0.0
    """the left is larger by this share, the right smaller"""
    aside: float = 0.0
    """the spinous process goes aside by this share of its length"""

    def applied(self, limb: Limb, wall_mm: float) -> Limb:
        """A limb in local axes; what lies behind `wall_mm` counts as spinous process as far as it is in the middle."""

        def moved(point: Point) -> Point:
            x, y, z = point
            return x * (1 + self.sides * np.sign(x)) + self.aside * max(y - wall_mm, 0.0), y, z

        return replace(limb, start=moved(limb.start), end=moved(limb.end))


@dataclass(frozen=True, slots=True)
class Uneven:
    """Bone as it is in most adults: a cortex that is thick here and thin there, dark marrow, fat beside it."""

    cortex: float
    """standard deviation of the logarithm of the shell's thickness"""
    arch_hu: float
    """marrow of the arches"""
    spread_hu: float
    """its standard deviation within a vertebra"""
    body: float
    """factor of the marrow of the bodies"""
    fat: float
    """fat lies beside an arch where a texture of mean 0 and sd 1 is below this"""


@dataclass(frozen=True, slots=True)
class Quirks:
    """Of a patient. slip: name of the level that slid forward, and by how many mm. fused: upper names of fused pairs.
    screws: levels that bear pedicle screws. cement: levels whose body was filled. skews: of the levels, by name."""

    skews: dict[str, Skew]
    slip: tuple[str, float] | None
    fused: tuple[str, ...]
    screws: tuple[str, ...]
    cement: tuple[str, ...]
    arms: bool
    turned_deg: float
    tilted_deg: float
    uneven: Uneven | None
    ribs: dict[str, float]
    """factor of the length of the floating ribs, by level"""


@dataclass(frozen=True, slots=True)
class Conditions:
    """Of a scan. circle_mm: radius of the reconstruction, 0: the square is full. sub_slices: thin ones in a slice."""

    circle_mm: float = 0.0
    outside_hu: float = -1024.0
    blur: float | None = None
    noise_hu: float | None = None
    sub_slices: int = 1
    cloth_hu: float | None = None
    """of the clothes; None: the patient wears none"""


PLAIN = Conditions()


def draw_quirks(rng: np.random.Generator, variety: Variety, names: list[str]) -> Quirks:
    """Draw a patient's quirks; every one is drawn, whether it happens or not, so that one share moves one thing."""
    skews = {
        n: Skew(*(float(v) for v in rng.normal(0, (variety.asymmetry, 1.5 * variety.asymmetry), size=2))) for n in names
    }
    happens = rng.random(5)
    slipping = [n for n in SLIPPING if n in names]
    slip = str(rng.choice(slipping)), float(rng.uniform(3, 13))
    first = int(rng.integers(1, len(names) - LOWEST_FUSED))
    fused = tuple(names[first : first + int(rng.integers(1, 4))])
    low = int(rng.integers(len(names) - 9, len(names) - 1))
    screws = tuple(names[low : low + int(rng.integers(2, 6))])
    filled = tuple(str(n) for n in rng.choice(names[-10:], size=int(rng.integers(1, 4)), replace=False))
    turned, tilted = float(rng.normal(0, 12)), float(rng.normal(0, 6))
    metal = happens[2] < variety.implants
    uneven = _draw_uneven(rng)
    worn = rng.random() < variety.uneven_bone
    alike, *apart = rng.normal(0, variety.ribs, size=1 + len(FLOATING))
    return Quirks(
        skews=skews,
        slip=slip if happens[0] < variety.slip else None,
        fused=fused if happens[1] < variety.fusion else (),
        screws=screws if metal and happens[2] < 0.7 * variety.implants else (),
        cement=filled if metal and happens[2] >= 0.7 * variety.implants else (),
        arms=bool(happens[3] < variety.arms),
        turned_deg=turned if happens[4] < variety.askew else 0.0,
        tilted_deg=tilted if happens[4] < variety.askew else 0.0,
        uneven=uneven if worn else None,
        ribs={name: float(np.exp(alike + own / 2)) for name, own in zip(FLOATING, apart, strict=True)},
    )


def _draw_uneven(rng: np.random.Generator) -> Uneven:
    return Uneven(
        cortex=float(rng.uniform(0.3, 0.9)),
        arch_hu=float(rng.uniform(-40, 160)),
        spread_hu=float(rng.uniform(30, 90)),
        body=float(rng.uniform(0.4, 1.0)),
        fat=float(rng.uniform(-1.3, 0.3)),
    )


def draw_conditions(rng: np.random.Generator, variety: Variety, *, side_mm: float, slice_mm: float) -> Conditions:
    """Draw what the scanner and its settings do to a scan of a square of `side_mm`."""
    happens = rng.random(2)
    outside = float(rng.choice((-1024.0, -1024.0, -1000.0)))
    blur, noise = float(rng.uniform(-0.16, -0.03)), float(rng.uniform(40, 110))
    dressed, cloth = rng.random() < variety.clothing, float(rng.uniform(-850, -300))
    return Conditions(
        circle_mm=side_mm / 2 * float(rng.uniform(0.99, 1.03)) if happens[0] < variety.circle else 0.0,
        outside_hu=outside,
        blur=blur if happens[1] < variety.hard_kernel else None,
        noise_hu=noise if happens[1] < variety.hard_kernel else None,
        sub_slices=max(1, round(slice_mm / 1.5)),
        cloth_hu=cloth if dressed else None,
    )


def fuse(sizes: dict[str, Morphometry], quirks: Quirks) -> dict[str, Morphometry]:
    """The discs of fused pairs shrink to a seam."""
    return {n: replace(row, disc=0.8, disc_wedge=0.0) if n in quirks.fused else row for n, row in sizes.items()}
