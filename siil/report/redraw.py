"""Preview and viewer of a result drawn anew from its own viewer page, when its vertebrae get other names.

The page holds CT and labels around the spine, at 8 HU and about a millimetre, so that neither the scan nor the network
is needed, wherever they are by now. The centreline is found in the labels as the decoding finds it in O_R.
"""

from __future__ import annotations

import base64
import gzip
import io
import json
import re
import zlib
from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from siil.anatomy import CLASSES
from siil.config.schema.dataset import Preprocess
from siil.inference.centreline import find_centreline
from siil.inference.posterior import Posterior
from siil.inference.vertebrae import Finding
from siil.report.preview import preview
from siil.report.viewer import PAGE_VOXELS
from siil.scan.defects import orthonormal
from siil.scan.grid import TO_LPS, Grid, Volume
from siil.scan.nifti import nib
from siil.scan.preprocess import preprocess

_DAMAGE = (KeyError, IndexError, TypeError, ValueError, EOFError, OSError, zlib.error)
_NO_NIFTI = (nib.filebasedimages.ImageFileError, nib.spatialimages.HeaderDataError)


def read_page(text: str) -> tuple[Volume, Volume] | None:
    """CT and label map of a page of siil.report.viewer, on the grid that it shows; None where it is no such page."""
    found = re.search(r'<script type="application/json" id="scan">(.*?)</script>', text, re.DOTALL)
    try:
        scan = json.loads(found[1] if found else "{}")
        return _decode(scan["ct"]), _decode(scan["layers"][0]["data"])
    except (*_DAMAGE, *_NO_NIFTI):
        return None


def preview_again(
    ct: Volume,
    labels: Volume,
    findings: tuple[Finding, ...],
    *,
    title: str,
    enumeration: str,
    remedies: Sequence[tuple[str, str]],
    settings: Preprocess,
) -> Figure:
    """The preview of `predict` from what the viewer shows: HU, and VerSe codes on the same grid."""
    whole = settings.model_copy(update={"crop_to_body": False, "min_length_mm": 0.0})
    made = preprocess(ct, labels, settings=whole, name=title)
    assert made.mask is not None
    seen = np.flatnonzero(made.mask.array)
    posterior = Posterior(
        spine=(made.mask.array > 0).astype(np.float16),
        index=seen,
        classes=np.zeros((len(seen), 0), np.float16),
        localisation=np.zeros((CLASSES, made.mask.array.shape[0]), np.float32),
        embeddings=np.zeros((0, 0), np.float32),
        embedding_classes=np.zeros(0, np.int64),
    )
    return preview(
        made.image,
        made.mask.array,
        findings,
        title=title,
        enumeration=enumeration,
        remedies=remedies,
        centreline=find_centreline(posterior, made.image.grid.spacing_mm[0]),
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
