"""The one table of vertebrae: names, VerSe codes, internal indices, regions, colours.

Internal indices are consecutive in anatomical order with T13 between T12 and L1 (the order carries meaning: OCPL,
decoding). On disk every mask uses the VerSe codes. 0 is background in both. Sacrum (26), coccyx (27) and ribs (252, a
code of our own) are background to the network, but for its head of landmarks. In both 255 is a voxel that nobody
annotated, which may be spine or background and teaches nothing, and 254 is spine whose vertebra nobody named; neither
is a class.
"""

from __future__ import annotations

import colorsys
from dataclasses import dataclass
from typing import Final

import numpy as np

from siil.errors import InputError


@dataclass(frozen=True, slots=True)
class Vertebra:
    """One row of the table. `index` is the network's class, `code` the VerSe label, `colour` is RGB in 0-255."""

    name: str
    code: int
    index: int
    region: str
    colour: tuple[int, int, int]


def _colour(index: int) -> tuple[int, int, int]:
    """Neighbours differ strongly in hue (golden angle); lightness alternates."""
    hue = (0.58 + index * 0.381966) % 1.0
    red, green, blue = colorsys.hls_to_rgb(hue, 0.62 if index % 2 else 0.50, 0.75)
    return round(red * 255), round(green * 255), round(blue * 255)


_ORDER: Final = (
    [(f"C{n}", n) for n in range(1, 8)]
    + [(f"T{n}", n + 7) for n in range(1, 13)]
    + [("T13", 28)]
    + [(f"L{n}", n + 19) for n in range(1, 7)]
)

VERTEBRAE: Final[tuple[Vertebra, ...]] = tuple(
    Vertebra(name=name, code=code, index=index, region=name[0], colour=_colour(index))
    for index, (name, code) in enumerate(_ORDER, start=1)
)
CLASSES: Final = len(VERTEBRAE) + 1
"""K of the paper: 26 vertebrae and background."""
SACRUM_CODE: Final = 26
COCCYX_CODE: Final = 27
RIB_CODE: Final = 252
"""Of any rib: VerSe has none."""
IGNORED_CODES: Final = (SACRUM_CODE, COCCYX_CODE, RIB_CODE)
UNLABELLED: Final = 255
"""Code and internal index of a voxel that nobody annotated (siil.datasets.annotation)."""
UNNAMED: Final = 254
"""Code and internal index of spine whose vertebra nobody told: O_R learns from it, names do not."""
LANDMARKS: Final = ("sacrum", "ribs")
"""What is no vertebra but tells which vertebrae these are: the channels of a network's landmarks."""
SACRUM: Final = 248
RIB: Final = 249
"""Indices of the landmarks in labels that train; to everything else they are background."""
UNSOUGHT: Final = {("sacrum",): 250, ("ribs",): 251, LANDMARKS: 252}
"""Landmarks that nobody annotated -> index of a background voxel that may be one of them."""
REGIONS: Final = {"C": "cervical", "T": "thoracic", "L": "lumbar"}

BY_NAME: Final = {v.name: v for v in VERTEBRAE}
BY_CODE: Final = {v.code: v for v in VERTEBRAE}
BY_INDEX: Final = {v.index: v for v in VERTEBRAE}

KNOWN_CODES: Final = frozenset({0, *BY_CODE, *IGNORED_CODES, UNNAMED, UNLABELLED})
"""What a mask may hold."""
_TO_INDEX: Final = np.zeros(256, np.uint8)
_TO_CODE: Final = np.full(256, UNLABELLED, np.uint8)
_TO_CODE[[0, *UNSOUGHT.values()]] = 0
_TO_CODE[[SACRUM, RIB]] = SACRUM_CODE, RIB_CODE
for _v in VERTEBRAE:
    _TO_INDEX[_v.code], _TO_CODE[_v.index] = _v.index, _v.code
_TO_INDEX[UNLABELLED] = UNLABELLED
_TO_INDEX[UNNAMED] = _TO_CODE[UNNAMED] = UNNAMED


def _order_distance() -> np.ndarray:
    position = {v.index: (v.code if v.code <= 25 else None) for v in VERTEBRAE}
    distance = np.zeros((CLASSES, CLASSES), np.int64)
    for a in VERTEBRAE:
        for b in VERTEBRAE:
            pa, pb = position[a.index], position[b.index]
            if pa is not None and pb is not None:
                distance[a.index, b.index] = abs(pa - pb)
            elif a.index != b.index:  # exactly one of the two is T13
                other = pa if pa is not None else pb
                assert other is not None
                distance[a.index, b.index] = 20 - other if other <= 19 else other - 19
    return distance


ORDER_DISTANCE: Final = _order_distance()
"""[K, K] distance in anatomical order: T12-L1 is 1 whether or not T13 lies between, T13 is 1 from both."""


def codes_to_indices(codes: np.ndarray) -> np.ndarray:
    """VerSe codes (any numeric dtype, any shape) to internal indices (uint8). Sacrum, coccyx and ribs become
    background, UNNAMED and UNLABELLED stay.

    Raises InputError when a value is outside the table.
    """
    values = np.rint(codes).astype(np.int64) if codes.dtype.kind == "f" else codes.astype(np.int64, copy=False)
    if strange := sorted(set(np.unique(values).tolist()) - KNOWN_CODES):
        raise InputError(
            f"mask has labels outside the VerSe table: {strange[:8]}; expected 0, 1-7 (C), 8-19 (T), 20-25 (L), "
            "26 sacrum, 27 coccyx, 28 (T13), 252 (rib), 254 (spine without a name), 255 (not annotated)"
        )
    return _TO_INDEX[values]


def training_indices(codes: np.ndarray) -> np.ndarray:
    """As `codes_to_indices`, but sacrum and ribs become SACRUM and RIB."""
    indices = codes_to_indices(codes)
    indices[codes == SACRUM_CODE] = SACRUM
    indices[codes == RIB_CODE] = RIB
    return indices


def indices_to_codes(indices: np.ndarray) -> np.ndarray:
    """Internal indices (0 to K-1 and those from SACRUM up, any shape) to VerSe codes (uint8)."""
    return _TO_CODE[indices]


def without_unlabelled(labels: np.ndarray) -> np.ndarray:
    """Codes or indices with what nobody annotated or named, and ribs, as background: what is counted and drawn."""
    return np.where(labels >= SACRUM, labels.dtype.type(0), labels)
