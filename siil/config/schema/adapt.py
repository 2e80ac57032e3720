"""`adapt`: learning from scans without labels."""

from __future__ import annotations

from pydantic import Field

from siil.config.schema.base import Section


class Trust(Section):
    """What of its own answer a network may learn from (siil.inference.trust)."""

    background: float = Field(gt=0, lt=0.5, description="O_R below: background; between the two: teaches nothing")
    spine: float = Field(gt=0.5, lt=1, description="O_R above: spine")
    confidence: float = Field(gt=0, le=1, description="a vertebra whose decoding is less sure has no name")
    agreement: float = Field(
        ge=0, le=1, description="nor one that the network alone calls otherwise in more of its voxels than the rest"
    )


class Adapt(Section):
    """Self-training: label, keep what is trustworthy, train, again."""

    scans: str | None = Field(description="rule adapt: file or folder of the scans; null: no such rule")
    levels: str | None = Field(description="rule adapt: levels.tsv of counts that a person knows, or null")
    rounds: int = Field(ge=1, description="times that the scans are labelled anew and trained on")
    trust: Trust
