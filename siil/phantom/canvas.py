"""The canvas: a scan in the making. Structures are evaluated in boxes around them and laid over what is there.

HU are float32, arrays (Z, Y, X), axes x (left), y (back), z (head) in mm. Partial volume: a boundary is as wide as a
voxel, so a thin cortical shell keeps its mass at every spacing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from siil.phantom.shapes import Axes, Limb, limb_distance

AIR_HU = -1000.0
Box = tuple[slice, slice, slice]


@dataclass(frozen=True, slots=True)
class Bone:
    """HU of a bone: cortical shell of `shell_mm`, trabecular inside."""

    cortical_hu: float
    trabecular_hu: float
    shell_mm: float


class Canvas:
    """HU, the coordinates of the voxel centres, and the codes of bones that are marked beside the vertebrae."""

    def __init__(
        self, *, shape: tuple[int, int, int], spacing_mm: tuple[float, float, float], origin_mm: np.ndarray
    ) -> None:
        """shape and spacing_mm (Z, Y, X); origin_mm (x, y, z) of the first voxel's centre."""
        self.shape = shape
        self.spacing_mm = spacing_mm
        self.hu = np.full(shape, AIR_HU, np.float32)
        self.marks = np.zeros(shape, np.uint8)
        axes = [origin_mm[2 - k] + spacing_mm[k] * np.arange(shape[k]) for k in range(3)]
        self.z, self.y, self.x = (a.astype(np.float32) for a in axes)
        self.voxel_mm = float(np.prod(spacing_mm) ** (1 / 3))

    def box(self, low_mm: np.ndarray, high_mm: np.ndarray) -> Box | None:
        """The voxels between two corners (x, y, z), or None when the scan does not reach there."""
        slices = []
        for axis, values in enumerate((self.z, self.y, self.x)):
            start = int(np.searchsorted(values, low_mm[2 - axis]))
            stop = int(np.searchsorted(values, high_mm[2 - axis], side="right"))
            if stop <= start:
                return None
            slices.append(slice(start, stop))
        return slices[0], slices[1], slices[2]

    def axes(self, box: Box) -> Axes:
        """Coordinates of the voxels of a box."""
        return self.x[box[2]][None, None, :], self.y[box[1]][None, :, None], self.z[box[0]][:, None, None]

    def occupancy(self, distance: np.ndarray) -> np.ndarray:
        """Share of a voxel behind the surface, for a signed distance."""
        return np.clip(np.float32(0.5) - distance * np.float32(1 / self.voxel_mm), 0, 1)

    def lay(self, box: Box, distance: np.ndarray, hu: float | np.ndarray) -> None:
        """Lay a structure of one HU (or of HU per voxel) over what is in the box."""
        view = self.hu[box]
        view += self.occupancy(distance) * (np.asarray(hu, np.float32) - view)

    def lay_bone(self, box: Box, distance: np.ndarray, bone: Bone, *, code: int = 0) -> None:
        """Lay a bone: shell and inside share the voxels that the inner surface crosses. code: marks it."""
        whole = self.occupancy(distance)
        inner = self.occupancy(distance + np.float32(bone.shell_mm))
        view = self.hu[box]
        view *= 1 - whole
        view += (whole - inner) * np.float32(bone.cortical_hu) + inner * np.float32(bone.trabecular_hu)
        if code:
            self.marks[box][distance < 0] = code

    def lay_limb(self, limb: Limb, bone: Bone | float) -> None:
        """Lay one limb in patient coordinates, as bone or as tissue of one HU."""
        box = self.box(*limb.bounds(1.5 * self.voxel_mm))
        if box is None:
            return
        distance = limb_distance(self.axes(box), limb)
        if isinstance(bone, Bone):
            self.lay_bone(box, distance, bone)
        else:
            self.lay(box, distance, float(bone))

    def lay_path(
        self, points: np.ndarray, radii: np.ndarray, bone: Bone | float, up: np.ndarray, *, code: int = 0
    ) -> None:
        """Lay a tube through `points` [n, 3] with `radii` [n, 2] (u, v); v points along `up` [3] or [n, 3]. code: marks
        a bone.

        The pieces are united before they are laid: laying them one by one would put shells across the inside.
        """
        ups = np.broadcast_to(up, points.shape)
        limbs = [
            Limb(tuple(p), tuple(q), tuple(a), tuple(b), tuple(u))
            for p, q, a, b, u in zip(points, points[1:], radii, radii[1:], ups[1:], strict=False)
        ]
        for first in range(0, len(limbs), 4):  # small boxes: a rib's own box is mostly lung
            own = limbs[first : first + 4]
            around = limbs[max(first - 1, 0) : first + 5]
            self.lay_limbs(own, bone, seam_mm=0.5, neighbours=around, code=code)

    def lay_limbs(
        self,
        limbs: list[Limb],
        bone: Bone | float,
        *,
        seam_mm: float = 2.0,
        neighbours: list[Limb] | None = None,
        code: int = 0,
    ) -> None:
        """Lay the union of limbs. `neighbours` take part in the union inside the limbs' box (no shell at a joint).
        code: marks a bone."""
        found = self.union(limbs, seam_mm=seam_mm, neighbours=neighbours)
        if found is None:
            return
        box, distance = found
        if isinstance(bone, Bone):
            self.lay_bone(box, distance, bone, code=code)
        else:
            self.lay(box, distance, float(bone))

    def union(
        self, limbs: list[Limb], *, seam_mm: float, neighbours: list[Limb] | None = None
    ) -> tuple[Box, np.ndarray] | None:
        """The signed distance of a union of limbs in the box that holds them all; far outside it is 50 mm."""
        margin = 1.5 * self.voxel_mm + seam_mm
        corners = [limb.bounds(margin) for limb in limbs]
        box = self.box(np.min([c[0] for c in corners], axis=0), np.max([c[1] for c in corners], axis=0))
        if box is None:
            return None
        distance = np.full([s.stop - s.start for s in box], 50.0, np.float32)
        for limb in neighbours or limbs:
            self.unite(distance, box, limb, seam_mm=seam_mm)
        return box, distance

    def unite(self, distance: np.ndarray, box: Box, limb: Limb, *, seam_mm: float) -> None:
        """Unite `distance`, which covers `box`, with one limb, in place, where the limb is near."""
        part = self.box(*limb.bounds(1.5 * self.voxel_mm + seam_mm))
        if part is None:
            return
        common: Box = tuple(slice(max(p.start, b.start), min(p.stop, b.stop)) for p, b in zip(part, box, strict=True))  # type: ignore[assignment]
        if any(s.stop <= s.start for s in common):
            return
        local = tuple(slice(c.start - b.start, c.stop - b.start) for c, b in zip(common, box, strict=True))
        here = distance[local]
        new = limb_distance(self.axes(common), limb)
        gap = np.maximum(np.float32(seam_mm) - np.abs(here - new), 0)
        np.minimum(here, new, out=here)
        here -= gap * gap * np.float32(0.25 / seam_mm)
