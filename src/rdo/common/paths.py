"""Where things are kept on this machine.

State (what must not be lost) and cache (what can be made again) are apart. The usual places are
``/var/lib/rdo`` and ``/var/cache/rdo`` for root and the XDG folders for anybody else. ``RDO_HOME``
moves both (to its ``state`` and ``cache``); ``RDO_CACHE`` moves the cache alone.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from rdo.common.errors import InputError


@dataclass(frozen=True)
class Paths:
    """The folders of one installation. None of them is made by looking at it."""

    state: Path
    cache: Path
    distribution: Path

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] | None = None) -> Paths:
        """Work the folders out from the environment.

        :raises InputError: when the distribution's data can't be found
        """
        env = os.environ if environ is None else environ
        home = env.get("RDO_HOME")
        if home:
            state, cache = Path(home) / "state", Path(home) / "cache"
        elif os.geteuid() == 0:
            state, cache = Path("/var/lib/rdo"), Path("/var/cache/rdo")
        else:
            user = Path(env.get("HOME", "~")).expanduser()
            state = Path(env.get("XDG_STATE_HOME") or user / ".local/state") / "rdo"
            cache = Path(env.get("XDG_CACHE_HOME") or user / ".cache") / "rdo"
        if env.get("RDO_CACHE"):
            cache = Path(env["RDO_CACHE"])
        return cls(state=state.absolute(), cache=cache.absolute(), distribution=_find_distribution(env))

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


def _find_distribution(env: Mapping[str, str]) -> Path:
    configured = env.get("RDO_DISTRIBUTION")
    if configured:
        path = Path(configured).absolute()
        if not path.is_dir():
            raise InputError(f"RDO_DISTRIBUTION names {path}, which is no folder.")
        return path
    checkout = Path(__file__).resolve().parents[3] / "distribution"
    for candidate in (Path.cwd() / "distribution", checkout):
        if (candidate / "releases").is_dir():
            if candidate.resolve() != checkout:  # the code that runs comes from there as well
                _refuse_strangers(candidate, env)
            return candidate
    raise InputError(
        "The distribution's data is not here.",
        hint="Run from a checkout, or set RDO_DISTRIBUTION to its 'distribution' folder.",
    )


def _refuse_strangers(folder: Path, env: Mapping[str, str]) -> None:
    """Take data from the current folder only if it is ours: root may be standing in anybody's.

    :raises InputError: another user could have put it there
    """
    ours = {0, os.geteuid()} | ({int(env["SUDO_UID"])} if env.get("SUDO_UID", "").isdigit() else set())
    if folder.stat().st_uid not in ours:
        raise InputError(
            f"The distribution's data in {folder} belongs to another user.",
            hint=f"If it is the right one: RDO_DISTRIBUTION={folder}",
        )
