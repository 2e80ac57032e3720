"""DE: up-sampling, shapes, and the two decoders."""

from __future__ import annotations

from functools import partial

import pytest
import torch
from torch.nn import functional

from siil.model.decoder import SharedDecoder, TwoDecoders, trilinear
from siil.model.encoder import Pyramid, ResNet10


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_trilinear_equals_torchs(dtype: torch.dtype) -> None:
    x = torch.randn(2, 3, 4, 6, 5, generator=torch.Generator().manual_seed(0)).to(dtype)
    expected = functional.interpolate(x.double(), scale_factor=2, mode="trilinear", align_corners=False)
    found = trilinear(x)
    assert found.dtype == dtype
    tolerance = {torch.float32: 1e-6, torch.float64: 1e-14, torch.bfloat16: 3e-2}[dtype]
    torch.testing.assert_close(found.double(), expected, rtol=tolerance, atol=tolerance)


def test_trilinear_can_be_trained_after_inference_asked_for_it_first() -> None:
    with torch.inference_mode():
        trilinear(torch.zeros(1, 1, 3, 11, 13))
    x = torch.zeros(1, 1, 3, 11, 13, requires_grad=True)
    trilinear(x).sum().backward()
    torch.testing.assert_close(x.grad, torch.full_like(x, 8.0))


@pytest.mark.parametrize("kind", ["two", "shared"])
@pytest.mark.parametrize("widths", [(4, 6, 8), (4, 6, 8, 10)])
def test_every_decoder_fits_every_encoder(kind: str, widths: tuple[int, ...]) -> None:
    encoder = Pyramid(widths=widths) if len(widths) == 3 else ResNet10(widths=widths)
    F, skips = encoder(torch.randn(1, 1, 16, 16, 16))
    assert F.shape == (1, widths[-1], *(16 // encoder.stride,) * 3)
    if kind == "two":
        make = partial(TwoDecoders, inputs=widths[-1], skip_channels=encoder.skip_channels, classes=5)
    else:
        make = partial(
            SharedDecoder, inputs=widths[-1], trunk=widths[-1], skip_channels=encoder.skip_channels, classes=5
        )
    assert make()(F, skips)[2] is None
    spine, vertebrae, landmarks = make(landmarks=True)(F, skips)
    assert landmarks.shape == (1, 2, 16, 16, 16)
    assert spine.shape == (1, 1, 16, 16, 16)
    assert vertebrae.shape == (1, 5, 16, 16, 16)


def test_the_two_decoders_have_the_same_shape_and_no_weights_in_common() -> None:
    two = TwoDecoders(inputs=8, skip_channels=(6, 4), classes=5)
    shapes = [
        {n: p.shape for n, p in part.named_parameters() if "head" not in n} for part in (two.spine, two.vertebrae)
    ]
    assert shapes[0] == shapes[1]
    assert not {id(p) for p in two.spine.parameters()} & {id(p) for p in two.vertebrae.parameters()}
