"""The labelled bones: every vertebra as a signed distance in its own box, joints carved, then laid and labelled."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from scipy import ndimage

from siil.anatomy import BY_NAME
from siil.phantom import craniocervical, vertebra
from siil.phantom.anatomy import Anatomy, Level
from siil.phantom.canvas import Box, Canvas
from siil.phantom.morphometry import scaled
from siil.phantom.shapes import Limb, dot, smooth_union
from siil.phantom.texture import Texture
from siil.scan.labels import label_counts

EDGE_MM = 0.4
"""so far inside the border of a mask the bone begins, as in the masks of experts (docs/phantoms.md)"""
JOINT_GAP_MM = 1.4
"""between the masks of two facets; the joint space between their bone is wider by twice EDGE_MM"""
SEAM_MM = 3.0
"""rounding where the pieces of one vertebra meet"""
COARSE_MM = 9.0
"""length over which cortex, marrow and fat vary where they are uneven"""
FAT_MM = 5.0
"""how far from an arch its fat reaches"""
MIN_VOLUME_MM3 = 200.0
"""less of a vertebra than this inside the scan is not labelled"""


@dataclass(slots=True)
class Solid:
    """Signed distances (mm) of a vertebra in `box`: of its body and of its arch."""

    level: Level
    box: Box
    body: np.ndarray
    arch: np.ndarray


def limbs(level: Level) -> list[Limb]:
    """The limbs of a level in patient coordinates."""
    row = scaled(level.sizes, across=1 / level.scale, along_spine=1 / level.scale)
    if level.name == "C1":
        local = list(craniocervical.atlas(row))
    elif level.name == "C2":
        local = list(craniocervical.axis(row))
    else:
        local = vertebra.arch(level, row)
    if level.skew:
        local = [level.skew.applied(limb, row.depth / 2 + row.canal_depth) for limb in local]
    return [limb.scaled(level.scale).placed(level.place.centre_mm, level.place.frame) for limb in local]


def bounds(level: Level) -> tuple[np.ndarray, np.ndarray]:
    """Corners (x, y, z) in mm of a box around the whole vertebra."""
    corners = [limb.bounds(0.0) for limb in limbs(level)]
    low, high = vertebra.reach_mm(level.sizes)
    if level.name != "C1":
        spread = np.abs(level.place.frame) @ (high - low) / 2
        corners.append((level.place.centre_mm - spread, level.place.centre_mm + spread))
    return np.min([c[0] for c in corners], axis=0), np.max([c[1] for c in corners], axis=0)


def solids(canvas: Canvas, anatomy: Anatomy) -> list[Solid]:
    """The vertebrae that the scan reaches, joints carved, top to bottom."""
    found = [s for level in anatomy.levels if (s := _solid(canvas, level)) is not None]
    fused = anatomy.quirks.fused if anatomy.quirks else ()
    for upper, lower in pairwise(found):
        if upper.level.name not in fused:
            _carve(upper, lower)
    return found


def _solid(canvas: Canvas, level: Level) -> Solid | None:
    margin = 1.5 * canvas.voxel_mm + 1.0
    low, high = bounds(level)
    box = canvas.box(low - margin, high + margin)
    if box is None:
        return None
    shape = [s.stop - s.start for s in box]
    arch = np.full(shape, 50.0, np.float32)
    for limb in limbs(level):
        canvas.unite(arch, box, limb, seam_mm=SEAM_MM)
    body = np.full(shape, 50.0, np.float32)
    if level.name != "C1":
        _add_body(canvas, level, box, body)
    return Solid(level, box, body, arch)


def _add_body(canvas: Canvas, level: Level, box: Box, body: np.ndarray) -> None:
    low, high = vertebra.reach_mm(level.sizes)
    spread = np.abs(level.place.frame) @ (high - low) / 2
    part = canvas.box(level.place.centre_mm - spread, level.place.centre_mm + spread)
    if part is None:
        return
    axes, frame, centre = canvas.axes(part), level.place.frame, level.place.centre_mm
    x, y, z = (dot(axes, frame[:, k], float(frame[:, k] @ centre)) for k in range(3))
    distance = vertebra.body_distance(x, y, z, level.sizes, region=level.name[0], change=level.change)
    common, local, own = overlap(part, box)
    del common
    body[local] = distance[own]


def overlap(a: Box, b: Box) -> tuple[Box, Box, Box]:
    """The common box of two boxes (it may be empty), the same in coordinates of `b`, and in those of `a`."""
    common = [
        slice(max(p.start, q.start), max(min(p.stop, q.stop), max(p.start, q.start))) for p, q in zip(a, b, strict=True)
    ]
    in_b = [slice(c.start - q.start, c.stop - q.start) for c, q in zip(common, b, strict=True)]
    in_a = [slice(c.start - p.start, c.stop - p.start) for c, p in zip(common, a, strict=True)]
    return tuple(common), tuple(in_b), tuple(in_a)  # type: ignore[return-value]


def _carve(upper: Solid, lower: Solid) -> None:
    """Where two neighbours would touch, both give way to a joint space."""
    common, in_lower, in_upper = overlap(upper.box, lower.box)
    if any(s.stop <= s.start for s in common):
        return
    a = np.minimum(upper.body[in_upper], upper.arch[in_upper])
    b = np.minimum(lower.body[in_lower], lower.arch[in_lower])
    half = np.float32(0.5)
    gap = np.float32(JOINT_GAP_MM / 2)
    limit = (a - b) * half + gap
    for solid, place, bound in ((upper, in_upper, limit), (lower, in_lower, np.float32(2) * gap - limit)):
        solid.arch[place] = np.maximum(solid.arch[place], bound)
        solid.body[place] = np.maximum(solid.body[place], bound)


def lay_vertebrae(canvas: Canvas, anatomy: Anatomy, found: list[Solid], rng: np.random.Generator) -> None:
    """Lay every vertebra into the scan; the texture of bone and fat is drawn from `rng`."""
    tissue, fine = anatomy.tissue, Texture(rng, canvas, length_mm=4.0)
    uneven = anatomy.quirks.uneven if anatomy.quirks else None
    coarse = Texture(rng, canvas, length_mm=COARSE_MM) if uneven else None
    if uneven and coarse:
        for solid in found:
            _lay_fat(canvas, solid, tissue.fat_hu, uneven.fat, coarse)
    for solid in found:
        whole = smooth_union(solid.body, solid.arch, SEAM_MM) + np.float32(EDGE_MM)
        in_body = solid.body < solid.arch
        shell = np.where(in_body, np.float32(0.55), np.float32(1.25))
        texture = fine.box(solid.box)
        body_hu = tissue.trabecular_hu * (1 + np.float32(0.12) * texture)
        arch_hu: np.ndarray | np.float32 = np.float32(tissue.trabecular_hu * 1.25 + 60)
        if uneven and coarse:
            shell = shell * np.exp(np.float32(uneven.cortex) * coarse.box(solid.box))
            body_hu = body_hu * np.float32(uneven.body)
            arch_hu = np.float32(uneven.arch_hu) + np.float32(uneven.spread_hu) * texture
        deep = np.clip(-solid.body - 2.0, 0, 3) / 3
        edge = solid.level.change.sclerosis_hu * (1 - deep)
        trabecular = np.where(in_body, body_hu + edge, arch_hu)
        outer = canvas.occupancy(whole)
        inner = canvas.occupancy(whole + shell)
        view = canvas.hu[solid.box]
        view *= 1 - outer
        view += (outer - inner) * np.float32(tissue.cortical_hu) + inner * trabecular.astype(np.float32)


def _lay_fat(canvas: Canvas, solid: Solid, fat_hu: float, limit: float, coarse: Texture) -> None:
    """Fat around an arch, up to FAT_MM from it and in the foramina too, where the texture is below `limit`."""
    patchy = (coarse.box(solid.box) - np.float32(limit)) * np.float32(COARSE_MM / 2)
    canvas.lay(solid.box, np.maximum(solid.arch - np.float32(FAT_MM), patchy), fat_hu)


def label(canvas: Canvas, found: list[Solid]) -> tuple[np.ndarray, dict[str, bool]]:
    """Mask of VerSe codes (uint8 [Z, Y, X]) and for each vertebra that the scan reaches whether it lies in it whole."""
    mask = np.zeros(canvas.shape, np.uint8)
    nearest = np.full(canvas.shape, 0.0, np.float32)
    for solid in found:
        whole = smooth_union(solid.body, solid.arch, SEAM_MM)
        view = nearest[solid.box]
        closer = whole < view
        view[closer] = whole[closer]
        mask[solid.box][closer] = solid.level.code
    complete = {}
    for solid in found:
        part = mask[solid.box]
        own = part == solid.level.code
        touching = _touches_border(own, solid.box, canvas.shape)
        if not touching:
            part[own & ~_largest(own)] = 0
        complete[solid.level.name] = not touching
    return mask, complete


def without_slivers(
    mask: np.ndarray, complete: dict[str, bool], spacing_mm: tuple[float, float, float]
) -> dict[str, bool]:
    """`complete` without the vertebrae of which `mask` holds too little; they are taken out of `mask` in place."""
    sizes = label_counts(mask) * float(np.prod(spacing_mm))
    small = [name for name in complete if sizes[BY_NAME[name].code] < MIN_VOLUME_MM3]
    for name in small:
        mask[mask == BY_NAME[name].code] = 0
    return {name: whole for name, whole in complete.items() if name not in small}


def _largest(own: np.ndarray) -> np.ndarray:
    pieces, count = ndimage.label(own, np.ones((3, 3, 3)))
    if count < 2:
        return own
    return pieces == 1 + int(np.argmax(np.bincount(pieces.ravel())[1:]))


def _touches_border(own: np.ndarray, box: Box, shape: tuple[int, int, int]) -> bool:
    for axis in range(3):
        if box[axis].start == 0 and own.take(0, axis).any():
            return True
        if box[axis].stop == shape[axis] and own.take(-1, axis).any():
            return True
    return False
