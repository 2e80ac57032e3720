"""From a scan in any orientation and spacing to the working grid; offers the functions of the way back too.

Step 3 of the pipeline. The working grid is LPS with the identity as direction and one isotropic spacing; voxels are
int16 HU clipped to a window. A scan along the patient's axes is turned (without loss) and resampled axis by axis with
antialiasing; where the spacing is kept the voxels are the scan's own. An oblique scan is first coarsened along its own
axes, then interpolated onto the box of LPS axes around it. Torch-free. `undo_labels` and `undo_soft` go back.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from scipy import ndimage

from siil import anatomy
from siil.config.schema.dataset import Preprocess
from siil.scan import defects, oblique
from siil.scan.geometry import Axes, Geometry, length_along_body_mm, lps_axes, lps_grid
from siil.scan.grid import Grid, Volume, match_mask
from siil.scan.resample import AxisPlan, landmarks_apart, plan_axis, resample_image, resample_labels
from siil.scan.undo import SoftMap, undo_labels, undo_soft

__all__ = [
    "Geometry",
    "Preprocessed",
    "SoftMap",
    "check_size",
    "normalise",
    "preprocess",
    "undo_labels",
    "undo_soft",
]

_COARSE_MM = 6.0
"""The body is found on voxels of about this size: thin shells of a table vanish, the trunk stays."""


@dataclass(frozen=True, slots=True)
class Preprocessed:
    """A case on the working grid. image: int16 HU. mask: uint8 VerSe codes (the coccyx is background; sacrum, ribs
    and what nobody annotated stay). geometry: the way back. defects: what was mended, a sentence each."""

    image: Volume
    mask: Volume | None
    geometry: Geometry
    defects: tuple[str, ...]


AIR = -1.0
"""Value of air in a normalised image: the lower end of the HU window."""


def normalise(hu: np.ndarray, window_hu: tuple[float, float]) -> np.ndarray:
    """HU clipped to the window and mapped linearly to [-1, 1], float32."""
    low, high = window_hu
    scaled = (np.clip(hu, low, high).astype(np.float32) - np.float32(low)) * np.float32(2 / (high - low))
    return scaled - np.float32(1)


def check_size(grid: Grid, *, settings: Preprocess, name: str) -> None:
    """Refuse a scan whose working grid is too large or that is too short along the body (InputError)."""
    shape = _working_grid(grid, settings.spacing_mm).shape
    voxels = float(np.prod([float(length) for length in shape]))
    if voxels > settings.max_voxels:
        raise defects.refusal(
            "too_large",
            name,
            f"{shape[2]}x{shape[1]}x{shape[0]} voxels ({voxels:.2g}, limit {settings.max_voxels:.2g})",
        )
    length_mm = length_along_body_mm(grid)
    if length_mm < settings.min_length_mm:
        raise defects.refusal("too_short", name, f"{length_mm:.1f} mm (limit {settings.min_length_mm:g} mm)")


def preprocess(image: Volume, mask: Volume | None, *, settings: Preprocess, name: str = "scan") -> Preprocessed:
    """Bring a scan (int16 HU) and its mask (uint8 VerSe codes) to the working grid.

    Args:
        image: as `volume.read_image` gives it.
        mask: on the same grid (headers that differ by rounding, and axes in another order, are mended), or None.
        settings: `dataset.preprocess` of the configuration.
        name: stands in messages, for example the path of the image.

    Raises:
        InputError: too large, too short, or image and mask on different grids.
    """
    check_size(image.grid, settings=settings, name=name)
    if mask is not None:
        mask = match_mask(image.grid, mask, f"mask of {name}")
        codes = np.where(mask.array == anatomy.COCCYX_CODE, np.uint8(0), mask.array)
        mask = replace(mask, array=codes)
    axes = lps_axes(image.grid)
    if axes is not None:
        moved, labels, grid = _aligned(image, mask, axes, settings)
    else:
        moved, labels, grid = oblique.resample(image, mask, spacing_mm=settings.spacing_mm, window_hu=_window(settings))
    body = _crop_box(moved, settings)
    box = body if labels is None else _around_labels(body, labels)
    outside = [] if box == body else [defects.note("outside_body", "labels beyond it; the crop is widened by them")]
    corner = (box[0].start, box[1].start, box[2].start)
    cropped = np.ascontiguousarray(moved[box])
    x, y, z = (o + s.start * settings.spacing_mm for o, s in zip(grid.origin_mm, box[::-1], strict=True))
    working = Grid((cropped.shape[0], cropped.shape[1], cropped.shape[2]), grid.spacing_mm, (x, y, z))
    said = tuple(dict.fromkeys([*image.repairs, *(mask.repairs if mask is not None else ()), *outside]))
    geometry = Geometry(image.grid, working, corner, grid.shape, said)
    made = Volume(np.ascontiguousarray(labels[box]), working) if labels is not None else None
    return Preprocessed(Volume(cropped, working), made, geometry, said)


def _plans(grid: Grid, spacing_mm: float) -> list[AxisPlan]:
    return [plan_axis(count, old, spacing_mm) for count, old in zip(grid.shape, grid.spacing_mm, strict=True)]


def _working_grid(source: Grid, spacing_mm: float) -> Grid:
    """The uncropped working grid of a scan."""
    axes = lps_axes(source)
    if axes is None:
        return oblique.box_around(source, spacing_mm)
    return _covered(lps_grid(source, axes), _plans(lps_grid(source, axes), spacing_mm), spacing_mm)


def _covered(grid: Grid, plans: list[AxisPlan], spacing_mm: float) -> Grid:
    first = [plan.first_vox * old for plan, old in zip(plans, grid.spacing_mm, strict=True)]
    x, y, z = (origin + shift for origin, shift in zip(grid.origin_mm, first[::-1], strict=True))
    return Grid((plans[0].count, plans[1].count, plans[2].count), (spacing_mm,) * 3, (x, y, z))


def _window(settings: Preprocess) -> tuple[int, int]:
    return round(settings.window_hu[0]), round(settings.window_hu[1])


def _aligned(
    image: Volume, mask: Volume | None, axes: Axes, settings: Preprocess
) -> tuple[np.ndarray, np.ndarray | None, Grid]:
    grid = lps_grid(image.grid, axes)
    plans = _plans(grid, settings.spacing_mm)
    matrices = (plans[0].matrix, plans[1].matrix, plans[2].matrix)
    low, high = _window(settings)
    moved = resample_image(axes.to_lps(image.array), matrices, low=low, high=high)
    resample = partial(resample_labels, matrices=matrices)
    labels = None if mask is None else landmarks_apart(axes.to_lps(mask.array), resample)
    return moved, labels, _covered(grid, plans, settings.spacing_mm)


Box = tuple[slice, slice, slice]


def _crop_box(image: np.ndarray, settings: Preprocess) -> Box:
    """The body and a margin of air. The whole volume when no body is found."""
    whole = tuple(slice(0, length) for length in image.shape)
    if not settings.crop_to_body:
        return whole[0], whole[1], whole[2]
    step = max(1, round(_COARSE_MM / settings.spacing_mm))
    body = _body(image[::step, ::step, ::step] > settings.body_threshold_hu)
    if not body.any():
        return whole[0], whole[1], whole[2]
    margin = int(np.ceil(settings.body_margin_mm / settings.spacing_mm)) + step  # coarse voxels stand for `step` fine
    spans = []
    for axis in range(3):
        others = tuple(other for other in range(3) if other != axis)
        used = np.flatnonzero(body.any(others))
        low, high = int(used[0]) * step - margin, (int(used[-1]) + 1) * step + margin
        spans.append(slice(max(0, low), min(image.shape[axis], high)))
    return spans[0], spans[1], spans[2]


def _around_labels(box: Box, labels: np.ndarray) -> Box:
    """The box, widened where it must be to hold every vertebra: the truth is never cropped."""
    vertebrae = np.isin(labels, list(anatomy.BY_CODE))
    if not vertebrae.any():
        return box
    spans = []
    for axis, span in enumerate(box):
        marked = np.flatnonzero(vertebrae.any(tuple(other for other in range(3) if other != axis)))
        spans.append(slice(min(span.start, int(marked[0])), max(span.stop, int(marked[-1]) + 1)))
    return spans[0], spans[1], spans[2]


def _body(above: np.ndarray) -> np.ndarray:
    """The parts of `above` that are no table: what an opening leaves, grown back within `above`, crumbs dropped."""
    core = ndimage.binary_erosion(above, border_value=1)
    if not core.any():
        return above
    marked, count = ndimage.label(core)
    sizes = np.bincount(marked.ravel(), minlength=count + 1)
    sizes[0] = 0
    return ndimage.binary_dilation(np.isin(marked, np.flatnonzero(sizes >= 0.01 * sizes.max()))) & above
