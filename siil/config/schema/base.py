"""What every section of the configuration has in common: frozen, no unknown keys, a description per field."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """A part of the configuration. Values live in config/*.yaml; here stand names, types, units and reasons."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)
