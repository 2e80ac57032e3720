"""Preview and viewer of a result: drawn by `predict`, and anew by `relabel` when the vertebrae get other names.

Both show the same part of the scan around the spine (viewer.spine_part). The viewer page holds it, at 8 HU and about a
millimetre, so that neither the scan nor the network is needed to draw anew, wherever they are by now. The centreline is
then found in the labels as the decoding finds it in O_R.
"""

from __future__ import annotations

import base64
import gzip
import io
import json
import re
import zlib
from collections.abc import Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from siil.anatomy import BY_NAME, CLASSES
from siil.config.schema.dataset import Preprocess
from siil.inference.answer import answer_of, remedies
from siil.inference.centreline import Centreline, find_centreline
from siil.inference.posterior import Posterior
from siil.inference.vertebrae import Finding
from siil.report.preview import preview, write_preview
from siil.report.viewer import PAGE_VOXELS, spine_part, viewer_page
from siil.run import files
from siil.scan.defects import orthonormal
from siil.scan.grid import TO_LPS, Grid, Volume
from siil.scan.labels import labels_present
from siil.scan.nifti import nib
from siil.scan.preprocess import preprocess

_DAMAGE = (KeyError, IndexError, TypeError, ValueError, EOFError, OSError, zlib.error)
_NO_NIFTI = (nib.filebasedimages.ImageFileError, nib.spatialimages.HeaderDataError)


PREVIEW_MM = 1.0
"""Spacing of the preview, where the finest of the scan's is not coarser: two of its pixels."""


@dataclass(frozen=True, slots=True)
class Views:
    """What is drawn. ct, seg: HU and VerSe codes on one grid.

    centreline: on the grid `working`, of which it needs the corner.
    """

    ct: Volume
    seg: Volume
    centreline: Centreline | None
    working: Grid


def write_pictures(
    made: Path,
    facts: Mapping[str, Any],
    findings: tuple[Finding, ...],
    views: Views,
    *,
    settings: Preprocess,
    folder: Path,
) -> None:
    """Write {name}_preview.png and {name}_viewer.html, which say what the facts of the scan say.

    Args:
        made: where they are written. folder: where they will lie, for the commands that they print.
        facts, findings: of the scan (NAME_scan.json).
        views: what is drawn.
        settings: the HU window of the preview.
    """
    name = facts["scan"]
    mends = remedies(facts, folder / f"{name}_scan.json")
    ct, (seg,) = spine_part(views.ct, [views.seg], max_voxels=PAGE_VOXELS)
    words = answer_of(facts, scan=name, folder=folder).words
    with ThreadPoolExecutor(1) as beside:  # what squeezes leaves Python to what draws
        page = beside.submit(viewer_page, ct, seg, name, answer=words, remedies=mends)
        image, labels = _upright(ct, seg, max(PREVIEW_MM, min(ct.grid.spacing_mm)), settings)
        line = views.centreline and views.centreline.moved(_corner(views.working) - _corner(image.grid))
        figure = preview(
            image,
            labels.array,
            findings,
            title=name,
            enumeration=facts["enumeration"],
            warning=facts["reason"] if facts["uncertain"] else "",
            remedies=mends,
            centreline=line,
        )
        write_preview(made / f"{name}_preview.png", figure)
        files.write_text(made / f"{name}_viewer.html", page.result())


def draw_again(
    made: Path,
    facts: Mapping[str, Any],
    findings: tuple[Finding, ...],
    shown: tuple[Volume, Volume],
    *,
    settings: Preprocess,
    folder: Path,
) -> None:
    """As `write_pictures`, from what the viewer page shows (`read_page`), the labels under their new names."""
    ct, labels = shown
    image, mask = _upright(ct, labels, settings.spacing_mm, settings)
    line = find_centreline(_certain(mask.array), settings.spacing_mm)
    views = Views(ct, labels, line, image.grid)
    write_pictures(made, facts, findings, views, settings=settings, folder=folder)


def _upright(ct: Volume, labels: Volume, spacing_mm: float, settings: Preprocess) -> tuple[Volume, Volume]:
    """Both along the patient's axes at one spacing, nothing cropped."""
    whole = {"spacing_mm": spacing_mm, "crop_to_body": False, "min_length_mm": 0.0}
    ready = preprocess(ct, labels, settings=settings.model_copy(update=whole))
    assert ready.mask is not None
    return ready.image, ready.mask


def _corner(grid: Grid) -> np.ndarray:
    """(z, y, x) mm of the outer corner of the first voxel of a grid along the patient's axes."""
    return np.array(grid.origin_mm[::-1]) - 0.5 * np.array(grid.spacing_mm)


def read_page(text: str, names: Collection[str]) -> tuple[Volume, Volume] | None:
    """CT and label map of a page of siil.report.viewer, on the grid that it shows.

    None where it is no such page, or shows other vertebrae than `names`.
    """
    found = re.search(r'<script type="application/json" id="scan">(.*?)</script>', text, re.DOTALL)
    try:
        scan = json.loads(found[1] if found else "{}")
        ct, labels = _decode(scan["ct"]), _decode(scan["layers"][0]["data"])
    except (*_DAMAGE, *_NO_NIFTI):
        return None
    return (ct, labels) if labels_present(labels.array) <= {BY_NAME[name].code for name in names} else None


def _certain(labels: np.ndarray) -> Posterior:
    """A network that is sure of the spine that the labels [Z, Y, X] mark, and says nothing else."""
    seen = np.flatnonzero(labels)
    return Posterior(
        spine=(labels > 0).astype(np.float16),
        index=seen,
        classes=np.zeros((len(seen), 0), np.float16),
        localisation=np.zeros((CLASSES, labels.shape[0]), np.float32),
        embeddings=np.zeros((0, 0), np.float32),
        embedding_classes=np.zeros(0, np.int64),
    )


def _decode(data: str) -> Volume:
    """A volume of the page; what a page may hold is all that is unpacked."""
    with gzip.open(io.BytesIO(base64.b64decode(data))) as stream:
        image = nib.Nifti1Image.from_bytes(stream.read(3 * PAGE_VOXELS))
    affine = TO_LPS @ image.affine
    (sx, sy, sz), cosines, _ = orthonormal(affine, "viewer")
    x, y, z = affine[:3, 3].tolist()
    array = np.ascontiguousarray(np.asanyarray(image.dataobj).T)
    depth, height, width = array.shape
    grid = Grid((depth, height, width), (float(sz), float(sy), float(sx)), (x, y, z), tuple(cosines.ravel().tolist()))
    return Volume(array, grid)
