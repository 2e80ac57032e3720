"""The recipe of a phantom source: how many scans, of what, drawn from which seed."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from siil.config.schema.base import Section

FieldOfView = Literal["cervical", "chest", "abdomen", "lumbar", "whole"]


class Variety(Section):
    """Beyond the textbook (siil.phantom.variety), for networks that are to read real scans."""

    asymmetry: float = Field(ge=0, le=0.2, description="standard deviation of a side's size over the vertebra's mean")
    slip: float = Field(ge=0, le=1, description="share of the patients with a vertebra that slid forward")
    fusion: float = Field(ge=0, le=1, description="share of the patients with fused vertebrae")
    implants: float = Field(ge=0, le=1, description="share of the patients with pedicle screws and rods, or cement")
    arms: float = Field(ge=0, le=1, description="share of the patients whose arms lie in the field of view")
    askew: float = Field(ge=0, le=1, description="share of the patients who lie turned or tilted")
    uneven_bone: float = Field(
        ge=0, le=1, description="share of the patients with an uneven cortex, and fat in and around the arches"
    )
    ribs: float = Field(
        ge=0, le=1, description="standard deviation of the logarithm of the length of the ribs 11 to 13"
    )
    clothing: float = Field(ge=0, le=1, description="share of the scans of a dressed patient")
    circle: float = Field(ge=0, le=1, description="share of the scans with padding outside the reconstruction circle")
    hard_kernel: float = Field(ge=0, le=1, description="share of the scans with a sharp kernel and strong noise")


class PhantomRecipe(Section):
    """Parametric spine CT scans (siil.phantom)."""

    patients: int = Field(ge=1, description="number of patients; some get more than one series")
    first_seed: int = Field(ge=0, description="patient n is drawn from seed first_seed + n alone")
    second_series: float = Field(ge=0, le=1, description="share of the patients with a second series")
    fields_of_view: dict[FieldOfView, float] = Field(
        min_length=1, description="weight of each field of view: cervical, chest, abdomen, lumbar, whole"
    )
    spacing_xy_mm: tuple[float, float] = Field(description="range of the in-plane pixel spacing, mm")
    spacing_z_mm: tuple[float, float] = Field(description="range of the slice spacing, mm")
    lateral_fov_mm: tuple[float, float] = Field(
        description="range of the reconstructed in-plane field of view, mm; widened where it would cut a vertebra"
    )
    rare_anatomy: float = Field(
        ge=0, le=1, description="share of the patients with T13, L6 or T11 as the last rib-bearing level"
    )
    scoliosis: float = Field(ge=0, le=1, description="share of the patients with a scoliosis above 10 degrees")
    fracture: float = Field(ge=0, le=1, description="share of the patients with a compression fracture")
    contrast: float = Field(ge=0, le=1, description="share of the scans with contrast agent")
    variety: Variety | None = Field(description="null: none of it, and slices without thickness")
