"""From a drawn patient and a drawn view to a scan: HU, mask, centroids and truth. Pure, in memory.

`sample` gives the scan of any seed and series number.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from siil.config.schema.phantom import PhantomRecipe
from siil.phantom import bones, implants, surroundings
from siil.phantom.anatomy import Anatomy, draw_anatomy
from siil.phantom.canvas import Canvas
from siil.phantom.scanner import expose, outside_circle
from siil.phantom.texture import Texture
from siil.phantom.view import View, draw_view


@dataclass(frozen=True, slots=True)
class Scan:
    """A rendered scan, (Z, Y, X) in LPS."""

    anatomy: Anatomy
    view: View
    hu: np.ndarray
    """int16"""
    mask: np.ndarray
    """uint8 VerSe codes, sacrum and ribs among them"""
    centroids_vox: dict[str, tuple[float, float, float]]
    """(z, y, x) of the body centres inside the scan; of C1, which has no body, of the mask (as in VerSe)"""
    complete: dict[str, bool]
    """labelled vertebrae from the top: False when the scan's border cuts them"""


def render(anatomy: Anatomy, view: View) -> Scan:
    """Render one view of one patient."""
    thin = view.conditions.sub_slices
    canvas = _canvas(view, thin)
    rng = np.random.default_rng(anatomy.texture_seed)
    surroundings.lay(canvas, anatomy, view, grain=Texture(rng, canvas, length_mm=14.0))
    solids = bones.solids(canvas, anatomy)
    mask, complete = bones.label(canvas, solids)
    bones.lay_vertebrae(canvas, anatomy, solids, rng)
    if anatomy.quirks:
        implants.lay_implants(canvas, anatomy)
    marks = canvas.marks
    if thin > 1:
        thick = canvas.hu.reshape(-1, thin, *view.shape[1:]).mean(axis=1)
        canvas = _canvas(view, 1)
        canvas.hu, mask, marks = thick, np.ascontiguousarray(mask[thin // 2 :: thin]), marks[thin // 2 :: thin]
    outside = outside_circle(view)
    if outside is not None:
        mask[:, outside] = marks[:, outside] = 0
    complete = bones.without_slivers(mask, complete, view.spacing_mm)
    centroids = _centroids(anatomy, view, mask, complete)
    return Scan(anatomy, view, expose(canvas, view), np.where(mask > 0, mask, marks), centroids, complete)


def _canvas(view: View, thin: int) -> Canvas:
    """An empty canvas for a view, with `thin` slices for each of the view's."""
    slices, rows, columns = view.shape
    slice_mm, *pixel_mm = view.spacing_mm
    spacing = (slice_mm / thin, pixel_mm[0], pixel_mm[1])
    origin = np.array(view.origin_mm) - (0, 0, (slice_mm - spacing[0]) / 2)
    return Canvas(shape=(slices * thin, rows, columns), spacing_mm=spacing, origin_mm=origin)


def sample(seed: int, recipe: PhantomRecipe, *, series: int = 0) -> Scan:
    """Scan number `series` of the patient of `seed`. The patient is the same in every series."""
    anatomy = draw_anatomy(np.random.default_rng((seed, 0)), recipe, seed=seed)
    view = draw_view(np.random.default_rng((seed, 1 + series)), recipe, anatomy)
    return render(anatomy, view)


def _centroids(
    anatomy: Anatomy, view: View, mask: np.ndarray, complete: dict[str, bool]
) -> dict[str, tuple[float, float, float]]:
    found: dict[str, tuple[float, float, float]] = {}
    for level in anatomy.levels:
        if level.name not in complete:
            continue
        if level.name == "C1":
            if complete["C1"]:
                found["C1"] = _mask_centre(mask, level.code)
            continue
        offset = level.place.centre_mm - np.array(view.origin_mm)
        index = offset[::-1] / np.array(view.spacing_mm)
        nearest = np.rint(index).astype(int)
        inside = bool((nearest >= 0).all() and (nearest < np.array(mask.shape)).all())
        if inside and mask[tuple(nearest)] == level.code:
            found[level.name] = (float(index[0]), float(index[1]), float(index[2]))
    return found


def _mask_centre(mask: np.ndarray, code: int) -> tuple[float, float, float]:
    slices = np.flatnonzero([(part == code).any() for part in mask])
    place = np.argwhere(mask[slices[0] : slices[-1] + 1] == code).mean(axis=0)
    return float(place[0] + slices[0]), float(place[1]), float(place[2])
