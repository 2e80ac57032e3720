"""EN: strides, skips and norms."""

from __future__ import annotations

import torch
from torch import nn

from siil.model.encoder import ConvNorm, InstanceNorm, Pyramid, Residual, ResNet10


def test_resnet10_has_stride_4_and_skips_at_strides_2_and_1() -> None:
    encoder = ResNet10(widths=(4, 6, 8, 10))
    F, skips = encoder(torch.randn(2, 1, 16, 8, 8))
    assert F.shape == (2, 10, 4, 2, 2)
    assert [tuple(skip.shape[1:]) for skip in skips] == [(6, 8, 4, 4), (4, 16, 8, 8)]
    assert encoder.skip_channels == (6, 4)
    assert encoder.stem[0].kernel_size == (7, 7, 7)


def test_the_pyramid_has_stride_2_and_sees_further_than_its_convolutions() -> None:
    encoder = Pyramid(widths=(4, 6, 32)).double()
    image = torch.randn(1, 1, 64, 16, 16, dtype=torch.float64, requires_grad=True)
    F, skips = encoder(image)
    assert F.shape == (1, 32, 32, 8, 8)
    assert skips[0].shape == (1, 4, 64, 16, 16)
    for module in encoder.modules():  # a norm sees the whole map: without it the convolutions alone are left
        if isinstance(module, InstanceNorm):
            module.forward = lambda x: x  # type: ignore[method-assign]
    F, _ = encoder(image)
    (seen,) = torch.autograd.grad(F[0, :, 16, 4, 4].sum(), image)
    rows = seen.abs().amax(dim=(0, 1, 3, 4)).nonzero()
    assert rows.max() - rows.min() > 48  # its convolutions at strides 1 and 2 alone would see 21


def test_the_norm_is_an_affine_instance_norm() -> None:
    x = torch.randn(2, 3, 4, 4, 4)
    norm, reference = InstanceNorm(3), nn.InstanceNorm3d(3, affine=True)
    for module in (norm, reference):
        module.weight.data = torch.tensor([1.0, 2.0, 3.0])
        module.bias.data = torch.tensor([0.0, 1.0, -1.0])
    torch.testing.assert_close(norm(x), reference(x))


def test_no_convolution_before_a_norm_has_a_bias() -> None:
    for module in (ConvNorm(2, 3), Residual(2, 3, stride=2), ResNet10(widths=(2, 2, 2, 2)), Pyramid(widths=(2, 2, 2))):
        assert all(part.bias is None for part in module.modules() if isinstance(part, nn.Conv3d))
