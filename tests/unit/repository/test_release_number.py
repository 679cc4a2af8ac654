"""The release number of rdo-release over any sequence of publications."""

from __future__ import annotations

import os
import shutil
import tempfile
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rdo.common.paths import Paths
from rdo.repository.keys import Key
from rdo.repository.manifest import read_manifest
from rdo.repository.metadata import RpmFile
from rdo.repository.publish import publish
from rdo.repository.release_number import is_release_package, release_history, release_rpms
from rdo.repository.release_rpm import OBSOLETE, ReleasePackage, spec_text
from rdo.repository.snapshot_writer import Content
from rdo.repository.snapshots import snapshots
from tests.unit.repository.tiny_rpm import write_rpm

_GONE = ("python3-old", "python3-older")
_ADDRESSES = ("http://192.0.2.1", "http://192.0.2.2")


def _release(filename: str) -> int:
    return int(filename.rsplit("-", 1)[1].partition(".")[0])


@pytest.mark.slow
@dataclass
class Machine:
    """Publishes with rdo-release as the real publication does; only rpmbuild and rpmsign are stood in for."""

    paths: Paths
    key: Key
    signatures: int = 0
    obsoletes: dict[str, str] = field(default_factory=dict)

    @property
    def repository(self) -> Path:
        return self.paths.repositories / "p-2026.1"

    def publish(self, address: str, shipped: tuple[str, ...]) -> dict[str, RpmFile]:
        package = ReleasePackage(
            series="2026.1",
            platform="p",
            dist=".p",
            released=date(2026, 4, 1),
            address=address,
            key=self.key,
            obsoletes={name: "0:1" for name in _GONE if name not in shipped},
        )

        def make(number: int) -> list[RpmFile]:
            self.signatures += 1  # two signatures of one file are never the same bytes
            note, folder = f"{package.content} {self.signatures}", self.paths.cache / str(self.signatures)
            return [
                write_rpm(
                    folder,
                    name,
                    "2026.1",
                    release=f"{number}.p",
                    note=note,
                    made_from="rdo-release",
                    source=source,
                )
                for name, source in (("rdo-release", False), (OBSOLETE, False), ("rdo-release", True))
            ]

        def compose(_: Path | None) -> Content:
            history = release_history(self.repository)
            own = [write_rpm(self.paths.cache / "own", name) for name in ("alpha", *shipped)]
            ours = release_rpms(history, package.content, 1, make)
            return Content([*own, *ours], ("alpha",), release_content=package.content)

        done = publish(compose, series="2026.1", platform="p", paths=self.paths, key=self.key, check=None)
        manifest = read_manifest(done.path)
        return {r.filename: r for r in manifest.rpms(done.path) if is_release_package(r.filename)}

    def prune(self) -> None:
        """Remove all replaced snapshots, as happens with time."""
        for folder in snapshots(self.repository)[1:]:
            shutil.rmtree(folder)

    def damage(self) -> None:
        """Change a byte of the published rdo-release, which cannot be put right by using it again."""
        (path,) = (self.repository / "current/Packages").glob("rdo-release-*")
        content = path.read_bytes()
        path.unlink()
        path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))

    def elsewhere(self, folder: Path) -> Machine:
        """Return another machine with the same repository and key, and nothing else."""
        paths = replace(self.paths, state=folder / "state", cache=folder / "cache")
        shutil.copytree(self.paths.repositories, paths.repositories, symlinks=True)
        return Machine(paths, self.key, self.signatures)


_PUBLICATION = st.tuples(
    st.sampled_from(("", "prune", "damage", "elsewhere", "wipe")),
    st.sampled_from(_ADDRESSES),
    st.sets(st.sampled_from(_GONE)).map(lambda names: tuple(sorted(names))),
)


@settings(
    max_examples=int(os.environ.get("RDO_EXAMPLES", "15")),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(publications=st.lists(_PUBLICATION, min_size=2, max_size=7))
def test_it_only_rises_and_rises_with_content(
    key: Key, publications: list[tuple[str, str, tuple[str, ...]]]
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        machine = Machine(Paths(root / "0/state", root / "0/cache", root), key)
        before: dict[str, RpmFile] = {}
        said: tuple[str, tuple[str, ...]] | None = None
        for number, (event, address, shipped) in enumerate(publications, 1):
            if before and event == "elsewhere":
                machine = machine.elsewhere(root / str(number))
            elif before and event == "wipe":
                shutil.rmtree(machine.paths.cache)
            elif before and event:
                getattr(machine, event)()
            now = machine.publish(address, shipped)
            assert len({_release(name) for name in now}) == 1
            assert {name.rsplit("-", 2)[0] for name in now} == {"rdo-release", OBSOLETE}
            if before:
                was, release = _release(next(iter(before))), _release(next(iter(now)))
                hashes = {rpm.sha256 for rpm in before.values()} == {rpm.sha256 for rpm in now.values()}
                if said == (address, shipped) and event != "damage":
                    assert (release, hashes) == (was, True)
                else:
                    assert release > was
            before, said = now, (address, shipped)


def test_it_goes_on_from_snapshots_of_before(key: Key, tmp_path: Path) -> None:
    """Format 2 had numbers and did not say for which content: any content is other content then."""
    machine = Machine(Paths(tmp_path / "state", tmp_path / "cache", tmp_path), key)

    def compose(_: Path | None) -> Content:
        return Content([write_rpm(tmp_path / "old", "rdo-release", "2026.1", release="37.p")], ("alpha",))

    publish(compose, series="2026.1", platform="p", paths=machine.paths, key=key, check=None)
    assert {_release(name) for name in machine.publish(_ADDRESSES[0], ())} == {38}


def test_a_host_always_gets_the_obsoletes_of_today() -> None:
    """An installed rdo-obsolete-packages with more names must be replaced, though by one without any."""
    spec = spec_text("2026.1", "p", date(2026, 4, 1), 7, {})
    assert f"%package -n {OBSOLETE}" in spec
    assert f"%files -n {OBSOLETE}" in spec
    assert "Obsoletes:" not in spec
    assert "Release:        7%{?dist}" in spec
