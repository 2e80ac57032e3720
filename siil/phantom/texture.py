"""Smooth random texture, made slice by slice or box by box so that no second volume is needed."""

from __future__ import annotations

import numpy as np

from siil.phantom.canvas import Box, Canvas


class Texture:
    """Noise of mean 0 and sd 1 that varies over `length_mm`; a function of the random generator's state alone."""

    def __init__(self, rng: np.random.Generator, canvas: Canvas, *, length_mm: float) -> None:
        counts, spacings = canvas.shape, canvas.spacing_mm
        size = [int(n * s / length_mm) + 3 for n, s in zip(counts, spacings, strict=True)]
        self.knots = rng.standard_normal(size, dtype=np.float32)
        self.at = [_weights(n, s / length_mm) for n, s in zip(counts, spacings, strict=True)]

    def box(self, box: Box) -> np.ndarray:
        """The texture in a box, float32 [z, y, x]."""
        values = self.knots
        for axis, part in enumerate(box):
            low, share = (a[part] for a in self.at[axis])
            share = share.reshape([-1 if a == axis else 1 for a in range(3)])
            first = values.take(low, axis)
            values = first + (values.take(low + 1, axis) - first) * share
        return values * np.float32(2.0)  # interpolation between knots shrinks the spread to about a half

    def slice(self, k: int) -> np.ndarray:
        """The texture of slice `k`, float32 [Y, X]."""
        _, y, x = (slice(0, len(a[0])) for a in self.at)
        return self.box((slice(k, k + 1), y, x))[0]


def _weights(count: int, step: float) -> tuple[np.ndarray, np.ndarray]:
    at = np.arange(count) * step
    low = at.astype(int)
    share = (at - low).astype(np.float32)
    return low, share * share * (3 - 2 * share)
