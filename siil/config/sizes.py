"""Sizes of the network and its patches that must fit each other: said before anything runs, and where it is built."""

from __future__ import annotations

from siil.config.schema.model import Model
from siil.errors import ConfigError

STAGES = {"resnet10": 4, "pyramid": 3}
"""How many stages an encoder has, each with a width."""
MULTIPLES = {"resnet10": 4, "pyramid": 8}
"""Stride of an encoder where it is deepest."""


def check_sizes(model: Model, patch_vox: tuple[int, int, int]) -> None:
    """Raise ConfigError, naming the key, when the network of `model` cannot be built for patches of this size."""
    for key, sizes in (("patch.size_vox", patch_vox), ("model.widths", model.widths)):
        if not sizes or min(sizes) < 1:
            raise ConfigError(f"{key}: sizes must be at least 1, got {list(sizes)}")
    if model.name in ("siil", "trunk"):
        _check_trunk(model, patch_vox)
    else:
        _check_baseline(model, patch_vox)
    if model.name == "siil":
        _check_core(model)


def _check_core(model: Model) -> None:
    embed = model.embed_dim
    if embed != model.widths[-1]:
        raise ConfigError(f"model.embed_dim: must equal the last of model.widths, {model.widths[-1]}, got {embed}")
    if embed % model.heads:
        raise ConfigError(f"model.heads: must divide model.embed_dim {embed}, got {model.heads}")
    if model.slices == "flat" and (model.token_channels or 0) > embed:
        raise ConfigError(f"model.token_channels: at most model.embed_dim {embed}, got {model.token_channels}")


def _check_trunk(model: Model, patch_vox: tuple[int, int, int]) -> None:
    stages, multiple = STAGES[model.encoder], MULTIPLES[model.encoder]
    if len(model.widths) != stages:
        raise ConfigError(f"model.widths: {model.encoder} has {stages} stages, got {list(model.widths)}")
    if any(size % multiple for size in patch_vox):
        raise ConfigError(
            f"patch.size_vox: {model.encoder} needs sides that are multiples of {multiple}, got {list(patch_vox)}"
        )


def _check_baseline(model: Model, patch_vox: tuple[int, int, int]) -> None:
    multiple = {"unet": 2 ** len(model.widths), "segresnet": 8, "swin_unetr": 32}[model.name]
    # A patch of one voxel at the bottom leaves an instance norm nothing to normalise.
    if any(size % multiple for size in patch_vox) or all(size == multiple for size in patch_vox):
        raise ConfigError(
            f"patch.size_vox: {model.name} needs sides that are multiples of {multiple}, not all equal to it, got "
            f"{list(patch_vox)}"
        )
    if model.name == "segresnet" and model.widths[0] % min(8, model.widths[0]):
        raise ConfigError(f"model.widths: segresnet needs a first width that is a multiple of 8, got {model.widths[0]}")
