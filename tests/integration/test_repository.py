"""Signed repositories in front of the real dnf: what it installs, and what it refuses."""

from __future__ import annotations

import errno
import os
import shutil
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any, cast

import pytest

from rdo.building.sealed import Bind, Sandbox, SealedResult
from rdo.common.paths import Paths
from rdo.repository import keys, signing
from rdo.repository.closure import checker
from rdo.repository.findings import UncleanError
from rdo.repository.keys import Key
from rdo.repository.metadata import RpmFile
from rdo.repository.publish import Published, publish, verify_files
from rdo.repository.release_rpm import KEY_PATH, VARIABLE, ReleasePackage, repo_file
from rdo.repository.serve import Server
from rdo.repository.signing import sign_rpms
from rdo.repository.snapshot_writer import Content
from tests.integration.repository_tools import Tiny, build, paths_in, shell, tools_sandbox

pytestmark = [pytest.mark.root, pytest.mark.mirror]

_DNF = "dnf -q -y --noplugins --setopt=install_weak_deps=0"
_FETCH = "python3 -c 'import sys, urllib.request as u; u.urlretrieve(*sys.argv[1:])'"
_VERSIONS = ("1", "2", "3")


class Site:
    """A key, tools, signed packages in three versions that fit only among themselves, and rdo-release."""

    def __init__(self, folder: Path) -> None:
        self.paths: Paths = paths_in(folder)
        self.sandbox: Sandbox = tools_sandbox(self.paths)
        self.key: Key = keys.ensure(self.paths)
        tiny = [
            package
            for version in _VERSIONS
            for package in (
                Tiny("alpha", version, (f"beta = {version}", f"gamma = {version}"), f"alpha {version}"),
                Tiny("beta", version, (), f"beta {version}" * 1000),
                Tiny("gamma", version, (), f"gamma {version}" * 1000),
            )
        ]
        self.unsigned = build(tiny, folder, self.sandbox)
        signed = self.sign(self.unsigned)
        self.sets = {v: signed[3 * n : 3 * n + 3] for n, v in enumerate(_VERSIONS)}

    def sign(self, rpms: list[RpmFile]) -> list[RpmFile]:
        return sign_rpms(rpms, self.key, self.paths, lambda: self.sandbox)

    def release(
        self, address: str, number: int = 1, obsoletes: Mapping[str, str] | None = None
    ) -> list[RpmFile]:
        package = ReleasePackage(
            series="2026.1",
            platform="debian13",
            dist=".deb13",
            released=date(2026, 4, 1),
            address=address,
            key=self.key,
            obsoletes=obsoletes or {},
        )
        return self.sign(package.build(number, self.paths, lambda: self.sandbox))

    def publish(self, rpms: list[RpmFile], address: str | None = None) -> Published:
        return publish(
            lambda _: Content(rpms),
            series="2026.1",
            platform="debian13",
            paths=self.paths,
            key=self.key,
            check=checker([], self.paths),
            address=address,
        )

    @contextmanager
    def served(self) -> Iterator[str]:
        self.paths.repositories.mkdir(parents=True, exist_ok=True)
        with Server(self.paths.repositories, quiet=True) as server:
            thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
            thread.start()
            try:
                yield server.address
            finally:
                server.shutdown()
                thread.join()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    return Site(tmp_path_factory.mktemp("site"))


@pytest.fixture(autouse=True)
def nothing_published(site: Site) -> None:
    shutil.rmtree(site.paths.repositories, ignore_errors=True)


def test_signed_copies_are_made_once_and_leave_the_unsigned_alone(site: Site) -> None:
    before = [rpm.sha256 for rpm in site.unsigned]
    again = sign_rpms(site.unsigned, site.key, site.paths, lambda: pytest.fail("signed again"))
    assert again == [rpm for version in _VERSIONS for rpm in site.sets[version]]
    assert [RpmFile.of(rpm.path).sha256 for rpm in site.unsigned] == before
    assert [RpmFile.of(rpm.path).sha256 for rpm in again] == [rpm.sha256 for rpm in again]
    assert not {rpm.sha256 for rpm in again} & set(before)


class FillingUp:
    """A sandbox whose machine runs out of space after so many batches of signatures; counts the packages."""

    def __init__(self, sandbox: Sandbox, batches: int) -> None:
        self.sandbox, self.batches, self.packages = sandbox, batches, 0

    def run(self, *arguments: Any, binds: Sequence[Bind], **options: Any) -> SealedResult:
        if not self.batches:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/somewhere")
        self.batches -= 1
        self.packages += len(list((binds[0].source / "in").iterdir()))
        return self.sandbox.run(*arguments, binds=binds, **options)


def test_signatures_made_before_a_disk_was_full_are_kept(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(signing, "_BATCH", 2)
    monkeypatch.setattr(signing, "_JOBS", 1)
    paths = paths_in(tmp_path)
    first, second = FillingUp(site.sandbox, 2), FillingUp(site.sandbox, 99)
    with pytest.raises(OSError, match="No space left"):
        sign_rpms(site.unsigned, site.key, paths, lambda: cast(Sandbox, first))
    signed = sign_rpms(site.unsigned, site.key, paths, lambda: cast(Sandbox, second))
    assert first.packages >= 2
    assert first.packages + second.packages == len(site.unsigned) == len(signed)
    assert not list((paths.cache / "signed").glob("*/tmp-*"))


def test_rdo_release_is_reproducible(site: Site) -> None:
    first = [rpm.sha256 for rpm in site.release("http://192.0.2.1")]
    shutil.rmtree(site.paths.cache / "release-rpms")
    assert [rpm.sha256 for rpm in site.release("http://192.0.2.1")] == first
    assert [rpm.sha256 for rpm in site.release("http://192.0.2.2")] != first


def test_dnf_installs_over_http_with_all_signatures_checked(site: Site) -> None:
    with site.served() as address:
        published = site.publish([*site.sets["1"], *site.release(address)])
        assert verify_files(published.path, site.key) == []
        result = shell(
            site.sandbox,
            f"{_FETCH} {address}/debian13-2026.1/current/RPM-GPG-KEY-rdo /tmp/key\nrpm --import /tmp/key\n"
            f"{_DNF} --setopt=localpkg_gpgcheck=1 install {address}/debian13-2026.1/current/rdo-release.rpm\n"
            f"grep -c gpgcheck=1 /etc/yum.repos.d/rdo-2026.1.repo\n{_DNF} install alpha\n"
            "cat /usr/share/alpha/data; rpm -V alpha beta gamma; rpm -q rdo-release\n"
            f"{_DNF} --enablerepo=rdo-2026.1-source repoquery --arch src 'rdo-*'",
            network=True,
        )
    assert result.ok, result.tail
    assert "alpha 1" in result.tail
    assert "rdo-release-0:2026.1-1.deb13.src" in result.tail


def test_dnf_installs_from_a_folder(site: Site) -> None:
    site.publish(site.sets["2"])
    result = _install_from_folder(site)
    assert result.ok, result.tail
    assert "alpha 2" in result.tail


def test_dnf_refuses_a_tampered_package(site: Site) -> None:
    # Signed by nobody, though our own metadata names it.
    site.publish([site.unsigned[0], *site.sets["1"][1:]])
    result = _install_from_folder(site)
    assert not result.ok
    assert "is not signed" in result.tail
    # Changed after publication, one byte in the middle.
    shutil.rmtree(site.paths.repositories)
    published = site.publish(site.sets["1"])
    victim = published.path / "Packages" / "beta-1-1.noarch.rpm"
    data = bytearray(victim.read_bytes())
    data[len(data) // 2] ^= 1
    victim.unlink()
    victim.write_bytes(data)
    assert any("beta-1-1" in line for line in verify_files(published.path, site.key))
    result = _install_from_folder(site)
    assert not result.ok
    assert "alpha 1" not in result.tail


def test_dnf_refuses_tampered_metadata(site: Site) -> None:
    published = site.publish(site.sets["1"])
    repomd = published.path / "repodata" / "repomd.xml"
    repomd.write_text(repomd.read_text().replace("<revision>", "<revision>1"))
    assert verify_files(published.path, site.key) != []
    result = _install_from_folder(site)
    assert not result.ok
    assert "signature" in result.tail.lower()


def test_an_unclosed_repository_is_not_published(site: Site) -> None:
    first = site.publish(site.sets["1"])
    with pytest.raises(UncleanError) as caught:
        site.publish([site.sets["2"][0], *site.sets["1"][1:]])
    assert [f.requirement for f in caught.value.findings] == ["beta = 2", "gamma = 2"]
    assert "beta-1-1.noarch" in caught.value.findings[0].providers[0]
    repository = first.path.parent.parent
    assert (repository / "current").resolve() == first.path
    assert [f.name for f in (repository / "snapshots").iterdir()] == [first.digest]


def test_old_metadata_still_finds_its_packages(site: Site) -> None:
    """A client read the metadata, then we published, then it fetches packages."""
    with site.served() as address:
        release = site.release(address)
        site.publish([*site.sets["1"], *release])
        go, ready = site.paths.state / "exchange" / "go", site.paths.state / "exchange" / "ready"
        go.parent.mkdir(exist_ok=True)
        script = (
            f"{_DNF} --nogpgcheck install {address}/debian13-2026.1/current/rdo-release.rpm\n"
            f"{_DNF} makecache\ntouch /exchange/ready\nuntil [ -e /exchange/go ]; do sleep 0.05; done\n"
            f"{_DNF} install alpha\ncat /usr/share/alpha/data"
        )

        def publish_when_ready() -> None:
            while not ready.exists():
                time.sleep(0.02)
            site.publish([*site.sets["2"], *release])
            go.touch()

        thread = threading.Thread(target=publish_when_ready, daemon=True)
        thread.start()
        binds = [Bind(go.parent, "/exchange", writable=True)]
        result = shell(site.sandbox, script, binds=binds, network=True)
        thread.join(10)
    assert result.ok, result.tail
    assert "alpha 1" in result.tail


def test_clients_see_the_old_or_the_new_repository_whole(site: Site) -> None:
    with site.served() as address:
        release = site.release(address)
        site.publish([*site.sets["1"], *release])
        stop = threading.Event()
        count = 0

        def publish_on_and_on() -> None:
            nonlocal count
            while not stop.is_set():
                count += 1
                site.publish([*site.sets[_VERSIONS[count % 3]], *release])
                stop.wait(0.01)

        thread = threading.Thread(target=publish_on_and_on)
        thread.start()
        try:
            result = shell(
                site.sandbox,
                f"{_DNF} --nogpgcheck install {address}/debian13-2026.1/current/rdo-release.rpm\n"
                f"for n in 1 2 3 4 5 6 7 8; do\n{_DNF} clean all\n{_DNF} install alpha\n"
                "v=$(rpm -q --qf '%{VERSION}' alpha)\nrpm -q alpha-$v beta-$v gamma-$v\n"
                "rpm -V alpha beta gamma\nrpm -e alpha beta gamma\ndone\necho finished",
                network=True,
            )
        finally:
            stop.set()
            thread.join()
    assert result.ok, result.tail
    assert "finished" in result.tail
    assert count > 20


def test_a_package_that_is_shipped_again_can_be_installed(site: Site) -> None:
    """Obsoletes that hosts have installed stand in its way until a higher rdo-obsolete-packages comes."""
    gone = site.sets["1"][1:]
    with site.served() as address:
        release = f"{address}/debian13-2026.1/current/rdo-release.rpm"
        site.publish([*gone, *site.release(address, 1, {"alpha": "0:1"})])
        published = site.publish([*site.sets["1"], *site.release(address, 2)])
        older = published.path.parent / next(
            folder.name for folder in published.path.parent.iterdir() if folder != published.path
        )
        result = shell(
            site.sandbox,
            f"{_DNF} --nogpgcheck install {release}\n"
            f"{_FETCH} {address}/debian13-2026.1/snapshots/{older.name}/Packages/"
            "rdo-obsolete-packages-2026.1-1.deb13.noarch.rpm /tmp/obsolete.rpm\n"
            "rpm -i --nosignature /tmp/obsolete.rpm\n"
            f"if {_DNF} -x rdo-obsolete-packages install alpha; then echo not blocked at all; exit 1; fi\n"
            f"{_DNF} upgrade\n{_DNF} install alpha\n"
            "cat /usr/share/alpha/data; rpm -q rdo-obsolete-packages",
            network=True,
        )
    assert result.ok, result.tail
    assert "alpha 1" in result.tail
    assert "rdo-obsolete-packages-2026.1-2.deb13.noarch" in result.tail


def _install_from_folder(site: Site) -> SealedResult:
    repositories = site.paths.repositories
    configuration = site.paths.state / "configuration"
    configuration.mkdir(exist_ok=True)
    (configuration / "rdo.repo").write_text(repo_file("2026.1", "debian13"))
    (configuration / VARIABLE).write_text(f"{repositories.as_uri()}\n")
    (configuration / "key").write_text(site.key.public)
    script = (
        "install -D /configuration/rdo.repo /etc/yum.repos.d/rdo.repo\n"
        f"install -D /configuration/{VARIABLE} /etc/dnf/vars/{VARIABLE}\n"
        f"install -D /configuration/key {KEY_PATH}\n"
        f"{_DNF} install alpha\ncat /usr/share/alpha/data\n"
    )
    binds = [Bind(configuration, "/configuration"), Bind(repositories, str(repositories))]
    return shell(site.sandbox, script, binds=binds)
