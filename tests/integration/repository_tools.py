"""Tiny RPMs, a root with real tools, and dnf in it: what the repository's integration tests share."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rdo.building.roots import ensure_tools
from rdo.building.sealed import Bind, Limits, Sandbox, SealedResult
from rdo.common.paths import Paths
from rdo.distribution.load import Distribution
from rdo.repository.metadata import RpmFile


@dataclass(frozen=True)
class Tiny:
    """A package of one file."""

    name: str
    version: str = "1"
    requires: Sequence[str] = ()
    content: str = "hello"
    path: str = ""

    def spec(self) -> str:
        """Return its spec; a script makes its file."""
        path = self.path or f"/usr/share/{self.name}/data"
        requires = "".join(f"Requires: {requirement}\n" for requirement in self.requires)
        return (
            f"Name: {self.name}\nVersion: {self.version}\nRelease: 1\nSummary: tiny\nLicense: MIT\n"
            f"BuildArch: noarch\n{requires}\n%description\ntiny\n\n%install\n"
            f"install -d %{{buildroot}}{Path(path).parent}\n"
            f"printf '{self.content}' > %{{buildroot}}{path}\n\n"
            f"%files\n{path}\n"
        )


def paths_in(folder: Path) -> Paths:
    """Return paths of an installation of its own that shares roots and layers with the others."""
    shared = Path(os.environ.get("RDO_CACHE", "/var/cache/rdo"))
    checkout = Path(__file__).resolve().parents[2]
    paths = Paths(state=folder / "state", cache=folder / "cache", distribution=checkout / "distribution")
    paths.cache.mkdir(parents=True)
    for name in ("roots", "layers"):
        (shared / name).mkdir(parents=True, exist_ok=True)
        (paths.cache / name).symlink_to(shared / name)
    return paths


def tools_sandbox(paths: Paths) -> Sandbox:
    """Return a sandbox of the tools root, which is made first if no run before made it."""
    platform = Distribution.load(paths.distribution).platform("debian13")
    return ensure_tools(platform, paths).sandbox(paths)


def build(packages: Sequence[Tiny], folder: Path, sandbox: Sandbox) -> list[RpmFile]:
    """Build packages with the root's own rpmbuild, in the order given."""
    exchange = folder / "build"
    (exchange / "out").mkdir(parents=True)
    for number, package in enumerate(packages):
        (exchange / f"{number:03}.spec").write_text(package.spec())
    result = sandbox.run(
        [
            "/bin/sh",
            "-ec",
            'for s in /exchange/*.spec; do rpmbuild --quiet -bb --define "_topdir /builddir/r" '
            '--define "_build_id_links none" $s; done',
        ],
        binds=[Bind(exchange, "/exchange", writable=True)],
        after="cp /builddir/r/RPMS/*/*.rpm /exchange/out/",
    )
    assert result.ok, result.tail
    return [RpmFile.of(exchange / "out" / f"{p.name}-{p.version}-1.noarch.rpm") for p in packages]


def shell(
    sandbox: Sandbox,
    script: str,
    *,
    binds: Sequence[Bind] = (),
    network: bool = False,
    env: Mapping[str, str] | None = None,
) -> SealedResult:
    """Run shell text as root in the sandbox."""
    return sandbox.run(
        ["/bin/bash", "-ec", script],
        user="root",
        binds=binds,
        network=network,
        env=env,
        limits=Limits(timeout=300),
    )
