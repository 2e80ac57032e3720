"""One small recipe, and a few scans rendered once for all tests of the phantoms."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from siil.config.schema.phantom import PhantomRecipe
from siil.phantom import Scan, sample

REGIONS = ("cervical", "chest", "lumbar")


@pytest.fixture(scope="session")
def make_recipe() -> Callable[..., PhantomRecipe]:
    """A recipe of small scans; keywords replace its values."""

    def build(**changes: Any) -> PhantomRecipe:
        values: dict[str, Any] = {
            "patients": 3,
            "first_seed": 40,
            "second_series": 0,
            "fields_of_view": {"cervical": 1, "lumbar": 1},
            "spacing_xy_mm": (1.4, 1.6),
            "spacing_z_mm": (2.0, 3.0),
            "lateral_fov_mm": (120, 140),
            "rare_anatomy": 0,
            "scoliosis": 0.2,
            "fracture": 0.2,
            "contrast": 0.5,
            "variety": None,
        }
        return PhantomRecipe(**{**values, **changes})

    return build


@pytest.fixture(scope="session")
def scans(make_recipe: Callable[..., PhantomRecipe]) -> dict[str, Scan]:
    """One scan per field of view."""
    return {region: sample(7, make_recipe(fields_of_view={region: 1})) for region in REGIONS}
