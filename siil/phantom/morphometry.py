"""Sizes of the vertebrae, level by level, from published morphometry: the one table that the phantoms are drawn from.

Lowest module of the phantom package; imports nothing of it. Lengths are mean adult values in mm, angles in degrees.
They follow the tables of the papers below where these report the quantity, rounded to half a millimetre, are filled in
smoothly where they do not, and were adjusted where masks of real CT differ, which include end plates and half-filled
voxels (real_sizes.py compares): bodies from C3 to T2 taller by 1 to 2 mm, canals of the chest and loins narrower by 1
to 2 mm, spinous, transverse and articular processes. Discs are what such bodies leave of the distances between expert
centroids in 193 scans of VerSe (tests/phantom/test_anatomy.py), about half of what the papers say.

Sources:
    M. M. Panjabi et al., "Cervical human vertebrae: quantitative three-dimensional anatomy of the middle and lower
        regions", Spine 16(8), 1991. Widths, depths and heights of the body, canal, pedicles, spinous and transverse
        processes of C2-C7.
    M. M. Panjabi et al., "Thoracic human vertebrae: quantitative three-dimensional anatomy", Spine 16(8), 1991. T1-T12.
    M. M. Panjabi et al., "Human lumbar vertebrae: quantitative three-dimensional anatomy", Spine 17(3), 1992. L1-L5.
    M. R. Zindrick et al., "Analysis of the morphometric characteristics of the thoracic and lumbar pedicles", Spine
        12(2), 1987. Pedicle widths and heights.
    I. Gilad and M. Nissan, "A study of vertebra and disc geometric relations of the human cervical and lumbar spine",
        Spine 11(2), 1986. Body and disc heights, C2-L5.
    J. L. Berry et al., "A morphometric study of human lumbar and selected thoracic vertebrae", Spine 12(4), 1987.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Final


@dataclass(frozen=True, slots=True)
class Morphometry:
    """One vertebra and the disc below it."""

    width: float
    """body, mean of both end plates, left to right"""
    depth: float
    """body, front to back"""
    height: float
    """body, at its middle"""
    wedge: float
    """body, degrees; positive: taller in front (lordotic)"""
    disc: float
    """height of the disc below"""
    disc_wedge: float
    """angle of the disc below, degrees; positive: lordotic"""
    canal_width: float
    canal_depth: float
    pedicle_width: float
    pedicle_height: float
    transverse_span: float
    """tip to tip"""
    transverse_back: float
    """the tips lie this far behind the back wall of the body"""
    transverse_up: float
    """the tips lie this far above the middle of the body"""
    spinous_length: float
    """from the back of the canal to the tip"""
    spinous_drop: float
    """inclination of the spinous process below the body's own horizontal, degrees"""
    spinous_height: float
    """height of the blade"""
    lamina_height: float


# fmt: off
_ROWS: Final[dict[str, tuple[float, ...]]] = {
    #       body                disc          canal         pedicle      transverse          spinous             lamina
    #       wid.  dep.  hei.  wed.  hei.  wed.  wid.  dep.  wid.  hei.  span  back   up   len.  drop  hei.  hei.
    "C1":  (46.0, 45.0, 16.0,  0.0,  2.0,  0.0, 29.0, 31.0,  8.0,  6.0, 83.0,  0.0, -1.0,  5.0,  0.0,  7.0,  8.0),
    "C2":  (20.5, 16.5, 19.0,  0.0,  2.0,  3.0, 25.0, 19.0,  8.0, 10.0, 56.0,  1.0, -4.0, 12.5, 26.0, 13.5, 15.5),
    "C3":  (21.0, 17.4, 15.5, -0.5,  2.0,  3.5, 25.0, 15.0,  5.5,  7.5, 58.0,  1.0,  0.0, 14.5, 30.0,  7.0, 14.5),
    "C4":  (21.5, 17.8, 15.5, -0.5,  2.0,  3.5, 26.0, 14.5,  5.5,  7.5, 58.0,  1.0, -0.5, 14.0, 32.0,  7.0, 14.5),
    "C5":  (23.0, 18.0, 15.2, -0.5,  2.6,  3.0, 26.5, 15.3,  5.8,  7.5, 60.0,  1.0, -0.5, 17.5, 42.0,  7.5, 16.0),
    "C6":  (25.5, 19.5, 14.4, -0.5,  2.4,  2.5, 27.0, 15.3,  6.2,  7.5, 63.0,  2.0, -0.5, 27.5, 49.0, 11.0, 18.0),
    "C7":  (28.8, 19.8, 16.6, -1.5,  2.0,  2.0, 26.5, 15.0,  7.0,  8.0, 74.0,  6.0,  1.0, 34.5, 48.0, 13.0, 20.0),
    "T1":  (32.3, 19.5, 18.8, -2.0,  2.4,  0.5, 22.5, 15.8,  8.8, 10.0, 80.0, 10.0,  3.0, 35.0, 50.0, 13.0, 22.0),
    "T2":  (31.0, 21.5, 19.8, -3.0,  2.4,  0.0, 19.5, 15.8,  8.0, 11.5, 72.0, 13.0,  4.0, 43.0, 60.0, 13.0, 23.0),
    "T3":  (30.0, 24.0, 19.2, -3.0,  2.4,  0.0, 17.6, 16.5,  6.8, 12.0, 65.0, 15.0,  5.0, 34.5, 52.0, 11.0, 21.5),
    "T4":  (28.5, 25.0, 19.6, -3.5,  2.4,  0.0, 16.8, 16.5,  6.0, 12.0, 62.5, 16.5,  5.5, 35.0, 50.0, 11.0, 22.0),
    "T5":  (28.0, 26.0, 19.6, -3.5,  3.1,  0.0, 15.4, 16.0,  5.9, 12.0, 62.0, 17.5,  5.5, 37.0, 53.0, 11.0, 20.5),
    "T6":  (29.0, 27.0, 19.6, -4.0,  3.1,  0.0, 16.0, 15.5,  6.1, 12.2, 62.0, 18.0,  5.5, 34.0, 53.0, 11.0, 21.0),
    "T7":  (30.0, 28.5, 20.2, -4.0,  3.1,  0.0, 16.2, 15.5,  6.2, 12.5, 61.5, 18.0,  5.5, 35.0, 54.0, 11.0, 21.5),
    "T8":  (31.5, 29.5, 20.8, -3.5,  3.4,  0.0, 16.5, 15.5,  6.9, 12.8, 61.5, 18.0,  5.5, 33.0, 51.0, 12.0, 22.0),
    "T9":  (33.0, 30.5, 20.8, -3.0,  4.2,  0.0, 16.3, 15.0,  7.8, 13.8, 60.5, 17.0,  5.0, 31.0, 44.0, 13.0, 22.5),
    "T10": (35.0, 31.0, 21.2, -3.0,  4.8,  0.0, 15.9, 14.7,  8.8, 15.0, 58.0, 16.0,  4.5, 28.0, 34.0, 15.0, 22.5),
    "T11": (38.5, 32.0, 23.4, -3.5,  5.2,  0.5, 18.4, 16.0,  9.8, 16.8, 52.0, 15.0,  3.0, 24.0, 25.0, 17.0, 22.5),
    "T12": (41.0, 33.0, 24.8, -3.0,  5.6,  1.5, 21.2, 17.5,  9.2, 16.5, 47.0, 14.0,  1.0, 24.0, 16.0, 19.0, 22.0),
    "L1":  (43.5, 33.5, 26.4, -2.0,  6.1,  4.0, 24.0, 17.5,  8.8, 16.0, 75.0,  8.0,  3.0, 33.0, 10.0, 21.0, 21.5),
    "L2":  (44.2, 34.5, 27.4,  0.0,  6.3,  5.5, 24.0, 17.0,  9.2, 15.5, 83.0,  8.0,  4.0, 37.0,  8.0, 22.0, 21.5),
    "L3":  (46.5, 35.0, 27.6,  1.0,  6.8,  7.5, 24.5, 15.6, 10.8, 15.0, 93.0,  8.0,  4.0, 36.0,  7.0, 22.0, 21.0),
    "L4":  (48.0, 35.5, 27.2,  2.0,  5.6, 10.0, 24.6, 15.6, 13.0, 15.0, 89.0,  8.0,  5.0, 37.0,  6.0, 17.0, 20.0),
    "L5":  (51.0, 35.0, 26.2,  8.5,  6.0, 14.5, 27.5, 15.2, 17.0, 16.5, 93.0,  7.0,  5.0, 27.0,  8.0, 15.0, 18.5),
}
# fmt: on
TABLE: Final = {name: Morphometry(*row) for name, row in _ROWS.items()}
"""Means per level. C1 has no body: width and depth are those of its lateral masses and of the ring."""

THORACIC: Final = tuple(f"T{n}" for n in range(1, 13))
LUMBAR: Final = tuple(f"L{n}" for n in range(1, 6))

RIB_LENGTH_MM: Final = (145.0, 200.0, 245.0, 275.0, 300.0, 315.0, 320.0, 315.0, 295.0, 265.0, 200.0, 115.0)
"""Bony ribs 1 to 12 along the curve; ribs 11 and 12 float."""

CHEST_HALF_WIDTH_MM: Final = (58.0, 82.0, 99.0, 110.0, 118.0, 124.0, 128.0, 131.0, 132.0, 131.0, 127.0, 120.0)
"""Half the distance between the lateral points of the left and right rib, ribs 1 to 12."""

CHEST_DEPTH_MM: Final = (78.0, 108.0, 132.0, 150.0, 163.0, 172.0, 179.0, 184.0, 187.0, 188.0, 186.0, 182.0)
"""From the angle of the rib to the front of the (continued) costal arch, ribs 1 to 12."""

RIB_DROP_MM: Final = (32.0, 48.0, 62.0, 74.0, 85.0, 95.0, 103.0, 110.0, 115.0, 118.0, 116.0, 110.0)
"""The front of the costal arch lies this much lower than its joint with the spine, ribs 1 to 12."""


def blend(a: Morphometry, b: Morphometry, share: float) -> Morphometry:
    """`share` of `b` and the rest of `a`, value by value."""
    return Morphometry(**{f.name: (1 - share) * getattr(a, f.name) + share * getattr(b, f.name) for f in fields(a)})


def along(names: tuple[str, ...], position: float) -> Morphometry:
    """The table at a fractional `position` (0 to len(names) - 1) in a region."""
    low = min(int(position), len(names) - 2)
    return blend(TABLE[names[low]], TABLE[names[low + 1]], position - low)


def scaled(row: Morphometry, *, across: float, along_spine: float) -> Morphometry:
    """`row` with lengths across the spine and along it multiplied; angles stay."""
    values = {f.name: getattr(row, f.name) * across for f in fields(row)}
    for name in ("height", "disc", "pedicle_height", "spinous_height", "lamina_height", "transverse_up"):
        values[name] = getattr(row, name) * along_spine
    for name in ("wedge", "disc_wedge", "spinous_drop"):
        values[name] = getattr(row, name)
    return replace(row, **values)


def level_rows(names: list[str]) -> dict[str, Morphometry]:
    """The mean row of every name in `names` (top to bottom) for any number of thoracic and lumbar vertebrae.

    With eleven thoracic vertebrae or six lumbar ones the region's shapes are spread over its levels, so that the last
    lumbar vertebra looks like a last lumbar vertebra; a T13 stands between T12 and L1. Only ribs and the sacrum tell.
    """
    thoracic = [n for n in names if n[0] == "T"]
    lumbar = [n for n in names if n[0] == "L"]
    rows = {n: TABLE[n] for n in names if n[0] == "C"}
    last = min(len(thoracic), 12)
    for i, name in enumerate(thoracic[:12]):
        rows[name] = along(THORACIC, i * 11 / (last - 1))
    if "T13" in thoracic:
        rows["T13"] = replace(blend(TABLE["T12"], TABLE["L1"], 0.5), transverse_span=50.0, transverse_back=13.0)
    for i, name in enumerate(lumbar):
        rows[name] = along(LUMBAR, i * 4 / (len(lumbar) - 1))
    return rows
