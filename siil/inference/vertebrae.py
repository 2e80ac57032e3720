"""What is reported per vertebra: measured on the label map on the scan's own grid, the one that users get.

After inference/sequence.py and the way back to the input's grid. Millimetres are LPS world coordinates of the input;
HU are those of the scan's own voxels after a second look, else of the working image. A vertebra is cut when its mask
reaches the scan's border, or when the sequence says that the border of the scan ends it early.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

import numpy as np
from scipy import ndimage

from siil.anatomy import BY_CODE, BY_NAME
from siil.inference.body import body_height_mm, body_mask
from siil.inference.centreline import Centreline
from siil.inference.enumeration import Level
from siil.inference.posterior import Posterior
from siil.scan.grid import Volume

LOW_CONFIDENCE = 0.5
BY_HAND = "by_hand"
_MERGED, _SPLIT = 1.6, 0.55
"""Volume over that of the complete neighbours, two levels up and down. Neighbours differ by up to 1.3."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One vertebra of a scan. code: VerSe. Centres in mm are (x, y, z) in LPS; body_vox is (x, y, z) of the image.

    flags: cut, low_confidence, renamed (the network alone says otherwise), merge_suspected and split_suspected (too
    much or too little for one vertebra beside its neighbours: two of them in one label, or one in two), by_hand (the
    name is a reader's, so the decoding has no confidence in it: NaN), first_look (a second look at it found nothing, so
    its mask is the first's).
    """

    name: str
    code: int
    confidence: float
    centroid_mm: tuple[float, float, float]
    body_mm: tuple[float, float, float]
    body_vox: tuple[float, float, float]
    volume_mm3: float
    height_mm: float
    mean_hu: float
    complete: bool
    flags: tuple[str, ...]


def measure(
    seg: Volume,
    *,
    working_mm: float,
    levels: dict[int, Level],
    confidences: dict[int, float],
    mean_hu: dict[int, float],
    directions: dict[int, np.ndarray],
    first_look: Collection[int] = (),
) -> tuple[Finding, ...]:
    """Measure every vertebra of a label map (VerSe codes, the input's own grid), from the head down.

    Args:
        seg: uint8 label map.
        working_mm: spacing of the working grid; how near a border is told apart.
        levels: internal index -> its level of the decoded sequence; empty without decoding.
        confidences, mean_hu, directions: per internal index; directions are LPS (x, y, z) unit vectors along the spine.
        first_look: VerSe codes of vertebrae that a second look did not find.
    """
    found = []
    boxes = ndimage.find_objects(seg.array)
    for code, box in enumerate(boxes, start=1):
        if box is None or code not in BY_CODE:
            continue
        index = BY_CODE[code].index
        centroid_vox, body_vox, height_mm = shape(seg, code, box, directions.get(index, np.array([0.0, 0.0, 1.0])))
        level = levels.get(index)
        cut = touches_border(box, seg, working_mm) or (level is not None and level.cut)
        found.append(
            Finding(
                name=BY_CODE[code].name,
                code=code,
                confidence=confidences.get(index, 0.0),
                centroid_mm=world(seg, centroid_vox),
                body_mm=world(seg, body_vox),
                body_vox=(float(body_vox[0]), float(body_vox[1]), float(body_vox[2])),
                volume_mm3=float((seg.array[box] == code).sum()) * float(np.prod(seg.grid.spacing_mm)),
                height_mm=height_mm,
                mean_hu=mean_hu.get(index, float("nan")),
                complete=not cut,
                flags=(
                    *_flags(index, level, cut, confidences.get(index, 0.0)),
                    *(["first_look"] if code in first_look else []),
                ),
            )
        )
    return suspect(tuple(sorted(found, key=lambda finding: BY_NAME[finding.name].index)))


def shape(
    seg: Volume, code: int, box: tuple[slice, ...], direction: np.ndarray
) -> tuple[np.ndarray, np.ndarray, float]:
    """Centre of a vertebra and of its body, voxels (x, y, z) of the image, and the body's height in mm.

    Args:
        seg: label map, VerSe codes.
        code, box: which label, and the box around it.
        direction: LPS (x, y, z) unit vector along the spine.
    """
    rim = tuple(slice(max(0, s.start - 1), s.stop + 1) for s in box)
    mask, start = seg.array[rim] == code, np.array([s.start for s in rim])
    body = mask if BY_CODE[code].name == "C1" else body_mask(mask, seg.grid.spacing_mm)
    centre = np.argwhere(body).mean(axis=0)
    along = (np.reshape(seg.grid.direction, (3, 3)).T @ direction)[::-1]
    height_mm = body_height_mm(body, seg.grid.spacing_mm, centre=centre, along=along)
    return (np.argwhere(mask).mean(axis=0) + start)[::-1], (centre + start)[::-1], height_mm


def suspect(findings: tuple[Finding, ...]) -> tuple[Finding, ...]:
    """The findings, from the head down, with the flags of merged and split vertebrae. C1 and C2 are like no other."""
    usual = [finding.complete and finding.name not in ("C1", "C2") for finding in findings]
    flagged = []
    for n, finding in enumerate(findings):
        near = [m for m in range(max(0, n - 2), min(len(findings), n + 3)) if m != n and usual[m]]
        flag = ""
        if usual[n] and near:
            ratio = finding.volume_mm3 / float(np.median([findings[m].volume_mm3 for m in near]))
            flag = "merge_suspected" if ratio > _MERGED else "split_suspected" if ratio < _SPLIT else ""
        new = flag and flag not in finding.flags
        flagged.append(replace(finding, flags=(*finding.flags, flag)) if new else finding)
    return tuple(flagged)


def touches_border(box: tuple[slice, ...], seg: Volume, working_mm: float) -> bool:
    """Does a mask's box reach the scan's border? Within a voxel, or half a working voxel, which rounding may hide."""
    for span, size, spacing in zip(box, seg.array.shape, seg.grid.spacing_mm, strict=True):
        near = int(0.5 * working_mm / spacing)
        if span.start <= near or span.stop >= size - near:
            return True
    return False


def mask_confidences(posterior: Posterior, labels: np.ndarray) -> dict[int, float]:
    """Mean probability of a label over its own voxels, per internal index: the network's confidence, undecoded."""
    at = labels.reshape(-1)[posterior.index]
    return {int(k): float(posterior.classes[at == k, k].astype(np.float32).mean()) for k in np.unique(at) if k > 0}


def mask_means(image: np.ndarray, labels: np.ndarray) -> dict[int, float]:
    """Mean of `image` over each label, per internal index."""
    counts = np.bincount(labels.reshape(-1))
    sums = np.bincount(labels.reshape(-1), weights=image.reshape(-1).astype(np.float64))
    return {int(k): float(sums[k] / counts[k]) for k in np.flatnonzero(counts) if k > 0}


def own_means(scan: Volume, seg: Volume) -> dict[int, float]:
    """Mean HU over each label of `seg` (VerSe codes) in the scan that it lies on, per internal index."""
    found = {}
    for code, box in enumerate(ndimage.find_objects(seg.array), start=1):
        if box is not None and code in BY_CODE:
            found[BY_CODE[code].index] = float(scan.array[box][seg.array[box] == code].mean())
    return found


def spine_directions(centreline: Centreline | None, levels: dict[int, Level]) -> dict[int, np.ndarray]:
    """LPS (x, y, z) unit vectors along the spine at the middle of each level, per internal index."""
    if centreline is None or not levels:
        return {}
    middles = np.array([0.5 * (level.start_mm + level.stop_mm) for level in levels.values()])
    return dict(zip(levels, centreline.direction(middles)[:, ::-1], strict=True))


def _flags(index: int, level: Level | None, cut: bool, confidence: float) -> tuple[str, ...]:
    flags = ["cut"] if cut else []
    if confidence < LOW_CONFIDENCE:
        flags.append("low_confidence")
    if level is not None:
        ratio = (level.stop_mm - level.start_mm) / level.expected_mm
        if level.network != index and ratio > 0.5:
            flags.append("renamed")
        if not cut and ratio > 1.5:
            flags.append("merge_suspected")
        if not cut and ratio < 0.6:
            flags.append("split_suspected")
    return tuple(flags)


def world(seg: Volume, voxel_xyz: np.ndarray) -> tuple[float, float, float]:
    """LPS millimetres (x, y, z) of a voxel (x, y, z)."""
    x, y, z = (seg.grid.matrix @ np.append(voxel_xyz, 1.0))[:3]
    return float(x), float(y), float(z)
