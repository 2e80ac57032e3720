"""`inference`: sliding window, whole-scan decoding, and what is reported per vertebra."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from siil.config.schema.base import Section


class Decode(Section):
    """Explicit-duration Viterbi along the centreline (docs/decoding.md)."""

    enabled: bool = Field(description="false: the label of a voxel is the network's arg max")
    evidence_weight: float = Field(gt=0, description="weight of the network's log evidence, nats per nat and mm")
    duration_weight: float = Field(
        ge=0,
        description="weight of the log probability of a duration, a label's length on the centreline, nats per nat",
    )
    duration_sigma: float = Field(gt=0, description="standard deviation of a duration over its anatomical mean")
    scale_sigma: float = Field(gt=0, description="standard deviation of the log of a patient's size over the average")
    disc_weight: float = Field(ge=0, description="a change of label in a complete gap between bodies gains this, nats")
    distance_mm: float = Field(gt=0, description="a voxel loses 1 nat per this distance from a label's interval, mm")
    prior_t13: float = Field(le=0, description="log rate of a T13, nats")
    prior_no_t12: float = Field(le=0, description="log rate of a missing T12, nats")
    prior_l6: float = Field(le=0, description="log rate of an L6, nats")
    prior_hidden: float = Field(
        le=0,
        description="added for T13 and a missing T12 where the scan does not show the borders to count between, nats; "
        "neither is the answer there, and the answer is flagged if one of them still fits best",
    )
    prior_outside: float = Field(
        le=0,
        description="log prior that O_R misses the spine above a first label other than C1 or below one above L5, or "
        "that a vertebra is left without a name below L5",
    )
    rib_weight: float = Field(ge=0, description="a mm of the spine with ribs costs a name that does not fit it, nats")
    sacrum_weight: float = Field(
        ge=0, description="a mm right above the sacrum costs a name other than L4 to L6, one below it any name, nats"
    )
    uncertain_margin: float = Field(ge=0, description="runner-up closer than this: enumeration uncertain, nats")
    uncertain_margin_c1: float = Field(
        ge=0, description="the same where the spine begins in view with C1, which all others are counted from, nats"
    )
    uncertain_below: int = Field(
        ge=0, description="fewer well-visible vertebrae than this: too few to tell names by, enumeration uncertain"
    )
    uncertain_unusual: bool = Field(
        description="an answer with T13 or L6 or without T12 is always uncertain: one person in ten or twenty has it"
    )
    uncertain_renamed: float = Field(
        ge=0, le=1, description="more than this share of the vertebrae named otherwise by the network alone: uncertain"
    )
    confidence_slope: float = Field(
        gt=0,
        description="factor from the decoding's log odds of a name to those that are reported",
    )
    confidence_offset: float = Field(description="added after it; slope 1 and offset 0 report what decoding says")
    confidence_doubted: float = Field(
        ge=0,
        le=1,
        description="in a scan that is flagged no name has more confidence than this: the share of names that are "
        "right in flagged scans",
    )


class Inference(Section):
    """From a working-grid volume to labels."""

    overlap: float = Field(ge=0, lt=1, description="share of a window covered by the next one")
    blending: Literal["gaussian", "hann"] = Field(description="weights of a window's voxels")
    batch_size: int = Field(ge=1, description="windows per forward pass")
    localise: bool = Field(description="look first with windows side by side, then compute only where they see spine")
    precision: Literal["32-true", "bf16-mixed", "16-mixed"] = Field(
        description="Lightning Fabric's name; bf16-mixed becomes 32-true on CPUs without AVX-512"
    )
    spine_threshold: float = Field(ge=0.1, lt=1, description="a voxel is spine where O_R is above this")
    flip: bool = Field(description="average over front-back and up-down flips, four times the work")
    min_volume_mm3: float = Field(
        ge=0, description="smaller vertebrae are dropped, and pieces of a cut one that are smaller than half of it, mm3"
    )
    refine: bool = Field(
        description="a second look at each vertebra, where one was trained; false: the masks are the first look's"
    )
    decode: Decode
