"""The licences that packages may have: ``licences.yaml``, one list for all platforms."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from rdo.distribution.models import Data
from rdo.distribution.yamlfile import load_yaml


class LicencesFile(Data):
    """The file: SPDX identifiers, and ``identifier WITH exception`` where the exception is what allows it."""

    allowed: tuple[str, ...] = Field(min_length=1)


def load_licences(path: Path) -> frozenset[str]:
    """Read the list; it is empty where there is no file, so that nothing is checked.

    :raises DataError: all mistakes in it
    """
    return frozenset(load_yaml(path, LicencesFile).allowed) if path.is_file() else frozenset()
