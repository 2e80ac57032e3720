"""`evaluate` and `report`: what is measured and what is shown."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from siil.config.schema.base import Section


class Evaluate(Section):
    """Metrics; their edge cases: docs/decisions/0004-metric-conventions.md."""

    surface_tolerances_mm: tuple[float, ...] = Field(description="tolerances of the normalised surface Dice, mm")
    identification_mm: float = Field(gt=0, description="a centroid farther than this is no hit, mm")
    input_grid: bool = Field(description="score on the input's own grid too, beside its ceiling")
    beyond_annotation: Literal["count", "ignore"] = Field(
        description="what is predicted where nobody annotated: count as false (the official way), or ignore",
    )


class Report(Section):
    """Tables, figures and the HTML page."""

    bootstrap: int = Field(ge=100, description="resamples of an interval")
    confidence: float = Field(gt=0, lt=1, description="coverage of an interval")
    seed: int = Field(description="seed of the bootstrap")
    averaging: Literal["scans", "levels"] = Field(
        default="scans",
        description="Dice and distances of `comparison`: over scans (VerSe), or per level, then over levels (nnU-Net)",
    )
    viewer_cases: int = Field(ge=0, description="cases with an interactive viewer in the page, worst and best first")
