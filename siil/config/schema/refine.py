"""`refine`: the second look, which segments each vertebra again in a crop of its own at a fine spacing."""

from __future__ import annotations

from pydantic import Field

from siil.config.schema.base import Section
from siil.config.schema.training import Augment


class Refine(Section):
    """The second look: its crops, its network and how it learns."""

    enabled: bool = Field(
        description="true: a second look is trained after each first one, and the step test uses it (inference.refine)"
    )
    spacing_mm: float = Field(gt=0, description="of the crops, mm; a scan is never refined beyond its finest axis")
    margin_mm: float = Field(ge=0, description="around what the first look saw of a vertebra, mm")
    window_hu: tuple[float, float] = Field(description="HU that are mapped to [-1, 1], lowest and highest")
    widths: tuple[int, int, int] = Field(description="channels at 2, 4 and 8 voxels")
    init_weights: str | None = Field(description="second_look.safetensors to start from; null: from scratch")
    first: str | None = Field(description="weights file of the first look; null: those of the same training")
    coarsest_mm: float = Field(gt=0, description="a scan whose finest axis is coarser teaches nothing, mm")
    cases: int | None = Field(ge=1, description="at most this many training cases of each source; null: all")
    patch_vox: tuple[int, int, int] = Field(description="Z, Y, X of the patches of crops in training; multiples of 8")
    epochs: int = Field(ge=1, description="number of epochs; validation after each")
    steps_per_epoch: int = Field(ge=1, description="optimiser steps of an epoch")
    batch_size: int = Field(ge=1, description="patches per step")
    shares: dict[str, float] = Field(description="source -> share of the patches; empty: every crop equally often")
    learning_rate: float = Field(gt=0, description="of AdamW, falling to 0 by a cosine")
    weight_decay: float = Field(ge=0, description="of AdamW")
    average: float = Field(ge=0, lt=1, description="share that a running mean of the weights keeps at a step; 0: none")
    validate_crops: int = Field(ge=1, description="at most this many crops of validation cases")
    perturb: float = Field(
        ge=0, le=1, description="probability of each kind of error that the first look's maps are given in training"
    )
    half: bool = Field(description="second_look.safetensors in float16: half the size")
    augment: Augment
