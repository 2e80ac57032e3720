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
    """Leave one 26-connected piece of each label of `labels` [Z, Y, X], in place, but of those of `in_pieces`. Returns
    the labels.

    A smaller piece, which the vote between neighbours cuts off, goes to the label that it touches most, or to none.
    """
    boxes = {code: box for code, box in enumerate(ndimage.find_objects(labels), start=1) if box is not None}
    for code, box in boxes.items():
        if code in in_pieces:
            continue
        pieces, count = cc3d.connected_components(labels[box] == code, connectivity=26, return_N=True)
        if count < 2:
            continue
        sizes = np.bincount(pieces.reshape(-1))
        largest = 1 + int(sizes[1:].argmax())
        wide = tuple(slice(max(0, s.start - 1), s.stop + 1) for s in box)
        around = labels[wide]
        before = [s.start - w.start for s, w in zip(box, wide, strict=True)]
        after = [w.stop - s.stop for s, w in zip(box, wide, strict=True)]
        rim = [(b, min(a, n - p - b)) for b, a, n, p in zip(before, after, around.shape, pieces.shape, strict=True)]
        pieces = np.pad(pieces, rim)
        for piece, part in enumerate(ndimage.find_objects(pieces), start=1):
            if part is None or piece == largest:
                continue
            near = tuple(slice(max(0, s.start - 1), s.stop + 1) for s in part)
            mine = pieces[near] == piece
            beside = around[near][ndimage.binary_dilation(mine, np.ones((3, 3, 3))) & ~mine]
            counts = np.bincount(beside[beside > 0], minlength=1)
            around[near][mine] = counts.argmax()
    return set(boxes)
