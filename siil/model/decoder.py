"""DE, the decoders: from concat(R~, S~, F) and the encoder's skips to O_R and O_S (docs/method.md).

`TwoDecoders` is the paper's; `SharedDecoder` is light, and the default. Both return logits at full size: O_R, O_S and,
with `landmarks`, a 1^3 head on the features of O_R for sacrum and ribs (not in the paper).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from siil.anatomy import LANDMARKS
from siil.model.encoder import ConvNorm, nearest

Answers = tuple[Tensor, Tensor, Tensor | None]
"""O_R [B, 1, Z, Y, X], O_S [B, K, Z, Y, X] and the landmarks [B, 2, Z, Y, X] or None."""


class DoubleConv(nn.Sequential):
    """conv - norm - ReLU, twice."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(ConvNorm(inputs, outputs), ConvNorm(outputs, outputs))


class UNetDecoder(nn.Module):
    """Double convolutions from the low resolution up, trilinear x2 in between, a skip at every step, a 1^3 head."""

    def __init__(self, *, inputs: int, skip_channels: Sequence[int], outputs: int) -> None:
        super().__init__()
        sizes = [2 * skip_channels[0], *skip_channels]
        self.bottom = DoubleConv(inputs, sizes[0])
        self.ups = nn.ModuleList([DoubleConv(below + skip, skip) for below, skip in pairwise(sizes)])
        self.head = nn.Conv3d(sizes[-1], outputs, 1)

    def features(self, low: Float[Tensor, "B c z y x"], skips: Sequence[Tensor]) -> Float[Tensor, "B f Z Y X"]:
        """What the head sees."""
        running = self.bottom(low)
        for up, skip in zip(self.ups, skips, strict=True):
            running = up(torch.cat([trilinear(running), skip], dim=1))
        return running

    def forward(self, low: Float[Tensor, "B c z y x"], skips: Sequence[Tensor]) -> Float[Tensor, "B o Z Y X"]:
        return self.head(self.features(low, skips))


class TwoDecoders(nn.Module):
    """Two U-Net decoders of the same shape, one for O_R, one for O_S."""

    def __init__(self, *, inputs: int, skip_channels: Sequence[int], classes: int, landmarks: bool = False) -> None:
        super().__init__()
        self.spine = UNetDecoder(inputs=inputs, skip_channels=skip_channels, outputs=1)
        self.vertebrae = UNetDecoder(inputs=inputs, skip_channels=skip_channels, outputs=classes)
        self.landmarks = _landmarks(skip_channels[-1]) if landmarks else None

    def forward(self, low: Float[Tensor, "B c z y x"], skips: Sequence[Tensor]) -> Answers:
        features = self.spine.features(low, skips)
        landmarks = None if self.landmarks is None else self.landmarks(features)
        return self.spine.head(features), self.vertebrae(low, skips), landmarks


class SharedDecoder(nn.Module):
    """One light trunk: class logits at stride 2, up-sampled; O_R and landmarks are computed at full resolution."""

    def __init__(
        self, *, inputs: int, trunk: int, skip_channels: Sequence[int], classes: int, landmarks: bool = False
    ) -> None:
        """trunk: width at the lowest resolution."""
        super().__init__()
        *coarse, fine = skip_channels
        sizes = [trunk, *coarse]
        self.bottom = ConvNorm(inputs, trunk)
        self.ups = nn.ModuleList([ConvNorm(below + skip, skip) for below, skip in zip(sizes, coarse, strict=False)])
        self.vertebrae = nn.Conv3d(sizes[-1], classes, 1)
        self.reduce = nn.Conv3d(sizes[-1], fine, 1, bias=False)
        self.fine = ConvNorm(fine, fine)
        self.spine = nn.Conv3d(fine, 1, 1)
        self.landmarks = _landmarks(fine) if landmarks else None

    def forward(self, low: Float[Tensor, "B c z y x"], skips: Sequence[Tensor]) -> Answers:
        running = self.bottom(low)
        for up, skip in zip(self.ups, skips[:-1], strict=True):
            running = up(torch.cat([nearest(running), skip], dim=1))
        fine = self.fine(nearest(self.reduce(running)) + skips[-1])
        landmarks = None if self.landmarks is None else self.landmarks(fine)
        return self.spine(fine), trilinear(self.vertebrae(running)), landmarks


def _landmarks(inputs: int) -> nn.Conv3d:
    """The head of the landmarks, made last: a network without it draws the same other weights."""
    return nn.Conv3d(inputs, len(LANDMARKS), 1)


def trilinear(x: Float[Tensor, "B c z y x"]) -> Float[Tensor, "B c 2*z 2*y 2*x"]:
    """Twice the size, trilinear (half-voxel centres, as torch's align_corners=False).

    On CPUs as three matrix products, one per axis: the same values as torch's kernel in a third of its time or less.
    """
    if x.device.type != "cpu":
        return functional.interpolate(x, scale_factor=2, mode="trilinear", align_corners=False)
    batch, channels, *size = x.shape
    along_z, along_y, along_x = (_doubling(n, x.dtype) for n in size)
    plane = (along_y @ (x @ along_x.T)).flatten(3)
    return (along_z @ plane).view(batch, channels, *(2 * n for n in size))


@cache
def _doubling(n: int, dtype: torch.dtype) -> Float[Tensor, "{2*n} {n}"]:
    """Linear x2 up-sampling of n samples as a matrix: every new sample is 3/4 of its nearest and 1/4 of the next."""
    with torch.inference_mode(False):  # kept for training, also when inference asks for it first
        place = ((torch.arange(2 * n, dtype=torch.float64) + 0.5) / 2 - 0.5).clamp(0, n - 1)
        return (1 - (place[:, None] - torch.arange(n)).abs()).clamp_min(0).to(dtype)
