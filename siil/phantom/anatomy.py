"""One drawn patient: which vertebrae, their sizes, where they stand, and what surrounds them.

`draw_anatomy` is the only place that draws a patient's anatomy; everything downstream is a pure function of it.
Coordinates are patient millimetres in LPS (x left, y back, z head); the middle of the S1 end plate is at the origin.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from siil.anatomy import BY_NAME
from siil.config.schema.phantom import PhantomRecipe
from siil.phantom import morphometry
from siil.phantom.morphometry import Morphometry
from siil.phantom.spine import Placement, Posture, slipped, stack
from siil.phantom.variety import Quirks, Skew, draw_quirks, fuse


@dataclass(frozen=True, slots=True)
class Change:
    """What age and accident did to a vertebra and to the disc below it."""

    front_loss: float = 0.0
    """compression fracture: share of the body's front height that is lost"""
    middle_loss: float = 0.0
    """share of the body's middle height that is lost beyond the mean of front and back"""
    osteophyte_mm: float = 0.0
    """length of the spurs at both end plates"""
    sclerosis_hu: float = 0.0
    """added to the trabecular bone at the end plates and facets"""
    vacuum: bool = False
    """gas in the disc below"""


@dataclass(frozen=True, slots=True)
class Level:
    """One vertebra of one patient."""

    name: str
    code: int
    sizes: Morphometry
    place: Placement
    change: Change
    scale: float
    """size of this vertebra against the table, across the spine; scales what the table does not list"""
    rib_mm: float
    """length of its ribs; 0: none"""
    skew: Skew | None = None


@dataclass(frozen=True, slots=True)
class Tissue:
    """Densities and habitus of a patient."""

    trabecular_hu: float
    cortical_hu: float
    muscle_hu: float
    fat_hu: float
    fat_mm: float
    """subcutaneous fat at the belly"""
    girth: float
    """factor of the trunk's width and depth"""
    chest: float
    """factor of the chest's width and depth"""
    lung_hu: float
    liver_hu: float
    arms_up: bool


@dataclass(frozen=True, slots=True)
class Anatomy:
    """One patient. `levels` from the head to the sacrum."""

    seed: int
    age: float
    female: bool
    stature: float
    levels: tuple[Level, ...]
    posture: Posture
    tissue: Tissue
    texture_seed: int
    quirks: Quirks | None = None

    def level(self, name: str) -> Level | None:
        """The level called `name`, or None."""
        return next((level for level in self.levels if level.name == name), None)

    @property
    def last_rib(self) -> str:
        """Name of the lowest level that bears ribs."""
        return [level.name for level in self.levels if level.rib_mm > 0][-1]


IN_LIFE = 1.03
"""vertebrae of patients in CT against the table, which follows dried and cadaveric bones"""
VARIANTS = ("T13", "T13, four lumbar", "L6", "T11")


def draw_anatomy(rng: np.random.Generator, recipe: PhantomRecipe, *, seed: int = 0) -> Anatomy:
    """Draw a patient. The draws are made in a fixed order, so a patient depends on the state of `rng` alone."""
    age = float(rng.uniform(20, 90))
    female = bool(rng.random() < 0.5)
    stature = float(np.clip(rng.normal(0.96 if female else 1.04, 0.045), 0.84, 1.18))
    names = _names(rng, recipe)
    sizes, changes, scales = _sizes(rng, recipe, names, age=age, stature=stature)
    posture = draw_posture(rng, recipe)
    quirks = draw_quirks(rng.spawn(1)[0], recipe.variety, names) if recipe.variety else None
    if quirks:
        x, y, z = posture.tilt_deg
        posture = replace(posture, tilt_deg=(x, y + quirks.tilted_deg, z + quirks.turned_deg))
        sizes = fuse(sizes, quirks)
    places = stack([(name, sizes[name]) for name in names], posture)
    if quirks and quirks.slip:
        places = slipped(places, names, *quirks.slip)
    skews = quirks.skews if quirks else {}
    ribs = _ribs(rng, names, stature, quirks.ribs if quirks else {})
    levels = tuple(
        Level(n, BY_NAME[n].code, sizes[n], places[n], changes[n], scales[n], ribs.get(n, 0.0), skews.get(n))
        for n in names
    )
    return Anatomy(
        seed=seed,
        age=age,
        female=female,
        stature=stature,
        levels=levels,
        posture=posture,
        tissue=_tissue(rng, age=age, female=female, stature=stature),
        texture_seed=int(rng.integers(2**31)),
        quirks=quirks,
    )


def _names(rng: np.random.Generator, recipe: PhantomRecipe) -> list[str]:
    rare = rng.random() < recipe.rare_anatomy
    variant = str(rng.choice(VARIANTS, p=(0.3, 0.1, 0.4, 0.2))) if rare else ""
    thoracic, lumbar = {"T13": (13, 5), "T13, four lumbar": (13, 4), "L6": (12, 6), "T11": (11, 5)}.get(
        variant, (12, 5)
    )
    return (
        [f"C{n}" for n in range(1, 8)]
        + [f"T{n}" for n in range(1, thoracic + 1)]
        + [f"L{n}" for n in range(1, lumbar + 1)]
    )


def _sizes(
    rng: np.random.Generator, recipe: PhantomRecipe, names: list[str], *, age: float, stature: float
) -> tuple[dict[str, Morphometry], dict[str, Change], dict[str, float]]:
    """Sizes with the patient's factors, each level's own scatter, and the changes of age and accident."""
    across = IN_LIFE * stature * float(rng.normal(1.0, 0.03))
    upright = IN_LIFE * stature * float(rng.normal(1.0, 0.025))
    regional = {region: rng.normal(1.0, 0.02, size=2) for region in "CTL"}
    worn = max(0.0, (age - 40) / 50) * float(rng.uniform(0.3, 1.3))
    disc_loss = {n: float(np.clip(rng.beta(1.3, 5.0) * 1.6 * worn, 0, 0.7)) for n in names}
    broken = _broken(rng, recipe, names, age)
    rows = morphometry.level_rows(names)
    sizes, changes, scales = {}, {}, {}
    for name in names:
        own = rng.normal(1.0, 0.018, size=4)
        scales[name] = across * float(regional[name[0]][0] * own[0])
        row = morphometry.scaled(
            rows[name],
            across=scales[name],
            along_spine=upright * float(regional[name[0]][1] * own[1]),
        )
        loss, front, middle = disc_loss[name], *broken.get(name, (0.0, 0.0))
        turned = np.degrees(np.arctan(front * row.height / row.depth))
        sizes[name] = replace(
            row,
            height=row.height * (1 - front / 2),
            wedge=row.wedge - float(turned) + float(rng.normal(0, 0.6)),
            disc=row.disc * (1 - loss) * float(own[2]),
            disc_wedge=row.disc_wedge * (1 - 0.6 * loss),
            spinous_length=row.spinous_length * float(own[3] ** 3),
            spinous_drop=row.spinous_drop + float(rng.normal(0, 2.0)),
            transverse_span=row.transverse_span * float(rng.normal(1, 0.025)),
        )
        spur = 6.0 * loss * float(rng.uniform(0.3, 1.0)) + max(0.0, float(rng.normal(0.8, 0.8))) * worn
        changes[name] = Change(
            front_loss=front,
            middle_loss=middle,
            osteophyte_mm=0.0 if name in ("C1", "C2") else min(spur, 5.0),
            sclerosis_hu=300 * loss + (80 if front else 0),
            vacuum=bool(loss > 0.4 and rng.random() < 0.5 and name[0] == "L"),
        )
    return sizes, changes, scales


def _broken(
    rng: np.random.Generator, recipe: PhantomRecipe, names: list[str], age: float
) -> dict[str, tuple[float, float]]:
    """Compression fractures: name -> share of the height lost in front, and in the middle. Mostly T12 and L1."""
    chance, several = rng.random(), 1 + int(rng.random() < 0.25 and age > 60)
    candidates = [n for n in names if n in {"T6", "T7", "T8", "T9", "T10", "T11", "T12", "T13", "L1", "L2", "L3", "L4"}]
    weight = np.array([{"T12": 4.0, "L1": 4.0, "T11": 2.0, "L2": 2.0, "T8": 1.5}.get(n, 1.0) for n in candidates])
    picked = rng.choice(candidates, size=several, replace=False, p=weight / weight.sum())
    losses = rng.uniform((0.15, 0.0), (0.5, 0.25), size=(several, 2))
    if chance >= recipe.fracture:
        return {}
    return {str(n): (float(a), float(b)) for n, (a, b) in zip(picked, losses, strict=True)}


def draw_posture(rng: np.random.Generator, recipe: PhantomRecipe) -> Posture:
    """Sagittal curves of a person lying on a table, a coronal curve, and the patient's rotation in the scanner."""
    bent = rng.random() < recipe.scoliosis
    cobb = float(rng.uniform(12, 35) if bent else abs(rng.normal(0, 3.0)))
    return Posture(
        lean_deg=float(rng.normal(-13, 4)),
        lordosis=float(np.clip(rng.normal(0.95, 0.17), 0.5, 1.4)),
        shoulder_lean_deg=float(np.clip(rng.normal(24, 7), 8, 42)),
        head_lean_deg=float(np.clip(rng.normal(7, 8), -12, 25)),
        cobb_deg=cobb * float(rng.choice((-1, 1))),
        apex=float(rng.uniform(0.25, 0.75)),
        curve_length=float(rng.uniform(0.3, 0.55)),
        tilt_deg=(float(rng.normal(0, 2.5)), float(rng.normal(0, 2.0)), float(rng.normal(0, 3.0))),
    )


def _ribs(rng: np.random.Generator, names: list[str], stature: float, factors: dict[str, float]) -> dict[str, float]:
    """Lengths of the ribs, mm, each times its factor if it has one. A T13 bears short ones, yet longer than the 4 cm
    below which a level counts as lumbar."""
    lengths = {f"T{n}": mm for n, mm in enumerate(morphometry.RIB_LENGTH_MM, start=1)}
    lengths["T13"] = 75.0
    scatter = {n: stature * float(rng.normal(1, 0.04)) for n in names if n in lengths}
    last = float(np.clip(rng.normal(1, 0.25), 0.6, 1.5))
    ribs = {n: lengths[n] * s * factors.get(n, 1.0) for n, s in scatter.items()}
    lowest = list(ribs)[-1]
    ribs[lowest] *= last
    if lowest == "T13":  # the twelfth then looks more like an eleventh
        ribs["T12"] *= 1.2
    return {n: max(mm, 45.0) for n, mm in ribs.items()}


def _tissue(rng: np.random.Generator, *, age: float, female: bool, stature: float) -> Tissue:
    trabecular = float(np.clip(rng.normal(260 - 2.1 * age, 30), 50, 300))
    return Tissue(
        trabecular_hu=trabecular,
        cortical_hu=float(rng.normal(880, 70)) + 0.5 * trabecular,
        muscle_hu=float(rng.normal(56 - 0.15 * age, 5)),
        fat_hu=float(rng.normal(-103, 4)),
        fat_mm=float(np.clip(rng.gamma(4.0, 5.0 if female else 4.0), 5, 50)),
        girth=stature * float(np.clip(rng.normal(1.0, 0.08), 0.8, 1.25)),
        chest=stature * float(np.clip(rng.normal(1.0, 0.05), 0.88, 1.12)),
        lung_hu=float(rng.normal(-850, 25)),
        liver_hu=float(rng.normal(58, 7)),
        arms_up=bool(rng.random() < 0.6),
    )
