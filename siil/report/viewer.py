"""The interactive viewer: a CT with label maps, three planes and 3D, inside an HTML page that needs no network.

Used by the report (a few scans of an experiment) and by `siil predict` (one scan, `viewer_page`). Volumes become
gzipped NIfTI in base64, cut to the spine and coarsened to a budget of voxels; niivue (siil/report/assets) shows them.
"""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk

from siil.report.colours import niivue_labels
from siil.report.planes import BODY_QUANTILE
from siil.run.provenance import RESEARCH_USE
from siil.scan.grid import TO_LPS, Grid, Volume, to_sitk
from siil.scan.nifti import nib
from siil.scan.resample import plan_axis, resample_image

ASSETS = Path(__file__).resolve().parent / "assets"
REPORT_VOXELS = 3_000_000
"""Budget of one scan in the report, where several share a page."""
PAGE_VOXELS = 8_000_000
"""Budget of the page of one scan: 1.2 mm of a spine from neck to sacrum, half a millimetre of three vertebrae. A plane
of the viewer has no finer pixels."""
MARGIN_MM = 30.0
HU_STEP = 8
"""HU are rounded to this: it halves the page and is invisible in any window."""


@dataclass(frozen=True, slots=True)
class Layer:
    """A label map over the CT. `kind` is labels (VerSe codes) or differences (0 or 1)."""

    name: str
    kind: str
    data: str


@dataclass(frozen=True, slots=True)
class ViewerScan:
    """A scan ready to be inlined: `ct` and the layers' `data` are base64 of .nii.gz.

    focus_mm: (x, y, z) in RAS, where the crosshair starts: a vertebral body in the middle of the spine.
    """

    title: str
    ct: str
    layers: tuple[Layer, ...]
    spacing_mm: tuple[float, float, float]
    focus_mm: tuple[float, float, float]

    def to_json(self) -> str:
        """JSON for a script element: no `<` in it, whatever the names say."""
        entry = {
            "title": self.title,
            "focus_mm": self.focus_mm,
            "ct": self.ct,
            "layers": [{"name": layer.name, "kind": layer.kind, "data": layer.data} for layer in self.layers],
        }
        return json.dumps(entry).replace("<", "\\u003c")


def viewer_scan(*, title: str, ct: Volume, labels: Mapping[str, Volume], max_voxels: int) -> ViewerScan:
    """A scan for the viewer.

    Args:
        title: shown above the viewer.
        ct: HU.
        labels: name -> VerSe codes, on any grid that overlaps the CT's. When they are exactly two, a layer with the
            voxels where they differ is added.
        max_voxels: the volumes are coarsened until they have at most this many voxels.
    """
    hu, shown = spine_part(ct, list(labels.values()), max_voxels=max_voxels)
    rounded = Volume((np.rint(hu.array / np.float32(HU_STEP)) * HU_STEP).astype(np.int16), hu.grid)
    layers = [Layer(name, "labels", _encode(volume)) for name, volume in zip(labels, shown, strict=True)]
    if len(shown) == 2:
        differ = (shown[0].array != shown[1].array).astype(np.uint8)
        layers.append(Layer("where they differ", "differences", _encode(Volume(differ, hu.grid))))
    return ViewerScan(title, _encode(rounded), tuple(layers), hu.grid.spacing_mm, _focus(shown))


def spine_part(ct: Volume, labels: Sequence[Volume], *, max_voxels: int) -> tuple[Volume, list[Volume]]:
    """What a person looks at: CT (int16 HU) and label maps on one grid around all that is labelled (the whole scan
    where nothing is), at most `max_voxels` voxels. The part of a part is that part again.

    labels: VerSe codes on any grid that overlaps the CT's.
    """
    maps = [volume.array if volume.grid == ct.grid else _onto(ct.grid, volume) for volume in labels]
    box = _around(maps, ct.grid)
    grid = ct.grid
    spacing = _coarse_enough([span.stop - span.start for span in box], grid.spacing_mm, max_voxels)
    plans = [
        plan_axis(span.stop - span.start, old, new)
        for span, old, new in zip(box, grid.spacing_mm, spacing, strict=True)
    ]
    hu = resample_image(ct.array[box], (plans[0].matrix, plans[1].matrix, plans[2].matrix), low=-1024, high=3000)
    first = [span.start + plan.first_vox for span, plan in zip(box, plans, strict=True)]
    x, y, z = (grid.matrix @ [*first[::-1], 1.0])[:3].tolist()
    shape = (plans[0].count, plans[1].count, plans[2].count)
    made = Grid(shape, (spacing[0], spacing[1], spacing[2]), (x, y, z), grid.direction)
    nearest = [
        np.clip(np.rint(at + np.arange(count) * new / old).astype(np.int64), span.start, span.stop - 1)
        for at, count, span, old, new in zip(first, shape, box, grid.spacing_mm, spacing, strict=True)
    ]
    return Volume(hu, made), [Volume(array[np.ix_(*nearest)], made) for array in maps]


def viewer_page(
    ct: Volume, labels: Volume, title: str, *, answer: str = "", remedies: Sequence[tuple[str, str]] = ()
) -> str:
    """A self-contained HTML page that shows one segmented scan.

    Args:
        ct: HU, on the input's own grid.
        labels: VerSe codes, on the same grid.
        title: heading of the page, for example the name of the scan.
        answer: which vertebrae, and how sure that is. remedies: (words, command) pairs, how the count is mended.
    """
    scan = viewer_scan(title=title, ct=ct, labels={"prediction": labels}, max_voxels=PAGE_VOXELS)
    found = set(np.unique(labels.array).tolist()) - {0}
    rows = zip(niivue_labels()["I"], niivue_labels()["labels"], _hex_colours(), strict=True)
    legend = [(name, colour) for code, name, colour in rows if code in found]
    return render(
        "viewer.html.j2",
        title=title,
        answer=answer,
        remedies=remedies,
        scan=scan,
        legend=legend,
        coarse_mm=max(scan.spacing_mm),
    )


def render(template: str, **values: Any) -> str:
    """Fill one of the templates in assets; the texts of all assets are at hand as `asset(name)`."""
    import jinja2
    from markupsafe import Markup

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(ASSETS),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    labels = Markup(json.dumps(niivue_labels()))
    return environment.get_template(template).render(
        asset=lambda name: Markup(asset(name)), notice=RESEARCH_USE, label_colours=labels, **values
    )


@cache
def asset(name: str) -> str:
    """Text of an asset, safe inside a script element: `</script` is written `<\\/script`."""
    text = (ASSETS / name).read_text(encoding="utf-8")
    return text.replace("</script", "<\\/script") if name.endswith(".js") else text


def _hex_colours() -> list[str]:
    table = niivue_labels()
    return [f"#{r:02x}{g:02x}{b:02x}" for r, g, b in zip(table["R"], table["G"], table["B"], strict=True)]


def _focus(maps: list[Volume]) -> tuple[float, float, float]:
    """RAS mm in the body of the middle vertebra of the last map that has any; else the grid's middle."""
    grid = maps[-1].grid
    found = next((volume.array for volume in reversed(maps) if volume.array.any()), None)
    if found is None:
        x, y, z, _ = grid.matrix @ np.array([*((n - 1) / 2 for n in reversed(grid.shape)), 1.0])
    else:
        voxels = {code: np.argwhere(found == code)[:, ::-1] for code in np.unique(found[found > 0])}
        sites = [(grid.matrix[:3, :3] @ rows.T).T + grid.matrix[:3, 3] for rows in voxels.values()]
        middle = sorted(sites, key=lambda rows: float(rows[:, 2].mean()))[len(sites) // 2]
        x, y, z = np.median(middle[:, 0]), np.quantile(middle[:, 1], BODY_QUANTILE), np.median(middle[:, 2])
    return round(float(-x), 1), round(float(-y), 1), round(float(z), 1)


def _around(maps: list[np.ndarray], grid: Grid) -> tuple[slice, slice, slice]:
    """The box around everything that is labelled, with a margin; the whole where nothing is."""
    spans = [slice(0, length) for length in grid.shape]
    for axis in range(3):  # each axis within what the ones before left
        others = tuple(other for other in range(3) if other != axis)
        hit = np.flatnonzero(sum(array[tuple(spans)].any(axis=others) for array in maps))
        if not hit.size:
            break
        spans[axis] = slice(int(hit[0]), int(hit[-1]) + 1)
    else:
        for axis, (span, size, spacing_mm) in enumerate(zip(spans, grid.shape, grid.spacing_mm, strict=True)):
            margin = round(MARGIN_MM / spacing_mm)
            spans[axis] = slice(max(0, span.start - margin), min(size, span.stop + margin))
    return spans[0], spans[1], spans[2]


def _coarse_enough(shape: Sequence[int], spacing_mm: Sequence[float], max_voxels: int) -> list[float]:
    """Spacing at which `shape` voxels of `spacing_mm` become at most `max_voxels`: the finest axes give way first, so
    voxels tend to cubes."""
    size, spacing = np.array(shape, float), np.array(spacing_mm)
    target = spacing.min()
    new = spacing
    while np.ceil(size * spacing / new - 1e-3).prod() > max_voxels:
        target *= 1.03
        new = np.maximum(spacing, target)
    return [float(value) for value in new]


def _onto(grid: Grid, labels: Volume) -> np.ndarray:
    """Labels on another grid, nearest neighbour."""
    image = to_sitk(Volume(labels.array.astype(np.uint8), labels.grid))
    x, y, z = grid.shape[::-1]
    moved = sitk.Resample(image, [x, y, z], sitk.Transform(), sitk.sitkNearestNeighbor, grid.origin_mm,
                          grid.spacing_mm[::-1], grid.direction, 0, sitk.sitkUInt8)  # fmt: skip
    return sitk.GetArrayFromImage(moved)


def _encode(volume: Volume) -> str:
    """base64 of a gzipped NIfTI, the same bytes each time."""
    image = nib.Nifti1Image(np.ascontiguousarray(volume.array.T), TO_LPS @ volume.grid.matrix)
    image.header.set_xyzt_units("mm")
    return base64.b64encode(gzip.compress(image.to_bytes(), compresslevel=4, mtime=0)).decode("ascii")
