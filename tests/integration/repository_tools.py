"""Tiny RPMs, a root with real tools, and dnf in it: what the repository's integration tests share."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from rdo.building.models import Artifact, BuildRequest, BuildResult
from rdo.building.roots import ensure_build_root, ensure_tools
from rdo.building.sealed import Bind, Limits, Sandbox, SealedResult, scratch_folder
from rdo.building.spec_reader import read_spec
from rdo.building.state import Outcome, State
from rdo.building.store import open_store
from rdo.cli.main import main
from rdo.common.paths import Paths
from rdo.distribution.load import Distribution
from rdo.repository.metadata import RpmFile
from tests.settings import installation_of


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
    return ensure_tools(platform, installation_of(paths)).sandbox(paths)


def build(packages: Sequence[Tiny], folder: Path, sandbox: Sandbox) -> list[RpmFile]:
    """Build packages with the root's own rpmbuild, in the order given."""
    exchange = folder / "build"
    (exchange / "out").mkdir(parents=True)
    for number, package in enumerate(packages):
        (exchange / f"{number:03}").mkdir()
        (exchange / f"{number:03}/{package.name}.spec").write_text(package.spec())
    result = sandbox.run(
        [
            "/bin/sh",
            "-ec",
            'for s in /exchange/*/*.spec; do rpmbuild --quiet -ba --define "_topdir /builddir/r" '
            '--define "_build_id_links none" $s; done',
        ],
        binds=[Bind(exchange, "/exchange", writable=True)],
        after="cp /builddir/r/RPMS/*/*.rpm /builddir/r/SRPMS/*.rpm /exchange/out/",
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


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    """Run the command here; return its exit status, and what it printed on both streams."""
    capsys.readouterr()
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    out, err = capsys.readouterr()
    return int(str(ended.value.code or 0)), out, err


def record(paths: Paths, folder: Path, *packages: Tiny, outcome: Outcome = "succeeded") -> None:
    """Build packages and record a run that made them, each with what was expected of it."""
    store, state = open_store(installation_of(paths)), State.open(installation_of(paths))
    base = ensure_build_root(
        Distribution.load(paths.distribution).platform("debian13"), installation_of(paths)
    )
    number = state.start_run("2026.1", "debian13", ["tiny"], len(packages))
    for count, (package, rpm) in enumerate(
        zip(packages, build(packages, folder, tools_sandbox(paths)), strict=True)
    ):
        source = RpmFile.of(rpm.path.with_name(f"{package.name}-{package.version}-1.src.rpm"))
        digest = store.put(rpm.path)
        request = BuildRequest(
            package=package.name,
            version=package.version,
            release="1",
            spec=package.spec(),
            sources=(),
            build_requires=(),
        )
        inputs = folder / f"build/{count:03}"
        result = BuildResult(
            package=package.name,
            input_hash=digest,
            status="built",
            artifacts=tuple(
                Artifact(filename=one.filename, sha256=store.put(one.path), size=one.size)
                for one in (rpm, source)
            ),
            expected=read_spec(request, inputs, base.layers, scratch_folder(paths), folder),
        )
        store.record(result)
        state.finish_builds(number, [(request, "full", result)])
    state.finish_run(number, outcome)
    state.close()
