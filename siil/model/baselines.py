"""The baselines, trained, tested and scored by the same rules: networks of MONAI, and SIIL's trunk without its core.

A network of MONAI gives K + 1 channels: the first K are O_S, the last is O_R. None has a core or needs labels.
"""

from __future__ import annotations

from collections.abc import Sequence

from jaxtyping import Float, Integer
from torch import Tensor, nn

from siil.model.network import Network
from siil.model.output import Output


class Baseline(Network):
    """A segmentation network with K + 1 output channels."""

    def __init__(self, *, body: nn.Module, classes: int) -> None:
        super().__init__()
        self.body = body
        self.classes = classes

    def forward(self, image: Float[Tensor, "B 1 Z Y X"], labels: Integer[Tensor, "B Z Y X"] | None = None) -> Output:
        _refuse_labels(self, labels)
        answer = self.body(image)
        return Output(spine=answer[:, self.classes :], vertebrae=answer[:, : self.classes], core=None)


class Trunk(Network):
    """EN and DE of SIIL with nothing between them: what is left when the whole core goes."""

    def __init__(self, *, encoder: nn.Module, decoder: nn.Module) -> None:
        super().__init__()
        self.encoder = encoder
        self.decoder = decoder

    def forward(self, image: Float[Tensor, "B 1 Z Y X"], labels: Integer[Tensor, "B Z Y X"] | None = None) -> Output:
        _refuse_labels(self, labels)
        F, skips = self.encoder(image)
        spine, vertebrae, landmarks = self.decoder(F, skips)
        return Output(spine=spine, vertebrae=vertebrae, core=None, landmarks=landmarks)


def _refuse_labels(network: Network, labels: Tensor | None) -> None:
    if labels is not None and not network.training:
        raise ValueError("labels in eval mode: inference takes the image alone")


def unet(*, widths: Sequence[int], outputs: int) -> nn.Module:
    """MONAI's residual U-Net: a stage per width and one of twice the last, stride 2 between them."""
    from monai.networks.nets import UNet

    return UNet(
        spatial_dims=3,
        in_channels=1,
        out_channels=outputs,
        channels=(*widths, 2 * widths[-1]),
        strides=(2,) * len(widths),
        num_res_units=2,
        norm=("INSTANCE", {"affine": True}),
    )


def segresnet(*, widths: Sequence[int], outputs: int) -> nn.Module:
    """MONAI's SegResNet with the first width as its initial filters; three halvings."""
    from monai.networks.nets import SegResNet

    return SegResNet(
        spatial_dims=3,
        in_channels=1,
        out_channels=outputs,
        init_filters=widths[0],
        norm=("GROUP", {"num_groups": min(8, widths[0])}),
    )


def swin_unetr(*, widths: Sequence[int], outputs: int) -> nn.Module:
    """MONAI's Swin UNETR; its features must be a multiple of 12: 12 at a first width of 16, 24 at 32."""
    from monai.networks.nets import SwinUNETR

    features = 12 * max(1, round(widths[0] / 16))
    return SwinUNETR(in_channels=1, out_channels=outputs, feature_size=features, spatial_dims=3)
