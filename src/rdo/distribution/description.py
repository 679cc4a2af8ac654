"""What a package's description says: only what can't be derived from upstream's metadata."""

from __future__ import annotations

from rdo.distribution.models import Data


class PackageDescription(Data):
    """The description of one project's package, ``packages/<project>/package.yaml``."""

    project: str
