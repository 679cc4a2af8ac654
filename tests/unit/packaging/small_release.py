"""A small release and platform, and metadata without any sdist, for tests of resolution."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date

from rdo.distribution.models import DebootstrapRoot, Pin, Platform, Project, Provided, Release, SourceLock
from rdo.upstream.models import BuildSystem, Metadata


def project(name: str, dist: str | None = None, kind: str = "library") -> Project:
    return Project.model_validate(
        {
            "name": name,
            "dist": dist or name,
            "type": kind,
            "repository": f"openstack/{name}",
            "version": "1.0",
            "commit": "0" * 40,
        }
    )


def lock(dist: str, version: str) -> SourceLock:
    return SourceLock(
        dist=dist, version=version, filename=f"{dist}-{version}.tar.gz", sha256="0" * 64, size=1, uploaded=""
    )


def release(pins: Mapping[str, str], *projects: Project, unlocked: Sequence[str] = ()) -> Release:
    return Release(
        series="2026.1",
        codename="gazpacho",
        phase="maintained",
        released=date(2026, 4, 1),
        platforms=("small",),
        projects={p.name: p for p in projects},
        pins={name: (Pin(version=version, origin="constraints"),) for name, version in pins.items()},
        sources={(n, v): lock(n, v) for n, v in pins.items() if n not in unlocked},
    )


def platform(provides: Mapping[str, str]) -> Platform:
    return Platform(
        name="small",
        title="Small",
        architecture="x86_64",
        python="3.13",
        python_version="3.13.5",
        dist=".small",
        tested=False,
        root=DebootstrapRoot(kind="debootstrap", suite="trixie", packages=()),
        provides={name: Provided(version=version, package=f"p-{name}") for name, version in provides.items()},
    )


class Shelf:
    """Answers for sources: what each name requires; remembers the waves it was asked for."""

    def __init__(self, **requires: Sequence[str]) -> None:
        self.requires = {name.replace("_", "-"): tuple(texts) for name, texts in requires.items()}
        self.build: dict[str, tuple[str, ...]] = {}
        self.python: dict[str, str] = {}
        self.waves: list[list[str]] = []

    def __call__(self, locks: Sequence[SourceLock]) -> dict[str, Metadata]:
        self.waves.append([entry.dist for entry in locks])
        return {entry.dist: self._metadata(entry) for entry in locks}

    def _metadata(self, entry: SourceLock) -> Metadata:
        requires = self.requires.get(entry.dist, ())
        extras = {text.split("extra ==")[1].strip(" \"'") for text in requires if "extra ==" in text}
        return Metadata(
            name=entry.dist,
            dist=entry.dist,
            version=entry.version,
            requires_dist=requires,
            extras=tuple(sorted(extras)),
            requires_python=self.python.get(entry.dist),
            build_system=BuildSystem(requires=self.build.get(entry.dist, ())),
        )
