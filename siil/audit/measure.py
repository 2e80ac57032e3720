"""A scan and its mask, measured once: what each vertebra is like, and how the mask lies on the image.

Arrays are (Z, Y, X) in LPS with cubic voxels (siil.audit.coarse). Checks (siil.audit.checks) see these numbers alone.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from scipy import ndimage

from siil.anatomy import BY_CODE
from siil.audit.placement import Placement, placement

Box = tuple[slice, slice, slice]
BONE_HU: Final = 180.0
"""Cortex and most of the marrow are denser, vessels without contrast are not."""
_SHELL_MM = 6.0
_RIB_MM, _RIB_ASIDE_MM = (3.0, 12.0), 15.0
_FAR_MM = (30.0, 100.0)
_FAR_DEEP_MM, _FAR_TALL_MM = 50.0, 9.0
_LEAST_VOXELS = 12
_BALL: Final = ndimage.generate_binary_structure(3, 3)


@dataclass(frozen=True, slots=True)
class Bone:
    """One label. Lengths in mm, `volume_cm3`; NaN where there is nothing to measure (no image, field too small).

    centre_mm: (z, y, x). cut: a face of the grid cuts it. across, deep, along: spread (standard deviation) to the left,
    to the back and along the spine. hu, around_hu: mean inside and in a shell of tissue without a label. ribs: bone
    without a label close to its sides, cm³. aside: such bone 3 to 10 cm aside of it at its height, cm³ (ribs,
    pelvis). piece_cm3, piece_mm: the second of its pieces, and how far it is from the first along the spine.
    """

    code: int
    volume_cm3: float
    centre_mm: np.ndarray
    cut: bool
    across: float
    deep: float
    along: float
    hu: float
    around_hu: float
    ribs: float
    aside: float
    piece_cm3: float
    piece_mm: float

    @property
    def name(self) -> str:
        """L3 and so on."""
        return BY_CODE[self.code].name


@dataclass(frozen=True, slots=True)
class Measured:
    """One scan. bones: in anatomical order. touching: (code, code) -> area of contact, cm². placement: None without an
    image. image, mask: digests of what is in them. centroids: code -> label of the mask where a centroid file has it
    (0: none near). words: what reading the files said, `kind: text`."""

    case: str
    bones: tuple[Bone, ...]
    touching: dict[tuple[int, int], float]
    placement: Placement | None
    image: str
    mask: str
    centroids: dict[int, int] = field(default_factory=dict)
    words: tuple[str, ...] = ()
    shift: tuple[int, float, int] | None = None
    """levels by which held-out predictions differ from the mask, their margin in nats, vertebrae compared"""
    sure: bool = True
    """whether that prediction is sure of its own count"""


def measure(case: str, labels: np.ndarray, hu: np.ndarray | None, spacing_mm: float) -> Measured:
    """Measure a scan.

    Args:
        labels: uint8 [Z, Y, X], VerSe codes; sacrum and what has no name count as not labelled.
        hu: [Z, Y, X] of the same shape; None: masks alone.
    """
    labels = np.where(np.isin(labels, list(BY_CODE)), labels, 0).astype(np.uint8)
    boxes = {c: b for c, b in enumerate(ndimage.find_objects(labels), 1) if b and c in BY_CODE}
    sites = {code: np.argwhere(labels[box] == code) + [s.start for s in box] for code, box in boxes.items()}
    order = sorted((c for c in sites if len(sites[c]) >= _LEAST_VOXELS), key=lambda c: BY_CODE[c].index)
    centres = {c: sites[c].mean(axis=0) * spacing_mm for c in order}
    bones = []
    for place, code in enumerate(order):
        ends = [centres[c] for c in order[max(place - 1, 0) : place + 2]]
        bones.append(_bone(code, sites[code], boxes[code], ends, labels, hu, spacing_mm))
    return Measured(
        case=case,
        bones=tuple(bones),
        touching=_touching(labels, spacing_mm),
        placement=None if hu is None or not order else placement(labels > 0, hu),
        image="" if hu is None else _digest(hu),
        mask=_digest(labels),
    )


def _digest(array: np.ndarray) -> str:
    return hashlib.sha256(repr(array.shape).encode() + array.tobytes()).hexdigest()[:16]


def _bone(
    code: int,
    sites: np.ndarray,
    box: Box,
    ends: list[np.ndarray],
    labels: np.ndarray,
    hu: np.ndarray | None,
    spacing_mm: float,
) -> Bone:
    centre = sites.mean(axis=0) * spacing_mm
    up = ends[0] - ends[-1] if len(ends) > 1 else np.array((1.0, 0.0, 0.0))
    up = up / np.linalg.norm(up) if np.linalg.norm(up) > 0 else np.array((1.0, 0.0, 0.0))
    left = np.array((0.0, 0.0, 1.0)) - up[2] * up
    left /= max(float(np.linalg.norm(left)), 1e-6)
    axes = np.stack([left, np.cross(up, left), up], axis=1)
    across, deep, along = ((sites * spacing_mm - centre) @ axes).std(axis=0).tolist()
    voxel_cm3 = spacing_mm**3 / 1000
    inside, around, ribs, aside = (np.nan,) * 4 if hu is None else _tissue(sites, box, centre, labels, hu, spacing_mm)
    piece_vox, piece_mm = _second_piece(labels[box] == code, up, spacing_mm)
    return Bone(
        code=code,
        volume_cm3=len(sites) * voxel_cm3,
        centre_mm=centre,
        cut=_cut(box, labels.shape),
        across=across,
        deep=deep,
        along=along,
        hu=inside,
        around_hu=around,
        ribs=ribs,
        aside=aside,
        piece_cm3=piece_vox * voxel_cm3,
        piece_mm=piece_mm,
    )


def _cut(box: Box, shape: tuple[int, ...]) -> bool:
    """Does a face of the grid cut it? Above and below also where one voxel is left, since the grid is coarse."""
    rim = (1, 0, 0)
    return any(s.start <= r or s.stop >= size - r for s, size, r in zip(box, shape, rim, strict=True))


def _tissue(
    sites: np.ndarray, box: Box, centre: np.ndarray, labels: np.ndarray, hu: np.ndarray, spacing_mm: float
) -> tuple[float, float, float, float]:
    """HU inside and around, bone at the sides and bone far aside (cm³)."""
    inside = float(np.clip(hu[tuple(sites.T)], -200, 800).mean())
    reach = round(_RIB_MM[1] / spacing_mm)
    wide: Box = tuple(slice(max(s.start - reach, 0), s.stop + reach) for s in box)  # type: ignore[assignment]
    free, dense = labels[wide] == 0, hu[wide] > BONE_HU
    own = labels[wide] == int(labels[tuple(sites[0])])
    away_vox = ndimage.distance_transform_cdt(~own, "chessboard")
    shell = free & (away_vox <= _SHELL_MM / spacing_mm)
    around = float(np.clip(hu[wide][shell], -200, 800).mean()) if shell.any() else np.nan
    across_mm = np.abs(np.arange(labels.shape[2])[wide[2]] * spacing_mm - centre[2])
    off_all = (
        ndimage.distance_transform_cdt(free, "chessboard") > _RIB_MM[0] / spacing_mm
    )  # half-filled voxels left out
    ribs = float((off_all & (away_vox <= reach) & dense & (across_mm > _RIB_ASIDE_MM)).sum()) * spacing_mm**3 / 1000
    return inside, around, ribs, _far(centre, labels, hu, spacing_mm)


def _far(centre: np.ndarray, labels: np.ndarray, hu: np.ndarray, spacing_mm: float) -> float:
    """cm³ of bone without a label beside the vertebra, at its height; NaN where the field holds too little of it."""
    z, y, x = centre / spacing_mm
    tall, deep, (first, last) = _FAR_TALL_MM / spacing_mm, _FAR_DEEP_MM / spacing_mm, (v / spacing_mm for v in _FAR_MM)
    rows = slice(max(round(z - tall), 0), round(z + tall) + 1), slice(max(round(y - deep), 0), round(y + deep) + 1)
    total, held = 0, 0.0
    for low, high in ((x - last, x - first), (x + first, x + last)):
        start, stop = max(round(low), 0), min(round(high), labels.shape[2])
        if stop <= start:
            continue
        part = (*rows, slice(start, stop))
        total += int(((hu[part] > BONE_HU) & (labels[part] == 0)).sum())
        held += (stop - start) / (2 * (last - first))
    return total * spacing_mm**3 / 1000 if held > 0.7 else np.nan


def _second_piece(own: np.ndarray, up: np.ndarray, spacing_mm: float) -> tuple[int, float]:
    """Voxels of the second largest piece, and its distance from the largest along the spine."""
    parts, count = ndimage.label(own, _BALL)
    if count < 2:
        return 0, 0.0
    sizes = np.bincount(parts.ravel())[1:]
    first, second = (np.argsort(sizes)[::-1][:2] + 1).tolist()
    middles = np.array(ndimage.center_of_mass(own, parts, [first, second]))
    return int(sizes[second - 1]), float(abs((middles[0] - middles[1]) @ up) * spacing_mm)


def _touching(labels: np.ndarray, spacing_mm: float) -> dict[tuple[int, int], float]:
    found: dict[tuple[int, int], float] = {}
    for axis in range(3):
        one, two = (np.take(labels, range(a, labels.shape[axis] - 1 + a), axis=axis) for a in (0, 1))
        meet = (one > 0) & (two > 0) & (one != two)
        pairs, counts = np.unique(np.stack([one[meet], two[meet]]), axis=1, return_counts=True)
        for pair, count in zip(pairs.T, counts, strict=True):
            low, high = sorted((int(pair[0]), int(pair[1])), key=lambda c: BY_CODE[c].index)
            found[low, high] = found.get((low, high), 0.0) + float(count) * spacing_mm**2 / 100
    return found
