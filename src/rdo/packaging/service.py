"""What a service gets besides its Python modules."""

from __future__ import annotations

from rdo.packaging.spec import Draft


def add(draft: Draft) -> None:
    """Add the service's main package and its files."""
