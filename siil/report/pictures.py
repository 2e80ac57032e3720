"""Preview and viewer of a result: drawn by `predict`, and anew by `relabel` when the vertebrae get other names.

The viewer page holds CT and labels around the spine, at 8 HU and about a millimetre, so that neither the scan nor the
network is needed for that, wherever they are by now. The centreline is then found in the labels as the decoding finds
it in O_R.
"""

from __future__ import annotations

import base64
import gzip
import io
import json
import re
import zlib
from collections.abc import Collection, Mapping
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
from siil.report.viewer import PAGE_VOXELS, viewer_page
from siil.run import files
from siil.scan.defects import orthonormal
from siil.scan.grid import TO_LPS, Grid, Volume
from siil.scan.labels import labels_present
from siil.scan.nifti import nib
from siil.scan.preprocess import preprocess

_DAMAGE = (KeyError, IndexError, TypeError, ValueError, EOFError, OSError, zlib.error)
_NO_NIFTI = (nib.filebasedimages.ImageFileError, nib.spatialimages.HeaderDataError)


@dataclass(frozen=True, slots=True)
class Views:
    """What is drawn. ct, seg: HU and VerSe codes on one grid, for the viewer.

    image, work: HU and VerSe codes [Z, Y, X] on the working grid, for the preview. centreline: of the working grid.
    """

    ct: Volume
    seg: Volume
    image: Volume
    work: np.ndarray
    centreline: Centreline | None


def write_pictures(
    made: Path, facts: Mapping[str, Any], findings: tuple[Finding, ...], views: Views, *, folder: Path
) -> None:
    """Write {name}_preview.png and {name}_viewer.html, which say what the facts of the scan say.

    Args:
        made: where they are written. folder: where they will lie, for the commands that they print.
        facts, findings: of the scan (NAME_scan.json).
        views: what is drawn.
    """
    name = facts["scan"]
    mends = remedies(facts, folder / f"{name}_scan.json")
    figure = preview(
        views.image,
        views.work,
        findings,
        title=name,
        enumeration=facts["enumeration"],
        warning=facts["reason"] if facts["uncertain"] else "",
        remedies=mends,
        centreline=views.centreline,
    )
    write_preview(made / f"{name}_preview.png", figure)
    words = answer_of(facts, scan=name, folder=folder).words
    files.write_text(made / f"{name}_viewer.html", viewer_page(views.ct, views.seg, name, answer=words, remedies=mends))


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
    whole = settings.model_copy(update={"crop_to_body": False, "min_length_mm": 0.0})
    ready = preprocess(ct, labels, settings=whole, name=facts["scan"])
    assert ready.mask is not None
    line = find_centreline(_certain(ready.mask.array), ready.image.grid.spacing_mm[0])
    write_pictures(made, facts, findings, Views(ct, labels, ready.image, ready.mask.array, line), folder=folder)


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
