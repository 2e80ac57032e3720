"""What headers and centroid files say of where things lie, held against each other and against the mask."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from siil.anatomy import BY_CODE, BY_NAME
from siil.scan.grid import Volume
from siil.scan.nifti import nib

_AWAY_MM: Final = 5.0
_RING_MM: Final = 12.0
"""C1 has no body, and the centre of its ring lies in the canal or in the dens: so near to it counts as inside"""
_APART_MM: Final = 5.0
_OPPOSITE: Final = dict(zip("LRPASI", "RLAPIS", strict=True))


def contradictions(header: Any) -> list[str]:
    """One line where the two matrices of a NIfTI header disagree on axes or place (by more than 5 mm), else none."""
    if not (int(header["sform_code"]) and int(header["qform_code"])):
        return []
    sform, qform = header.get_sform(), header.get_qform()
    turned = ["".join(nib.orientations.aff2axcodes(matrix)) for matrix in (sform, qform)]
    if turned[0] != turned[1]:
        return [f"sform says {turned[0]}, qform {turned[1]}: left and right, or up and down, are in doubt"]
    far = np.array([*header.get_data_shape()[:3], 1.0])
    apart = float(np.abs(sform @ far - qform @ far).max())
    return [f"sform and qform lay the scan {apart:.0f} mm apart"] if apart > _APART_MM else []


def read_centroids(path: Path) -> list[dict[str, Any]]:
    """The entries of a centroid file as VerSe has them; none where it is something else."""
    try:
        entries = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        return []
    return [entry for entry in entries if isinstance(entry, dict)] if isinstance(entries, list) else []


def labels_at(entries: Sequence[Mapping[str, Any]], mask: Volume) -> dict[int, int]:
    """Code of each centroid -> label of the mask where it lies: its own where that is near and no other is there.

    entries: VerSe's: `direction` first (the file's axes where it is missing), then label, X, Y, Z in voxels.
    """
    axes = mask.grid.orientation
    direction = next(("".join(entry["direction"]) for entry in entries if "direction" in entry), axes)
    found: dict[int, int] = {}
    for entry in entries:
        values = [entry.get(key) for key in ("label", "X", "Y", "Z")]
        if any(not isinstance(value, int | float) or not np.isfinite(value) for value in values):
            continue
        code, *place = (float(value) for value in values)  # type: ignore[arg-type]
        if int(code) in BY_CODE:
            found[int(code)] = _label(int(code), _in_file(place, direction, axes, mask.array.shape[::-1]), mask)
    return found


def _in_file(place: Sequence[float], direction: str, axes: str, size: Sequence[int]) -> list[float]:
    """A place along `direction` as one along the file's own axes."""
    moved = []
    for axis, letter in enumerate(axes):
        if letter in direction:
            moved.append(place[direction.index(letter)])
        elif _OPPOSITE[letter] in direction:
            moved.append(size[axis] - 1 - place[direction.index(_OPPOSITE[letter])])
        else:
            moved.append(float("nan"))
    return moved


def _label(code: int, place: Sequence[float], mask: Volume) -> int:
    middle = np.array(place[::-1])
    if not np.isfinite(middle).all():
        return 0
    reach = np.ceil(_AWAY_MM / np.array(mask.grid.spacing_mm))
    low = np.maximum(np.rint(middle) - reach, 0).astype(int)
    high = np.maximum(np.rint(middle) + reach + 1, 0).astype(int)
    around = mask.array[tuple(slice(a, b) for a, b in zip(low, high, strict=True))]
    nearest = np.rint(middle).astype(int)
    inside = (nearest >= 0).all() and (nearest < mask.array.shape).all()
    there = int(mask.array[tuple(nearest)]) if inside else 0
    if code == BY_NAME["C1"].code:
        sites = np.argwhere(mask.array == code)
        off = (sites.mean(axis=0) - middle) * mask.grid.spacing_mm if len(sites) else np.full(3, np.inf)
        return code if float(np.linalg.norm(off)) <= _RING_MM else there
    return code if there in (0, code) and (around == code).any() else there
