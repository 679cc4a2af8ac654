"""Installations of their own for benchmarks: cold where that is measured, sharing what is not."""

from __future__ import annotations

import fnmatch
import os
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from rdo.building.models import BuildResult
from rdo.building.roots import temporary
from rdo.building.store import LocalStore
from rdo.cli.defaults import choose_platform, choose_release, open_distribution
from rdo.cli.installation import open_installation
from rdo.common.installation import Installation
from rdo.common.paths import Paths
from rdo.distribution.load import Distribution
from rdo.distribution.models import Platform, Release

# Folders of the cache's ``layers`` and ``metadata`` that are made from RPMs that we built.
_FROM_OUR_RPMS = ("rpm", "rpms", "repodata-*")


def installation_of(paths: Paths) -> Installation:
    """Return this machine's installation, but in other folders."""
    folders = {"state": paths.state, "cache": paths.cache, "distribution": paths.distribution}
    return Installation(open_installation().settings.model_copy(update={**folders, "database": None}))


@dataclass(frozen=True)
class Bench:
    """What benchmarks run with: the installation's places, and what is built for what."""

    paths: Paths
    distribution: Distribution
    release: Release
    platform: Platform

    @classmethod
    def open(cls, paths: Paths | None = None) -> Bench:
        """Open the installation's, with the newest release and the platform that roots can be made of here.

        Its cache is shared; runs and specs of benchmarks are kept apart from the installation's own.
        """
        installation = installation_of(paths) if paths else open_installation()
        paths = installation.paths
        distribution = open_distribution(installation)
        release = choose_release(None, installation, distribution)
        platform = choose_platform("debian13", release, distribution)
        return cls(
            replace(paths, state=paths.cache / "benchmarks" / "state"), distribution, release, platform
        )

    @property
    def store(self) -> LocalStore:
        """The installation's store."""
        return LocalStore(self.paths.store)

    @contextmanager
    def folder(self) -> Iterator[Path]:
        """Give an empty folder beside the cache's own, which is gone afterwards."""
        with temporary(self.paths.cache / "benchmarks") as folder:
            yield folder

    @contextmanager
    def apart(self, shared: Collection[str], known: Iterable[BuildResult] = ()) -> Iterator[Paths]:
        """Give an installation of its own, empty but for what is named.

        :param shared: folders of the cache to share, as ``roots`` or ``layers/deb``; of ``layers`` and
            ``metadata`` all but what comes from our own RPMs
        :param known: builds whose results it has, unpacked as the cache has them
        """
        with self.folder() as folder:
            paths = replace(self.paths, state=folder / "state", cache=folder / "cache")
            for name in shared:
                source = self.paths.cache / name
                source.mkdir(parents=True, exist_ok=True)
                if name in ("layers", "metadata"):
                    _link_but(source, paths.cache / name, _FROM_OUR_RPMS)
                else:
                    _link(source, paths.cache / name)
            for result in known:
                self._give(result, paths)
            yield paths

    def _give(self, result: BuildResult, paths: Paths) -> None:
        store = LocalStore(paths.store)
        for digest in [*(artifact.sha256 for artifact in result.artifacts), result.log]:
            if digest is not None:
                target = paths.store / "content" / digest[:2] / digest
                target.parent.mkdir(parents=True, exist_ok=True)
                if not target.exists():
                    os.link(self.store.path(digest), target)
                for unpacked in (f"layers/rpm/{digest}", f"metadata/rpms/{digest}.json"):
                    if (self.paths.cache / unpacked).exists():
                        _link(self.paths.cache / unpacked, paths.cache / unpacked)
        store.record(result)


def _link(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if not target.is_symlink():
        target.symlink_to(source)


def _link_but(source: Path, target: Path, without: Collection[str]) -> None:
    target.mkdir(parents=True, exist_ok=True)
    for child in source.iterdir():
        if not any(fnmatch.fnmatchcase(child.name, pattern) for pattern in without):
            _link(child, target / child.name)
