"""`inference`: sliding window, whole-scan decoding, and what is reported per vertebra."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from siil.schema.base import Section


class Decode(Section):
    """Explicit-duration Viterbi along the centreline (method.md, section 12)."""

    enabled: bool = Field(description="false: the label of a voxel is the network's arg max")
    evidence_weight: float = Field(gt=0, description="weight of a cross-section's evidence against the priors")
    duration_weight: float = Field(ge=0, description="weight of the anatomical durations")
    duration_sigma: float = Field(gt=0, description="relative standard deviation of a duration")
    distance_mm: float = Field(gt=0, description="a voxel loses 1 nat per this distance from a label's interval, mm")
    prior_t13: float = Field(description="log prior of a T13")
    prior_l6: float = Field(description="log prior of an L6")
    prior_no_t12: float = Field(description="log prior of a missing T12")
    uncertain_margin: float = Field(ge=0, description="runner-up closer than this: enumeration uncertain, nats")


class Inference(Section):
    """From a working-grid volume to labels."""

    overlap: float = Field(ge=0, lt=1, description="share of a window covered by the next one")
    blending: Literal["gaussian", "hann"] = Field(description="weights of a window's voxels")
    batch_size: int = Field(ge=1, description="windows per forward pass")
    spine_threshold: float = Field(gt=0, lt=1, description="O_R above: spine")
    flip: bool = Field(description="test-time front-back and up-down flips; off, they do not pay")
    min_volume_mm3: float = Field(ge=0, description="smaller vertebrae are dropped, mm3")
    decode: Decode
