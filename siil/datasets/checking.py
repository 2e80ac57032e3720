"""Is a dataset fit for training? Every file is read as the pipeline will read it, and every problem is listed.

Used by `siil check`, before GPU hours are spent. Reads only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from siil import anatomy
from siil.config.schema.dataset import Preprocess
from siil.datasets import manifest, registry
from siil.datasets.layout import Found, case_id, check_name, is_mask_name
from siil.errors import DatasetError, SiilError
from siil.scan import defects, volume
from siil.scan.labels import labels_present
from siil.scan.preprocess import check_size

_BONE_HU = 50.0
"""Labelled voxels are denser than this on average, in a patient with osteoporosis too."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One row of the table. action: repair, say, skip or refuse."""

    case: str
    action: defects.Action
    text: str


def find(paths: Sequence[Path]) -> list[tuple[Found, bool]]:
    """The scans that `paths` name, each with whether it needs a mask.

    A folder has a known layout and its scans need masks; a single file need not have one (a mask is told by its name
    or its folder).

    Raises:
        DatasetError: a path that is neither.
    """
    found: list[tuple[Found, bool]] = []
    for path in paths:
        if path.is_dir():
            inside = manifest.tree(path)
            if not inside:
                raise DatasetError(f"{path}: expected scans and their masks, got an empty folder; give another one")
            found += [(scan, True) for scan in registry.guess(inside)]
        elif path.is_file():
            is_mask = path.parent.name == "msk" or is_mask_name(path.name)
            found.append((Found(case_id(path.name), "", "", "", path, path if is_mask else None, None), False))
        else:
            raise DatasetError(f"{path}: expected a file or a folder, got nothing; check the path")
    return found


def check_scan(found: Found, *, settings: Preprocess, needs_mask: bool) -> list[Problem]:
    """The problems of one scan; none when it is fit."""
    only_mask = found.mask == found.image
    said: list[Problem] = []
    try:
        if needs_mask:  # a scan of a dataset, whose name goes through the workflow
            check_name(found)
        grid = volume.read_grid(found.image)
        image = None
        if not only_mask:
            check_size(grid, settings=settings, name=str(found.image))
            image = volume.read_image(found.image)
            said += _repairs(found.case, image.repairs)
        if found.mask is None:
            return [*said, *([_row(found.case, "no_mask", f"{found.image} alone")] if needs_mask else [])]
        mask = volume.match_mask(grid, volume.read_mask(found.mask), found.mask)
        said += _repairs(found.case, mask.repairs)
        if not labels_present(mask.array) - set(anatomy.IGNORED_CODES):
            said.append(_row(found.case, "no_vertebra", f"{found.mask} without any"))
        elif image is not None:
            said += _off_bone(found.case, image.array, mask.array)
    except SiilError as error:
        said.append(Problem(found.case, "refuse", " ".join(str(error).split())))
    return said


def _repairs(case: str, notes: Sequence[str]) -> list[Problem]:
    return [Problem(case, "repair", text) for text in notes]


def _row(case: str, code: str, got: str) -> Problem:
    return Problem(case, defects.BY_CODE[code].action, defects.note(code, got))


def _off_bone(case: str, image: np.ndarray, mask: np.ndarray) -> list[Problem]:
    """A mask that lies on bone is dense, on average; a mirrored or shifted one is not."""
    mean_hu = float(image[anatomy.without_unlabelled(mask) > 0].mean())
    return [_row(case, "off_bone", f"{mean_hu:.0f} HU on average")] if mean_hu < _BONE_HU else []
