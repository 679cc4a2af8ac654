"""The base of what the building room passes around."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Value(BaseModel):
    """Base of the building room's values; they cross process borders."""

    model_config = ConfigDict(extra="forbid", frozen=True)
