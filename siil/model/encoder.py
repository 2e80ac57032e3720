"""EN, the encoders, and C, the presence head (docs/method.md).

An encoder returns F and the skip connections of the decoders, coarse to fine. No convolution before a norm has a bias:
the norm removes it.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

Features = tuple[Tensor, list[Tensor]]
"""F [B, E, z, y, x] and the skips, coarse to fine; the last is at full resolution."""


class InstanceNorm(nn.Module):
    """Instance norm with affine, as a group norm with a group per channel: same values, the faster kernel on CPUs."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Float[Tensor, "B c Z Y X"]) -> Float[Tensor, "B c Z Y X"]:
        return functional.group_norm(x, x.shape[1], self.weight, self.bias)


def conv(inputs: int, outputs: int, *, kernel: int = 3, stride: int = 1) -> nn.Conv3d:
    """A convolution that a norm follows: same size (divided by the stride), no bias."""
    return nn.Conv3d(inputs, outputs, kernel, stride=stride, padding=kernel // 2, bias=False)


class ConvNorm(nn.Sequential):
    """conv - instance norm - ReLU."""

    def __init__(self, inputs: int, outputs: int, *, kernel: int = 3, stride: int = 1) -> None:
        super().__init__(
            conv(inputs, outputs, kernel=kernel, stride=stride), InstanceNorm(outputs), nn.ReLU(inplace=True)
        )


class Residual(nn.Module):
    """Basic block: conv - norm - ReLU - conv - norm, added to the input (projected where the shape changes), ReLU."""

    def __init__(self, inputs: int, outputs: int, *, stride: int) -> None:
        super().__init__()
        self.first = ConvNorm(inputs, outputs, stride=stride)
        self.second = nn.Sequential(conv(outputs, outputs), InstanceNorm(outputs))
        self.project: nn.Module = nn.Identity()
        if stride != 1 or inputs != outputs:
            self.project = nn.Sequential(conv(inputs, outputs, kernel=1, stride=stride), InstanceNorm(outputs))

    def forward(self, x: Float[Tensor, "B c Z Y X"]) -> Float[Tensor, "B d z y x"]:
        return functional.relu(self.second(self.first(x)) + self.project(x))


class ResNet10(nn.Module):
    """The paper's EN: stem 7^3, four stages of one basic block with strides 1, 2, 2, 1. Total stride 4."""

    stride = 4
    deepest_stride = 4

    def __init__(self, *, widths: Sequence[int]) -> None:
        super().__init__()
        first, second, third, fourth = widths
        self.stem = ConvNorm(1, first, kernel=7)
        self.stage1 = Residual(first, first, stride=1)
        self.stage2 = Residual(first, second, stride=2)
        self.stage3 = Residual(second, third, stride=2)
        self.stage4 = Residual(third, fourth, stride=1)
        self.channels = fourth
        self.skip_channels: tuple[int, ...] = (second, first)

    def forward(self, image: Float[Tensor, "B 1 Z Y X"]) -> Features:
        fine = self.stage1(self.stem(image))
        half = self.stage2(fine)
        return self.stage4(self.stage3(half)), [half, fine]


class Pyramid(nn.Module):
    """The light EN: stages at strides 1, 2, 4, 8, merged at stride 2. The coarse stages see far and cost little.

    The last merge is a 1^3 convolution: the decoder's first one is 3^3 at the same stride, and two of them would be
    half of the network's arithmetic.
    """

    stride = 2
    deepest_stride = 8

    def __init__(self, *, widths: Sequence[int]) -> None:
        super().__init__()
        first, second, third = widths
        self.stage1 = ConvNorm(1, first, kernel=5)
        self.stage2 = nn.Sequential(ConvNorm(first, second, stride=2), ConvNorm(second, second))
        self.stage3 = nn.Sequential(ConvNorm(second, third, stride=2), ConvNorm(third, third))
        self.stage4 = nn.Sequential(ConvNorm(third, 2 * third, stride=2), ConvNorm(2 * third, 2 * third))
        self.merge4 = ConvNorm(2 * third + third, third)
        self.merge2 = ConvNorm(third + second, third, kernel=1)
        self.channels = third
        self.skip_channels: tuple[int, ...] = (first,)

    def forward(self, image: Float[Tensor, "B 1 Z Y X"]) -> Features:
        fine = self.stage1(image)
        half = self.stage2(fine)
        quarter = self.stage3(half)
        merged = self.merge4(torch.cat([nearest(self.stage4(quarter)), quarter], dim=1))
        return self.merge2(torch.cat([nearest(merged), half], dim=1)), [fine]


def nearest(x: Float[Tensor, "B c z y x"]) -> Float[Tensor, "B c 2*z 2*y 2*x"]:
    """Twice the size, nearest neighbours: cheap in bfloat16 on CPUs, where trilinear up-sampling is not."""
    return functional.interpolate(x, scale_factor=2, mode="nearest")


class Presence(nn.Module):
    """C: which vertebrae are in this patch?

    Pools mean *and* max: an instance norm fixes each channel's mean, so the mean alone is the same for every patch.
    """

    def __init__(self, *, channels: int, classes: int) -> None:
        super().__init__()
        self.linear = nn.Linear(2 * channels, classes - 1)

    def forward(self, features: Float[Tensor, "B E z y x"]) -> Float[Tensor, "B J"]:
        """Logits of the J = K - 1 vertebrae."""
        flat = features.flatten(2)
        return self.linear(torch.cat([flat.mean(dim=2), flat.amax(dim=2)], dim=1))
