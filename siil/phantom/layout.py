"""Writing phantoms as VerSe's subject-based release: rawdata/, derivatives/, names, centroids, codes, axis orders.

Beside each mask lies a truth file that no release has: which vertebrae the scan cuts, and the anatomy that was drawn.
"""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np

from siil.anatomy import BY_NAME
from siil.config.schema.phantom import PhantomRecipe
from siil.phantom.render import Scan, sample
from siil.run import files
from siil.run.provenance import RESEARCH_USE
from siil.scan.volume import Grid, Volume, write_volume

OPPOSITE = {"L": "R", "R": "L", "P": "A", "A": "P", "S": "I", "I": "S"}
LPS = "LPS"


def generate(recipe: PhantomRecipe, folder: Path, *, threads: int = 1) -> None:
    """Write every scan of `recipe` below `folder`. The bytes depend on the recipe alone, not on order or `threads`."""
    jobs = [
        (n, series, count)
        for n in range(recipe.patients)
        for count in [series_count(n, recipe)]
        for series in range(count)
    ]
    write = partial(_write_job, recipe=recipe, folder=Path(folder))
    if threads <= 1:
        for job in jobs:
            write(job)
        return
    with ProcessPoolExecutor(threads, mp_context=get_context("spawn")) as pool:
        for _ in pool.map(write, jobs):
            pass


def series_count(patient: int, recipe: PhantomRecipe) -> int:
    """Number of series of a patient: 1 or 2."""
    rng = np.random.default_rng((recipe.first_seed + patient, 99))
    return 1 + int(rng.random() < recipe.second_series)


def _write_job(job: tuple[int, int, int], *, recipe: PhantomRecipe, folder: Path) -> None:
    patient, series, count = job
    scan = sample(recipe.first_seed + patient, recipe, series=series)
    subject = f"sub-phantom{patient:03d}"
    stem = subject if count == 1 else f"{subject}_split-{'ab'[series]}"
    write_scan(scan, folder, subject=subject, stem=stem)


def write_scan(scan: Scan, folder: Path, *, subject: str, stem: str) -> None:
    """Write one scan: image last, so that a scan with an image is whole."""
    derived = folder / "derivatives" / subject
    mask = oriented(scan, scan.mask)
    write_volume(derived / f"{stem}_seg-vert_msk.nii.gz", mask)
    files.write_json(derived / f"{stem}_seg-subreg_ctd.json", centroid_json(scan))
    files.write_json(derived / f"{stem}_truth.json", truth(scan))
    raw = folder / "rawdata" / subject
    files.write_json(raw / f"{stem}_ct.json", sidecar(scan))
    write_volume(raw / f"{stem}_ct.nii.gz", oriented(scan, scan.hu))


def oriented(scan: Scan, array: np.ndarray) -> Volume:
    """An array (Z, Y, X) in LPS of `scan` as a volume whose voxel axes grow as the view's orientation says."""
    view = scan.view
    order, flips = _axes(view.orientation)
    spacing_xyz = view.spacing_mm[::-1]
    moved = array.transpose(2, 1, 0).transpose(order)
    direction = np.zeros((3, 3))
    origin = np.array(view.origin_mm, float)
    for axis, (source, flip) in enumerate(zip(order, flips, strict=True)):
        direction[source, axis] = -1.0 if flip else 1.0
        if flip:
            origin[source] += spacing_xyz[source] * (array.shape[2 - source] - 1)
    moved = moved[tuple(slice(None, None, -1) if flip else slice(None) for flip in flips)]
    stored = np.ascontiguousarray(moved.transpose(2, 1, 0))
    spacing = tuple(float(spacing_xyz[source]) for source in reversed(order))
    grid = Grid(stored.shape, spacing, tuple(float(v) for v in origin), tuple(direction.ravel().tolist()))  # type: ignore[arg-type]
    return Volume(stored, grid)


def _axes(orientation: str) -> tuple[list[int], list[bool]]:
    """For each voxel axis of the file: which LPS axis it is, and whether it runs against it."""
    order = [next(i for i in range(3) if code in (LPS[i], OPPOSITE[LPS[i]])) for code in orientation]
    return order, [code != LPS[i] for code, i in zip(orientation, order, strict=True)]


def centroid_json(scan: Scan) -> list[dict[str, Any]]:
    """VerSe's list: axis codes first, then body centres in voxels of the file, in its axis order."""
    order, flips = _axes(scan.view.orientation)
    items: list[dict[str, Any]] = [{"direction": list(scan.view.orientation)}]
    for name, zyx in scan.centroids_vox.items():
        place = []
        for source, flip in zip(order, flips, strict=True):
            value = zyx[2 - source]
            place.append(scan.mask.shape[2 - source] - 1 - value if flip else value)
        items.append({"label": BY_NAME[name].code, **dict(zip("XYZ", (round(v, 1) for v in place), strict=True))})
    return items


def sidecar(scan: Scan) -> dict[str, Any]:
    """The image's JSON, with the keys of the release."""
    return {
        "dataset": "SIIL phantom",
        "KVP": str(scan.view.kvp),
        "Manufacturer": "SIIL",
        "ManufacturerModelName": "phantom",
        "Notice": RESEARCH_USE,
    }


def truth(scan: Scan) -> dict[str, Any]:
    """Which vertebrae are whole, and what was drawn."""
    anatomy, view = scan.anatomy, scan.view
    return {
        "seed": anatomy.seed,
        "field_of_view": view.region,
        "orientation": view.orientation,
        "contrast": view.contrast > 0,
        "age": round(anatomy.age),
        "female": anatomy.female,
        "cobb_deg": round(anatomy.posture.cobb_deg, 1),
        "presacral_vertebrae": len(anatomy.levels),
        "last_rib": anatomy.last_rib,
        "t13": anatomy.level("T13") is not None,
        "l6": anatomy.level("L6") is not None,
        "t12_missing": anatomy.level("T12") is None,
        "vertebrae": [
            {
                "label": level.code,
                "name": level.name,
                "complete": scan.complete[level.name],
                "ribs": level.rib_mm > 0,
                "fracture": level.change.front_loss > 0,
            }
            for level in anatomy.levels
            if level.name in scan.complete
        ],
    }
