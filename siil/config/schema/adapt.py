"""`adapt`: learning from scans without labels."""

from __future__ import annotations

from pydantic import Field

from siil.config.schema.base import Section


class Trust(Section):
    """What of its own answer a network may learn from (siil.inference.trust)."""

    background: float = Field(gt=0, lt=0.5, description="O_R below this teaches background; up to `spine` nothing")
    spine: float = Field(gt=0.5, lt=1, description="O_R above this teaches spine")
    confidence: float = Field(gt=0, le=1, description="decoding must be this sure of a name that is to be learnt")
    agreement: float = Field(
        ge=0, le=1, description="share of a vertebra's voxels that the network alone must call so too"
    )


class Adapt(Section):
    """Self-training: label, keep what is trustworthy, train, again."""

    scans: str | None = Field(description="file or folder of scans without labels; null: nothing is adapted")
    levels: str | None = Field(description="levels.tsv: counts that a person knows (docs/results.md); null: none")
    rounds: int = Field(ge=1, description="how often the scans are labelled anew and trained on")
    trust: Trust
