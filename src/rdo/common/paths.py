"""Where things are kept on this machine.

State (what must not be lost) and cache (what can be made again) are apart. The settings say where they are.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Paths:
    """The folders of one installation. None of them is made by looking at it."""

    state: Path
    cache: Path
    distribution: Path

    @property
    def sources(self) -> Path:
        """Fetched sdists and tarballs, by the hash of their content."""
        return self.cache / "sources"

    @property
    def metadata(self) -> Path:
        """What was read from sources, by the hash of the source."""
        return self.cache / "metadata"

    @property
    def roots(self) -> Path:
        """Base roots, by the hash of what they were made from."""
        return self.cache / "roots"

    @property
    def layers(self) -> Path:
        """Overlay layers (unpacked debs and RPMs), by the hash of their content."""
        return self.cache / "layers"

    @property
    def store(self) -> Path:
        """The content-addressed artifact store, where no other one is set."""
        return self.cache / "store"

    @property
    def database(self) -> Path:
        """The SQLite file of runs and builds, where no other database is set."""
        return self.state / "rdo.sqlite"

    @property
    def specs(self) -> Path:
        """The last generated spec of each package."""
        return self.state / "specs"

    @property
    def keys(self) -> Path:
        """Private keys; the folder is 0700 and its files 0600."""
        return self.state / "keys"

    @property
    def repositories(self) -> Path:
        """Published repositories."""
        return self.state / "repositories"

    @property
    def hosts(self) -> Path:
        """Test hosts: their descriptions and upper layers."""
        return self.state / "hosts"

    @property
    def clouds(self) -> Path:
        """Clouds that were put up: topology, secrets (0600), logs of runs."""
        return self.state / "clouds"

    @property
    def logs(self) -> Path:
        """Logs of builds and runs, for people to read."""
        return self.state / "logs"
