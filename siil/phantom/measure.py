"""Vertebrae measured in a label map, the same way in phantoms and in real masks (real_sizes.py compares).

Masks are (Z, Y, X) with axes that grow to the head, the back and the left (LPS) and cubic voxels of `VOXEL_MM`. A
vertebra is cut out along its own axes: up is the tangent of the line through the bodies, back points from the body to
the canal. The canal is the hole that the ring encloses in slabs across the axis; the body is what lies in front of it.
C1 has no body and C2's runs into the dens: of both only the canal is measured along their own axes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy import ndimage

from siil.anatomy import BY_CODE

VOXEL_MM: Final = 1.0
QUANTITIES: Final = (
    "volume",
    "left-right",
    "front-back",
    "up-down",
    "body width",
    "body depth",
    "body height",
    "canal width",
    "canal depth",
)
"""cm³, then mm. The extents are along the scan's axes, what follows them along the vertebra's own."""
_NOTHING = float("nan")
_SLABS_MM = (1.0, 3.0, 5.0, 9.0)
_LEAST_RING_MM = 3.0
_LEAST_CANAL_MM2 = 100.0
_COLUMN_MM = 5.0
_MARGIN_MM = 6
_IN_PLANE = np.array([np.zeros((3, 3)), [[0, 1, 0], [1, 1, 1], [0, 1, 0]], np.zeros((3, 3))])
_WAIST = 25
"""the body's width is this percentile over its height, so that transverse processes do not count"""


@dataclass(frozen=True, slots=True)
class _Frame:
    """Where a vertebra is: middles of body and canal (z, y, x) in voxels; canal None: the ring is not closed."""

    body: np.ndarray
    canal: np.ndarray | None


def measure(mask: np.ndarray) -> dict[str, np.ndarray]:
    """QUANTITIES by level of the vertebrae that the border of `mask` (uint8 [Z, Y, X], LPS, VOXEL_MM) does not cut."""
    own = {int(code): box for code, box in enumerate(ndimage.find_objects(mask), start=1) if box and code in BY_CODE}
    centres = {c: np.array(ndimage.center_of_mass(mask[b] == c)) + [s.start for s in b] for c, b in own.items()}
    frames = {c: _Frame(centre, None) for c, centre in centres.items()}
    # the axes follow the line of the masks' middles first, then that of the bodies
    frames = {c: _refined(frames[c], *_piece(mask, c, own[c], frames[c], _tangent(frames, c))) for c in own}
    found = {}
    for code, box in own.items():
        if any(s.start == 0 or s.stop == size for s, size in zip(box, mask.shape, strict=True)):
            continue
        extent = [(s.stop - s.start) * VOXEL_MM for s in box][::-1]
        volume = float((mask[box] == code).sum()) * VOXEL_MM**3 / 1000
        piece, _, _ = _piece(mask, code, box, frames[code], _tangent(frames, code))
        local = _local_sizes(piece, has_body=BY_CODE[code].name not in ("C1", "C2"))
        found[BY_CODE[code].name] = np.array([volume, *extent, *local])
    return found


def _tangent(frames: dict[int, _Frame], code: int) -> np.ndarray:
    """Unit vector (z, y, x) towards the head along the line through the bodies next to `code`."""
    order = [c for c in sorted(frames, key=lambda c: BY_CODE[c].index) if BY_CODE[c].name != "C1"]
    i = order.index(code) if code in order else 0
    line = [frames[c].body for c in order[max(i - 1, 0) : i + 2]]
    if len(line) < 2:
        return np.array((1.0, 0.0, 0.0))
    along = line[0] - line[-1]
    return along / np.linalg.norm(along)


def _piece(
    mask: np.ndarray, code: int, box: tuple[slice, ...], frame: _Frame, up: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The vertebra along its own axes (bool [up, back, left]), the axes (columns, z y x), and the piece's corner."""
    back = np.array((0.0, 1.0, 0.0)) if frame.canal is None else frame.canal - frame.body
    back = back - (back @ up) * up
    back /= np.linalg.norm(back)
    left = np.cross(up, back)
    axes = np.stack([up, back, left if left[2] > 0 else -left], axis=1)
    part = np.pad(mask[box] == code, 1)
    low = np.array([s.start for s in box]) - 1
    corners = np.array(np.meshgrid(*[(0, n) for n in part.shape], indexing="ij")).reshape(3, -1).T @ axes
    first = np.floor(corners.min(axis=0)) - _MARGIN_MM
    shape = tuple((np.ceil(corners.max(axis=0)) + _MARGIN_MM - first).astype(int))
    offset = axes @ first
    turned = ndimage.affine_transform(part.astype(np.float32), axes, offset, shape, order=1) > 0.5
    return turned, axes, low + offset


def _refined(frame: _Frame, piece: np.ndarray, axes: np.ndarray, corner: np.ndarray) -> _Frame:
    canal = _canal(piece)
    if canal is None:
        return frame
    hole = np.argwhere(canal).mean(axis=0)
    body = _body(piece, canal)
    middle = np.argwhere(body).mean(axis=0) if body.any() else hole
    return _Frame(corner + axes @ middle, corner + axes @ hole)


def _canal(piece: np.ndarray) -> np.ndarray | None:
    """The hole of the ring in slabs across the axis [up, back, left]: one body of voxels; None where none is closed.

    The slabs are as thin as they may be: pedicles and laminae lie at one height in some vertebrae and not in others.
    """
    for thick_mm in _SLABS_MM:
        slabs = ndimage.maximum_filter1d(piece, round(thick_mm / VOXEL_MM), axis=0)
        holes, _ = ndimage.label(~slabs, _IN_PLANE)
        wide = np.bincount(holes.ravel()) * VOXEL_MM**2 > _LEAST_CANAL_MM2
        wide[[0, *np.unique(holes[:, 0, 0])]] = False  # bone, and what lies around the vertebra
        parts, count = ndimage.label(wide[holes])
        if count:
            canal = parts == 1 + int(np.bincount(parts.ravel())[1:].argmax())
            if canal.any(axis=(1, 2)).sum() * VOXEL_MM >= _LEAST_RING_MM:
                return canal
    return None


def _body(piece: np.ndarray, canal: np.ndarray) -> np.ndarray:
    """What lies in front of the canal and not beyond its sides: the body without its flanks."""
    closed = np.flatnonzero(canal.any(axis=(1, 2)))
    middle = round(float(np.argwhere(canal)[:, 2].mean()))
    front = int(np.median(canal[closed][:, :, middle - 1 : middle + 2].any(axis=2).argmax(axis=1)))
    left, right = np.percentile(np.argwhere(canal)[:, 2], (10, 90)).astype(int)
    body = np.zeros_like(piece)
    body[:, :front, left : right + 1] = piece[:, :front, left : right + 1]
    return body


def _local_sizes(piece: np.ndarray, *, has_body: bool) -> tuple[float, ...]:
    """Width, depth, height of the body and width, depth of the canal, mm. piece: bool [up, back, left]."""
    canal = _canal(piece)
    if canal is None:
        return (_NOTHING,) * 5
    middle = round(float(np.argwhere(canal)[:, 2].mean()))
    closed = canal[canal.any(axis=(1, 2))]
    canal_width = float(np.median(closed.any(axis=1).sum(axis=1)))
    canal_depth = float(np.median(closed[:, :, middle - 1 : middle + 2].sum(axis=1).mean(axis=1)))
    width = depth = height = _NOTHING
    body = _body(piece, canal)
    if has_body and body.any():
        z, y, x = (round(float(v)) for v in np.argwhere(body).mean(axis=0))
        reach = round(_COLUMN_MM / VOXEL_MM)
        disk = np.hypot(*np.ogrid[-reach : reach + 1, -reach : reach + 1]) <= reach
        column = piece[:, y - reach : y + reach + 1, x - reach : x + reach + 1][:, disk]
        height = float(column.sum(axis=0).mean())
        rows = range(z - round(height * 0.4), z + round(height * 0.4) + 1)
        depth = float(np.median([_run(body[r, :, x + aside], y) for r in rows for aside in (-2, 0, 2)]))
        width = float(np.percentile([_run(piece[r, back], x) for r in rows for back in (y - 1, y + 1)], _WAIST))
    return tuple(v * VOXEL_MM for v in (width, depth, height, canal_width, canal_depth))


def _run(line: np.ndarray, start: int) -> int:
    """Length of the unbroken run of True around `start`."""
    if not line[start]:
        return 0
    stops = np.flatnonzero(~line)
    after = stops[stops > start]
    before = stops[stops < start]
    return int((after[0] if len(after) else len(line)) - (before[-1] if len(before) else -1) - 1)


def upright(mask: np.ndarray, spacing_mm: np.ndarray) -> np.ndarray:
    """A label map [Z, Y, X] at cubic voxels of VOXEL_MM: the nearest label."""
    shape = [max(1, round(n * mm / VOXEL_MM)) for n, mm in zip(mask.shape, spacing_mm, strict=True)]
    places = [
        np.minimum(((np.arange(n) + 0.5) * VOXEL_MM / mm).astype(int), size - 1)
        for n, mm, size in zip(shape, spacing_mm, mask.shape, strict=True)
    ]
    return mask[np.ix_(*places)]
