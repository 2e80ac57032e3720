"""EN and DE on one patch [c, Z, Y, X] (docs/method.md). Convolutions are torch's."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from tests.oracle.blocks import EPS, Params, Vector, linear

Volume = Float[Tensor, "c z y x"]


def convolve(p: Params, name: str, x: Volume, stride: int = 1) -> Volume:
    weight = p[f"{name}.weight"]
    y = functional.conv3d(x[None], weight, p.get(f"{name}.bias"), stride=stride, padding=weight.shape[-1] // 2)
    return y[0]


def instance_norm(p: Params, name: str, x: Volume) -> Volume:
    channels = []
    for channel, weight, bias in zip(x, p[f"{name}.weight"], p[f"{name}.bias"], strict=True):
        centred = channel - channel.mean()
        channels.append(centred / (centred.square().mean() + EPS).sqrt() * weight + bias)
    return torch.stack(channels)


def conv_norm(p: Params, name: str, x: Volume, stride: int = 1) -> Volume:
    """conv - instance norm - ReLU."""
    return instance_norm(p, f"{name}.1", convolve(p, f"{name}.0", x, stride)).relu()


def residual(p: Params, name: str, x: Volume, stride: int) -> Volume:
    """Basic block; the shortcut is projected where the shape changes."""
    inside = conv_norm(p, f"{name}.first", x, stride)
    inside = instance_norm(p, f"{name}.second.1", convolve(p, f"{name}.second.0", inside))
    if inside.shape == x.shape:
        return (inside + x).relu()
    return (inside + instance_norm(p, f"{name}.project.1", convolve(p, f"{name}.project.0", x, stride))).relu()


def nearest(x: Volume) -> Volume:
    return x.repeat_interleave(2, 1).repeat_interleave(2, 2).repeat_interleave(2, 3)


def trilinear(x: Volume) -> Volume:
    return functional.interpolate(x[None], scale_factor=2, mode="trilinear", align_corners=False)[0]


def resnet10(p: Params, image: Volume) -> tuple[Volume, list[Tensor]]:
    """F and the skips, coarse to fine."""
    fine = residual(p, "encoder.stage1", conv_norm(p, "encoder.stem", image), 1)
    half = residual(p, "encoder.stage2", fine, 2)
    quarter = residual(p, "encoder.stage3", half, 2)
    return residual(p, "encoder.stage4", quarter, 1), [half, fine]


def pyramid(p: Params, image: Volume) -> tuple[Volume, list[Tensor]]:
    """Strides 1, 2, 4, 8, merged at 2; the skip is the full-resolution stage alone."""
    fine = conv_norm(p, "encoder.stage1", image)
    stages = [fine]
    for stage in ("stage2", "stage3", "stage4"):
        below = conv_norm(p, f"encoder.{stage}.0", stages[-1], 2)
        stages.append(conv_norm(p, f"encoder.{stage}.1", below))
    _, half, quarter, eighth = stages
    merged = conv_norm(p, "encoder.merge4", torch.cat([nearest(eighth), quarter]))
    return conv_norm(p, "encoder.merge2", torch.cat([nearest(merged), half])), [fine]


def presence(p: Params, F: Volume) -> Vector:
    """C: the mean and the max of every channel, then a linear map."""
    means = torch.stack([channel.mean() for channel in F])
    maxima = torch.stack([channel.max() for channel in F])
    return linear(p, "presence.linear", torch.cat([means, maxima]))


def two_decoders(p: Params, low: Volume, skips: list[Tensor]) -> tuple[Volume, Volume]:
    """O_R and O_S of two U-Net decoders."""
    answers = []
    for name in ("decoder.spine", "decoder.vertebrae"):
        x = conv_norm(p, f"{name}.bottom.1", conv_norm(p, f"{name}.bottom.0", low))
        for step, skip in enumerate(skips):
            x = conv_norm(p, f"{name}.ups.{step}.0", torch.cat([trilinear(x), skip]))
            x = conv_norm(p, f"{name}.ups.{step}.1", x)
        answers.append(convolve(p, f"{name}.head", x))
    return answers[0], answers[1]


def shared_decoder(p: Params, low: Volume, skips: list[Tensor]) -> tuple[Volume, Volume]:
    """One trunk, up to stride 2: O_S from there, up-sampled; O_R at full resolution."""
    trunk = conv_norm(p, "decoder.bottom", low)
    for step, skip in enumerate(skips[:-1]):
        trunk = conv_norm(p, f"decoder.ups.{step}", torch.cat([nearest(trunk), skip]))
    fine = conv_norm(p, "decoder.fine", nearest(convolve(p, "decoder.reduce", trunk)) + skips[-1])
    return convolve(p, "decoder.spine", fine), trilinear(convolve(p, "decoder.vertebrae", trunk))
