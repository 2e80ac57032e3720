"""`patch` and `model`: what a network is built from. Symbols as in docs/method.md."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from siil.config.schema.base import Section


class Patch(Section):
    """The piece of a volume that the network sees."""

    size_vox: tuple[int, int, int] = Field(description="Z, Y, X in voxels of the working grid")


class Model(Section):
    """The network. Ablations and baselines are overlays of these keys (config/models)."""

    name: Literal["siil", "trunk", "unet", "segresnet", "swin_unetr"] = Field(
        description="siil, its EN and DE alone (trunk), or a baseline from MONAI"
    )
    encoder: Literal["resnet10", "pyramid"] = Field(description="EN: the paper's ResNet-10, or the light pyramid")
    widths: tuple[int, ...] = Field(description="channels per stage of EN: four for resnet10, three for pyramid")
    embed_dim: int = Field(gt=0, description="E, width of a token")
    slices: Literal["flat", "pooled"] = Field(
        description="a slice of F as tokens see it: all its voxels (the paper's), or mean and max of each channel"
    )
    token_channels: int | None = Field(gt=0, description="with slices flat: channels that F is reduced to; null: all")
    masks: Literal["map", "dot"] = Field(
        description="R~ and S~: a linear map of the token (the paper's), or that plus its product with F"
    )
    slice_prior: bool = Field(description="O_S gains log sigmoid(L^) of its slices (not in the paper)")
    heads: int = Field(gt=0, description="heads of every attention")
    decoder: Literal["two", "shared"] = Field(description="DE: two U-Net decoders, or one shared light trunk")
    vertebrae_activation: Literal["softmax", "sigmoid"] = Field(description="O_S over K channels")
    landmarks: bool = Field(
        default=False, description="DE has a head for sacrum and ribs (siil and trunk; not in the paper)"
    )
    interaction: bool = Field(description="false: each stream's queries come from itself (ablation)")
    mill: bool = Field(description="false: L is all ones for the classes that C finds present, no L_L (ablation)")
    ocpl: bool = Field(description="false: R3 = R2 + MLP(LN(R2)); no memory, no prototypes, no L_M (ablation)")
    gru: bool = Field(description="false: e_j from S2 by the linear layer alone (ablation)")
    prototypes: int = Field(gt=0, description="k, prototypes per class")
    memory_slots: int = Field(gt=0, description="q, memory slots per class")
    memory_momentum: float = Field(ge=0, lt=1, description="gamma, share of the old slot kept at a write")
    min_run_mm: float = Field(ge=0, description="runs of L shorter than this are dropped unless cut by the patch, mm")
    max_run_mm: float = Field(gt=0, description="runs of L longer than this are dropped, mm")


class Loss(Section):
    """Weights of the terms of the total loss (docs/method.md); 0 switches a term off exactly."""

    spine: float = Field(ge=0, description="Dice + CE of O_R")
    vertebrae: float = Field(ge=0, description="Dice + CE of O_S")
    instance: float = Field(ge=0, description="Dice + 2 BCE of S~ at low resolution")
    semantic: float = Field(ge=0, description="Dice + BCE of R~ at low resolution")
    localisation: float = Field(ge=0, description="L_L")
    localisation_entropy: float = Field(ge=0, description="weight of the cross-entropy within L_L; 1 is the paper's")
    presence: float = Field(ge=0, description="L_C")
    contrast: float = Field(ge=0, description="L_M")
    landmarks: float = Field(ge=0, description="Dice + BCE of sacrum and ribs, with model.landmarks")
    temperature: float = Field(gt=0, description="tau of L_M")
