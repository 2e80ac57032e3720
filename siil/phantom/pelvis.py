"""Sacrum with its wings, iliac bones and hips: what marks the lower end of the column."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np

from siil.anatomy import SACRUM_CODE
from siil.phantom.anatomy import Anatomy, Change
from siil.phantom.bones import overlap
from siil.phantom.canvas import Bone, Box, Canvas
from siil.phantom.morphometry import TABLE
from siil.phantom.organs import lay_ball
from siil.phantom.shapes import Limb, Point, as_point, dot, rotation, smooth_union
from siil.phantom.spine import Placement
from siil.phantom.trunk import flat_frame, sacral_plate
from siil.phantom.vertebra import body_distance, reach_mm

SEGMENTS = (
    # width, depth, height of the body; half span of the wings; bend below, degrees
    (51.0, 33.0, 30.0, 56.0, 10.0),
    (42, 25, 25, 50, 17),
    (34, 19, 20, 43, 22),
    (28, 15, 17, 36, 22),
    (22, 12, 15, 26, 16),
)
SEAM_MM = 4.0


def lay_sacrum(canvas: Canvas, anatomy: Anatomy, bone: Bone) -> None:
    """Five fused segments on a curve, their wings, the median crest and the facets for the last lumbar vertebra."""
    k = anatomy.stature
    plate, frame = sacral_plate(anatomy)
    limbs: list[Limb] = []
    bodies: list[tuple[Placement, tuple[float, float, float]]] = []
    at = plate
    for number, (w, d, h, span, bend) in enumerate(SEGMENTS):
        centre = at - frame[:, 2] * (h * k / 2)
        place = Placement(centre, frame)
        bodies.append((place, (w * k, d * k, (h + (5.0 if number else 0)) * k)))
        limbs += [limb.scaled(k).placed(centre, frame) for limb in _segment(number, w, d, h, span)]
        at = at - frame[:, 2] * h * k
        frame = frame @ rotation(0, bend)
    found = canvas.union(limbs, seam_mm=SEAM_MM)
    if found is None:
        return
    box, distance = found
    for place, size in bodies:
        _unite_body(canvas, distance, box, place, size)
    canvas.lay_bone(box, distance, bone, code=SACRUM_CODE)


def _segment(number: int, w: float, d: float, h: float, span: float) -> list[Limb]:
    limbs = []
    for s in (1, -1):
        wing = (s * (span - 9), d * 0.45 + 4, -h * 0.12)
        limbs.append(_limb((s * w * 0.42, d * 0.1, h * 0.12), wing, (0.40 * d, h * 0.36)))
        limbs.append(_limb((s * w * 0.34, d * 0.4, 2), (s * 14, d / 2 + 13, 0), (4.5, h * 0.36)))
        limbs.append(_limb((s * 16, d / 2 + 13, 0), (0, d / 2 + 19, 0), (3.0, h * 0.44)))
        if number == 0:  # facets of S1, behind and beside those of the last lumbar vertebra
            limbs.append(Limb((s * 23, d / 2 + 12, 3), (s * 24, d / 2 + 15, h / 2 + 8), (5, 6), (4, 5.5), (0, 1, 0)))
    limbs.append(_limb((0, d / 2 + 19, 0), (0, d / 2 + 26 - 2 * number, -3), (3.0, h * 0.36)))
    return limbs


def _limb(start: Point, end: Point, radii: tuple[float, float]) -> Limb:
    return Limb(start, end, radii, radii, (0.0, 0.0, 1.0))


def _unite_body(canvas: Canvas, distance: np.ndarray, box: Box, place: Placement, size: Point) -> None:
    """Unite `distance`, which covers `box`, with a body of `size` (width, depth, height)."""
    sizes = replace(TABLE["L5"], width=size[0], depth=size[1], height=size[2], wedge=4.0)
    low, high = reach_mm(sizes)
    spread = np.abs(place.frame) @ (high - low) / 2
    part = canvas.box(place.centre_mm - spread, place.centre_mm + spread)
    if part is None:
        return
    axes = canvas.axes(part)
    x, y, z = (dot(axes, place.frame[:, i], float(place.frame[:, i] @ place.centre_mm)) for i in range(3))
    new = body_distance(x, y, z, sizes, region="L", change=Change())
    _, local, own = overlap(part, box)
    distance[local] = smooth_union(distance[local], new[own], SEAM_MM)


def lay_hips(canvas: Canvas, anatomy: Anatomy, bone: Bone) -> None:
    """Iliac wings, sockets, heads of the femur, pubic arch."""
    k = anatomy.stature
    plate, tilted = sacral_plate(anatomy)
    frame = flat_frame(tilted)
    for side in (1.0, -1.0):
        mirror = plate, frame @ np.diag((side, 1.0, 1.0)) * k
        canvas.lay_limbs(_wing(mirror, k), bone, seam_mm=5.0)
        canvas.lay_limbs(
            [
                _strut(mirror, (76, 8, -42), (90, -4, -84), (15 * k, 18 * k), (22 * k, 24 * k)),
                _strut(mirror, (84, 4, -96), (64, 10, -140), (13 * k, 14 * k), (13 * k, 14 * k)),
                _strut(mirror, (76, -24, -90), (10, -48, -118), (8 * k, 10 * k), (7 * k, 14 * k)),
            ],
            bone,
            seam_mm=4.0,
        )
        head = mirror[0] + mirror[1] @ np.array((93.0, -8.0, -95.0))
        lay_ball(canvas, head, (26 * k, 26 * k, 26 * k), 60.0)
        lay_ball(canvas, head, (24.5 * k, 24.5 * k, 24.5 * k), bone.cortical_hu * 0.8)
        lay_ball(canvas, head, (23 * k, 23 * k, 23 * k), bone.trabecular_hu + 120)
        neck = _strut(mirror, (93, -8, -95), (132, 2, -130), (12 * k, 15 * k), (14 * k, 18 * k))
        shaft = _strut(mirror, (132, 2, -130), (138, 0, -230), (15 * k, 15 * k), (14 * k, 14 * k), (1.0, 0.0, 0.0))
        canvas.lay_limbs([neck, shaft], bone, seam_mm=4.0)


Mirror = tuple[np.ndarray, np.ndarray]
"""origin and scaled axes of one side of the pelvis"""
CREST = ((46, 50, -14), (62, 46, 10), (86, 30, 36), (112, 6, 45), (128, -24, 36), (130, -50, 8))
ROOTS = ((50, 36, -40), (58, 26, -32), (64, 18, -30), (74, 6, -40), (84, -6, -52), (90, -20, -62))


def _wing(mirror: Mirror, k: float) -> list[Limb]:
    """A fan of flat limbs from the hip joint up to the crest, and the crest's rim."""
    outward = as_point(mirror[1] @ np.array((0.35, 1.0, 0.0)))
    rays = [
        _strut(mirror, root, top, (5.5 * k, 13 * k), (4.2 * k, 14 * k), outward)
        for root, top in zip(ROOTS, CREST, strict=True)
    ]
    rim = [_strut(mirror, a, b, (5.5 * k, 6 * k), (5.5 * k, 6 * k)) for a, b in pairwise(CREST)]
    return rays + rim


def _strut(
    mirror: Mirror,
    start: Point,
    end: Point,
    first: tuple[float, float],
    last: tuple[float, float],
    up: Point = (0.0, 0.0, 1.0),
) -> Limb:
    origin, axes = mirror
    return Limb(as_point(origin + axes @ np.array(start)), as_point(origin + axes @ np.array(end)), first, last, up)
