"""From configuration to network: the only place in siil.model that reads it, and that knows sizes."""

from __future__ import annotations

from torch import nn

from siil.anatomy import CLASSES
from siil.config.schema.model import Model
from siil.config.sizes import check_sizes
from siil.model.attention import FeedForward, InstanceStack, PrototypeAttention, SelfAttention
from siil.model.baselines import Baseline, Trunk, segresnet, swin_unetr, unet
from siil.model.decoder import SharedDecoder, TwoDecoders
from siil.model.encoder import Presence, Pyramid, ResNet10
from siil.model.mill import Mill
from siil.model.network import Network
from siil.model.ocpl import Ocpl
from siil.model.siil import Siil
from siil.model.tokens import FlatSlices, InstanceMap, InstanceTokens, PooledSlices, SemanticMap, SliceTokens


def build_network(*, model: Model, patch_vox: tuple[int, int, int], spacing_mm: float) -> Network:
    """The network that `model` describes, with random weights from torch's generator.

    Args:
        model: section of the configuration.
        patch_vox: Z, Y, X of the patches that it will see; SIIL's token maps depend on them.
        spacing_mm: of the working grid; limits on the height of a vertebra are in millimetres.

    Raises:
        ConfigError: sizes that do not fit each other, naming the key.
    """
    check_sizes(model, patch_vox)
    if model.name == "siil":
        return _siil(model, patch_vox, spacing_mm)
    if model.name == "trunk":
        encoder = _encoder(model)
        return Trunk(encoder=encoder, decoder=_decoder(model, encoder, inputs=encoder.channels))
    make = {"unet": unet, "segresnet": segresnet, "swin_unetr": swin_unetr}[model.name]
    return Baseline(body=make(widths=model.widths, outputs=CLASSES + 1), classes=CLASSES)


def _siil(model: Model, patch_vox: tuple[int, int, int], spacing_mm: float) -> Siil:
    encoder = _encoder(model)
    embed, heads = model.embed_dim, model.heads
    slices, *side = (size // encoder.stride for size in patch_vox)
    side_vox = (side[0], side[1])
    rows = _slices(model, side_vox)
    return Siil(
        encoder=encoder,
        presence=Presence(channels=embed, classes=CLASSES),
        slices=rows,
        slice_tokens=SliceTokens(inputs=rows.size, embed=embed),
        slice_attention=SelfAttention(embed=embed, heads=heads),
        mill=Mill(
            embed=embed,
            classes=CLASSES,
            slices=slices,
            slice_mm=encoder.stride * spacing_mm,
            min_run_mm=model.min_run_mm,
            max_run_mm=model.max_run_mm,
            enabled=model.mill,
        ),
        instance_tokens=InstanceTokens(inputs=rows.size, embed=embed),
        instance_stack=InstanceStack(embed=embed, heads=heads, interaction=model.interaction),
        ocpl=_ocpl(model),
        second_exchange=_second_exchange(model),
        second_stack=InstanceStack(embed=embed, heads=heads, interaction=model.interaction),
        semantic_map=SemanticMap(side_vox=side_vox, embed=embed, dot=model.masks == "dot"),
        instance_map=InstanceMap(side_vox=side_vox, embed=embed, dot=model.masks == "dot"),
        decoder=_decoder(model, encoder, inputs=1 + CLASSES + encoder.channels),
        stride=encoder.stride,
        classes=CLASSES,
        prior=model.slice_prior and model.mill,
    )


def _slices(model: Model, side_vox: tuple[int, int]) -> FlatSlices | PooledSlices:
    if model.slices == "pooled":
        return PooledSlices(channels=model.embed_dim)
    kept = model.token_channels or model.embed_dim
    return FlatSlices(channels=model.embed_dim, token_channels=kept, side_vox=side_vox)


def _ocpl(model: Model) -> Ocpl | None:
    if not model.ocpl:
        return None
    return Ocpl(
        embed=model.embed_dim,
        classes=CLASSES,
        slots=model.memory_slots,
        prototypes=model.prototypes,
        momentum=model.memory_momentum,
        gru=model.gru,
    )


def _second_exchange(model: Model) -> PrototypeAttention | FeedForward:
    if not model.ocpl:
        return FeedForward(embed=model.embed_dim)
    return PrototypeAttention(
        embed=model.embed_dim, heads=model.heads, prototypes=model.prototypes, interaction=model.interaction
    )


def _encoder(model: Model) -> ResNet10 | Pyramid:
    return ResNet10(widths=model.widths) if model.encoder == "resnet10" else Pyramid(widths=model.widths)


def _decoder(model: Model, encoder: ResNet10 | Pyramid, *, inputs: int) -> nn.Module:
    skips = encoder.skip_channels
    if model.decoder == "two":
        return TwoDecoders(inputs=inputs, skip_channels=skips, classes=CLASSES, landmarks=model.landmarks)
    return SharedDecoder(
        inputs=inputs, trunk=encoder.channels, skip_channels=skips, classes=CLASSES, landmarks=model.landmarks
    )
