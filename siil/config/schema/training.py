"""`train`: the optimiser, its phases, the patches and their augmentation."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from siil.config.schema.base import Section


class Augment(Section):
    """At most one of affine, elastic and noise per patch, appearance beside it. Only the second look's are mirrored."""

    probability: float = Field(ge=0, le=1, description="probability that a patch is augmented")
    scale: float = Field(ge=0, lt=1, description="affine: largest relative change of size")
    rotation_deg: float = Field(ge=0, description="affine: largest rotation about each axis, degrees")
    elastic_mm: float = Field(ge=0, description="elastic: standard deviation of the displacement, mm")
    noise_hu: float = Field(ge=0, description="noise: standard deviation, HU")
    appearance: float = Field(
        ge=0, le=1, description="probability of each change of the image's look (tone, slices, kernel, streaks, noise)"
    )
    shorten: float = Field(ge=0, le=1, description="probability that a patch is cut to a slab, as by a scan's end")


class Round(Section):
    """A part of a training that goes on from the one before, over other scans or at another rate."""

    epochs: int = Field(ge=1, description="number of epochs")
    learning_rate: float = Field(gt=0, description="where the round's schedule begins")
    shares: dict[str, float] = Field(description="source -> share of the patches; empty: every case equally often")


class Train(Section):
    """Training is counted in optimiser steps; an epoch is `steps_per_epoch` of them."""

    seed: int = Field(ge=0, description="seed of weights, patches and augmentation")
    rounds: tuple[Round, ...] = Field(
        description="rounds one after the other, instead of the one that epochs, learning_rate and shares describe; "
        "the best epoch is chosen from the last round"
    )
    epochs: int = Field(ge=1, description="number of epochs")
    steps_per_epoch: int | None = Field(description="null: two patches per case and epoch, as in the paper")
    shares: dict[str, float] = Field(
        description="source -> share of the patches; empty: every case equally often, whatever its source"
    )
    batch_size: int = Field(ge=1, description="patches per step over all processes")
    encoder_epochs: float = Field(ge=0, description="phase 1 ends here: only EN and C are updated")
    teacher_epochs: float = Field(ge=0, description="phase 2 ends here: L comes from the ground truth until then")
    learning_rate: float = Field(gt=0, description="of AdamW")
    weight_decay: float = Field(ge=0, description="of AdamW")
    schedule: Literal["step", "cosine"] = Field(description="step: the paper's; cosine: for short budgets")
    decay: float = Field(gt=0, le=1, description="schedule step: factor")
    decay_every_epochs: float = Field(gt=0, description="schedule step: epochs between two factors")
    average: float = Field(
        ge=0,
        lt=1,
        description="share that a running mean of the weights keeps at a step; the mean is what is kept; 0: no mean",
    )
    clip_norm: float | None = Field(description="largest norm of the gradient; null: none")
    precision: Literal["32-true", "bf16-mixed", "16-mixed"] = Field(
        description="Lightning Fabric's name; bf16-mixed becomes 32-true on CPUs without AVX-512"
    )
    validate_every_epochs: int = Field(
        ge=1, description="epochs between two validations; the last epoch of a round always validates"
    )
    validate_cases: int | None = Field(description="at most this many validation cases each time; null: all")
    patience: int | None = Field(description="stop after this many validations without a better score; null: never")
    checkpoint_every_steps: int = Field(ge=1, description="steps between two writes of last.ckpt")
    init_weights: str | None = Field(description="safetensors file to start from (fine-tuning); null: from scratch")
    half: bool = Field(description="write weights.safetensors in float16, for half the size")
    augment: Augment
