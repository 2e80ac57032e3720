"""Pieces of what a second look found: which of them are the vertebra's, before and after the vote between neighbours.

Used by inference/second_look.py.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

import cc3d
import numpy as np
from scipy import ndimage

from siil.inference.crops import Crop

_PART: Final = 0.3
"""Probability above which voxels hang together as a piece."""
_SPECK: Final = 0.01
"""Of the volume of a cut vertebra's largest piece: less is none."""


def connected(chance: np.ndarray, crop: Crop, *, whole: bool) -> np.ndarray:
    """`chance` without the pieces that are not this vertebra's: of a whole one all but the piece that shares most with
    the first look, of a cut one those that share nothing with it."""
    pieces, count = cc3d.connected_components(chance > _PART, connectivity=26, return_N=True)
    if count == 0 or (count == 1 and whole):
        return chance
    shared = np.bincount(pieces.reshape(-1), weights=crop.own.reshape(-1), minlength=count + 1)
    shared[0] = 0
    keep = shared > 0
    if whole:
        keep = np.arange(count + 1) == shared.argmax()
    keep[0] = True
    return np.where(keep[pieces], chance, np.float16(0))


def one_piece_each(labels: np.ndarray, *, in_pieces: Collection[int] = ()) -> set[int]:
    """Leave one 26-connected piece of each label of `labels` [Z, Y, X], in place; of those of `in_pieces`, which the
    scan's border cuts, every piece that reaches it and is no speck. Returns the labels.

    Any other piece, which the vote between neighbours cuts off, goes to the label that it touches most, or to none.
    """
    boxes = {code: box for code, box in enumerate(ndimage.find_objects(labels), start=1) if box is not None}
    for code, box in boxes.items():
        pieces, count = cc3d.connected_components(labels[box] == code, connectivity=26, return_N=True)
        if count < 2:
            continue
        sizes = np.bincount(pieces.reshape(-1))
        sizes[0] = 0
        keep = {int(sizes.argmax())}
        if code in in_pieces:
            keep |= _at_border(pieces, box, labels.shape) & set(np.flatnonzero(sizes >= _SPECK * sizes.max()).tolist())
        wide = tuple(slice(max(0, s.start - 1), s.stop + 1) for s in box)
        around = labels[wide]
        before = [s.start - w.start for s, w in zip(box, wide, strict=True)]
        after = [w.stop - s.stop for s, w in zip(box, wide, strict=True)]
        rim = [(b, min(a, n - p - b)) for b, a, n, p in zip(before, after, around.shape, pieces.shape, strict=True)]
        pieces = np.pad(pieces, rim)
        for piece, part in enumerate(ndimage.find_objects(pieces), start=1):
            if part is None or piece in keep:
                continue
            near = tuple(slice(max(0, s.start - 1), s.stop + 1) for s in part)
            mine = pieces[near] == piece
            beside = around[near][ndimage.binary_dilation(mine, np.ones((3, 3, 3))) & ~mine]
            counts = np.bincount(beside[beside > 0], minlength=1)
            around[near][mine] = counts.argmax()
    return set(boxes)


def _at_border(pieces: np.ndarray, box: tuple[slice, ...], shape: tuple[int, ...]) -> set[int]:
    """The pieces, numbered in `box` of an array of `shape`, that reach the array's border."""
    found: set[int] = set()
    for axis, (side, size) in enumerate(zip(box, shape, strict=True)):
        ends = [0] * (side.start == 0) + [-1] * (side.stop == size)
        found.update(*(np.unique(pieces.take(end, axis)).tolist() for end in ends))
    return found - {0}
