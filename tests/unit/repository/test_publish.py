from __future__ import annotations

import errno
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from rdo.common.errors import InputError, RdoError
from rdo.common.files import locked
from rdo.common.paths import Paths
from rdo.common.progress import Progress, Task
from rdo.repository import publish as publishing
from rdo.repository.findings import Finding, UncleanError
from rdo.repository.keys import Key
from rdo.repository.manifest import requested_names
from rdo.repository.metadata import Described, RpmFile
from rdo.repository.publish import Published, publish, published_rpms, show, verify_files
from rdo.repository.snapshot_writer import KEY_FILE, Check, Content
from rdo.repository.snapshots import current, snapshots
from tests.unit.repository.tiny_rpm import write_rpm


def _clean(_described: Sequence[Described], _files: Sequence[RpmFile]) -> list[Finding]:
    return []


def _names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@dataclass
class Site:
    paths: Paths
    key: Key
    folder: Path

    def rpms(self, version: str) -> list[RpmFile]:
        rpms = [write_rpm(self.folder / version, name, version) for name in ("alpha", "beta")]
        return [*rpms, write_rpm(self.folder / version, "alpha", version, source=True)]

    def publish(
        self,
        rpms: Sequence[RpmFile],
        check: Check = _clean,
        progress: Progress | None = None,
        requested: Sequence[str] = (),
    ) -> Published:
        return publish(
            lambda _: Content(rpms, tuple(requested)),
            series="2026.1",
            platform="p",
            paths=self.paths,
            key=self.key,
            check=check,
            progress=progress,
        )

    @property
    def repository(self) -> Path:
        return self.paths.repositories / "p-2026.1"


@pytest.fixture
def site(paths: Paths, key: Key, tmp_path: Path) -> Site:
    return Site(paths, key, tmp_path / "rpms")


def test_a_snapshot_is_whole_and_signed(site: Site) -> None:
    published = site.publish(site.rpms("1"))
    assert published.changed
    assert (published.packages, published.sources) == (2, 1)
    assert published.path == (site.repository / "current").resolve()
    assert published.address == f"{site.repository.as_uri()}/mirrorlist"
    assert (site.repository / "mirrorlist").read_text() == f"{published.path.as_uri()}/\n"
    assert sorted(p.name for p in (published.path / "Packages").iterdir()) == [
        "alpha-1-1.noarch.rpm",
        "beta-1-1.noarch.rpm",
    ]
    assert [p.name for p in (published.path / "SRPMS/Packages").iterdir()] == ["alpha-1-1.src.rpm"]
    assert (published.path / KEY_FILE).read_text() == site.key.public
    bill = (published.path / "sbom.cdx.json").read_text()
    assert {one["name"] for one in json.loads(bill)["components"]} == {"alpha", "beta"}
    assert verify_files(published.path, site.key) == []
    (published.path / "sbom.cdx.json").write_text(bill + " ")
    assert ["sbom.cdx.json: its signature" in line for line in verify_files(published.path, site.key)] == [
        True
    ]
    (published.path / "sbom.cdx.json").write_text(bill)
    assert {rpm.sha256 for rpm in published_rpms(published.path)} == {r.sha256 for r in site.rpms("1")}
    assert show(site.paths, "p", "2026.1").digest == published.digest


def test_publishing_the_same_again_does_nothing(site: Site) -> None:
    rpms = site.rpms("1")
    first = site.publish(rpms)
    before = {path: path.lstat().st_mtime_ns for path in site.repository.rglob("*") if path.name != ".lock"}
    again = site.publish(list(reversed(rpms)), check=lambda *_: pytest.fail("checked again"))
    assert not again.changed
    assert again.digest == first.digest
    assert before == {p: p.lstat().st_mtime_ns for p in site.repository.rglob("*") if p.name != ".lock"}


def test_going_back_to_an_earlier_snapshot(site: Site) -> None:
    first, second = site.publish(site.rpms("1")), site.publish(site.rpms("2"))
    assert [s.name for s in snapshots(site.repository)] == [second.digest, first.digest]
    back = site.publish(site.rpms("1"))
    assert back.changed
    assert back.path == first.path == current(site.repository)
    lines = (site.repository / "mirrorlist").read_text().splitlines()
    assert [line.rstrip("/").rpartition("/")[2] for line in lines] == [first.digest, second.digest]


def test_an_unclean_set_changes_nothing(site: Site) -> None:
    first = site.publish(site.rpms("1"))
    finding = Finding("alpha-2-1.noarch", "missing", "gamma", "nothing provides gamma, in any version.")
    with pytest.raises(UncleanError, match="nothing provides gamma") as caught:
        site.publish(site.rpms("2"), check=lambda *_: [finding])
    assert caught.value.exit_status == 1
    assert current(site.repository) == first.path
    assert _names(site.repository / "snapshots") == [first.digest]


def test_clashing_and_absent_packages_are_refused(site: Site) -> None:
    twin = write_rpm(site.folder / "twin", "alpha", note="other")
    with pytest.raises(InputError, match="Two different files"):
        site.publish([*site.rpms("1"), twin])
    with pytest.raises(InputError, match="no packages"):
        site.publish([])
    with pytest.raises(InputError, match="Nothing is published"):
        show(site.paths, "p", "2026.1")


def test_old_snapshots_stay_until_they_are_old(site: Site) -> None:
    published = [site.publish(site.rpms(str(version))) for version in range(1, 7)]
    assert len(snapshots(site.repository)) == 6
    long_ago = 1_700_000_000
    for number, one in enumerate(published[:-1]):
        os.utime(one.path, (long_ago + number, long_ago + number))
    newest = site.publish(site.rpms("7"))
    # The one that was replaced just now is young, whatever its own age; of the others the newest ones stay.
    kept = [s.name for s in snapshots(site.repository)]
    assert kept == [newest.digest, published[5].digest, published[4].digest]
    assert not list((site.repository / "snapshots").glob(".old-*"))


STEPS = (
    "reading packages",
    "checking closure and conflicts",
    "laying out the snapshot",
    "signing the metadata",
    "naming the snapshot",
    "pointing at the new snapshot",
    "writing the mirrorlist",
)


class DyingProgress:
    """Ends the process, as kill -9 does, when publication says that it comes to a step."""

    def __init__(self, step: str) -> None:
        self.step = step

    @contextmanager
    def task(self, title: str, total: int | None = None) -> Iterator[Task]:
        yield self

    def message(self, text: str) -> None:
        pass

    def advance(self, steps: int = 1) -> None:
        pass

    def describe(self, text: str) -> None:
        if text == self.step:
            os._exit(77)


class FillingProgress(DyingProgress):
    """Fails as a full disk does, when publication says that it comes to a step."""

    def describe(self, text: str) -> None:
        if text == self.step:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/somewhere")


@pytest.mark.parametrize("step", STEPS)
def test_killed_between_steps_the_repository_is_old_or_new_and_whole(site: Site, step: str) -> None:
    first, rpms = site.publish(site.rpms("1"), requested=["alpha"]), site.rpms("2")
    child = os.fork()
    if child == 0:
        site.publish(rpms, progress=DyingProgress(step), requested=["alpha", "beta"])
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 77, "publication never came to this step"
    live = current(site.repository)
    assert live is not None
    assert (live == first.path) is (step != "writing the mirrorlist")
    assert requested_names(site.repository) == (("alpha",) if live == first.path else ("alpha", "beta"))
    assert verify_files(live, site.key) == []
    for address in (site.repository / "mirrorlist").read_text().splitlines():
        assert verify_files(Path(address.removeprefix("file://")), site.key) == []
    # The next one finishes the work and leaves nothing of the dead one.
    second = site.publish(rpms, requested=["alpha", "beta"])
    assert current(site.repository) == second.path != first.path
    assert verify_files(second.path, site.key) == []
    assert _names(site.repository / "snapshots") == sorted([first.digest, second.digest])
    assert second.digest in (site.repository / "mirrorlist").read_text().splitlines()[0]
    assert not list(site.repository.glob(".current-*"))


@pytest.mark.parametrize("step", STEPS[2:])
def test_a_full_disk_leaves_the_repository_as_it_was(site: Site, step: str) -> None:
    """What is published stays whole, and with room again the same publication succeeds."""
    first, rpms = site.publish(site.rpms("1"), requested=["alpha"]), site.rpms("2")
    with pytest.raises(OSError, match="No space left"):
        site.publish(rpms, progress=FillingProgress(step), requested=["alpha", "beta"])
    live = current(site.repository)
    assert live is not None
    assert verify_files(live, site.key) == []
    assert set(requested_names(site.repository)) >= {"alpha"}
    assert all(rpm.path.exists() for rpm in rpms)
    second = site.publish(rpms, requested=["alpha", "beta"])
    assert verify_files(second.path, site.key) == []
    assert _names(site.repository / "snapshots") == sorted([first.digest, second.digest])


def test_what_was_asked_for_is_part_of_the_snapshot(site: Site) -> None:
    """Else a publication of the same packages for another reason would be nothing to do, and be forgotten."""
    rpms = site.rpms("1")
    one, two = site.publish(rpms, requested=["beta"]), site.publish(rpms, requested=["beta", "alpha"])
    assert two.changed and two.digest != one.digest
    assert show(site.paths, "p", "2026.1").requested == ("alpha", "beta")
    assert not site.publish(rpms, requested=["alpha", "beta"]).changed


def test_a_damaged_manifest_is_no_empty_repository(site: Site) -> None:
    published = site.publish(site.rpms("1"), requested=["alpha"])
    (published.path / "manifest.json").write_text('{"format": 3, "packages": []}')
    with pytest.raises(RdoError, match="key: Field required") as caught:
        requested_names(site.repository)
    assert str(published.path) in caught.value.what
    published.path.rename(site.folder / "away")
    for attempt in (lambda: requested_names(site.repository), lambda: site.publish(site.rpms("2"))):
        with pytest.raises(RdoError, match="which is not there"):
            attempt()


def test_waiting_for_another_publication_has_an_end(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(publishing, "PATIENCE", 0.3)
    with locked(site.repository / ".lock"), pytest.raises(RdoError, match=r"\.lock"):
        site.publish(site.rpms("1"))
    assert site.publish(site.rpms("1")).changed


def test_a_failure_in_between_leaves_nothing(site: Site) -> None:
    first, rpms = site.publish(site.rpms("1")), site.rpms("2")
    missing = RpmFile(path=site.folder / "gone.rpm", filename="gone.rpm", sha256="0" * 64, size=1)
    with pytest.raises(Exception, match=r"gone\.rpm"):
        site.publish([*rpms, missing])
    assert current(site.repository) == first.path
    assert _names(site.repository / "snapshots") == [first.digest]


def test_damage_after_publication_is_found(site: Site) -> None:
    published = site.publish(site.rpms("1"))
    victim = published.path / "Packages" / "alpha-1-1.noarch.rpm"
    victim.unlink()
    (published.path / "SRPMS/repodata/repomd.xml").write_text("other")
    wrong = verify_files(published.path, site.key)
    assert wrong == [
        f"{victim}: missing",
        f"{published.path}/SRPMS/repodata/repomd.xml: its signature is not by {site.key.fingerprint}",
    ]


def test_a_site_keeps_its_address(site: Site) -> None:
    """A build publishes without saying an address; clients must find the repository where it was."""
    rpms = site.rpms("1")
    stated = publish(
        lambda _: Content(rpms),
        series="2026.1",
        platform="p",
        paths=site.paths,
        key=site.key,
        check=_clean,
        address="http://packages.example.org/",
    )
    assert stated.address == "http://packages.example.org/p-2026.1/mirrorlist"
    later = site.publish(site.rpms("2"))
    assert later.address == stated.address
    assert show(site.paths, "p", "2026.1").address == stated.address
    for line in (site.repository / "mirrorlist").read_text().splitlines():
        assert line.startswith("http://packages.example.org/p-2026.1/snapshots/")


@pytest.mark.parametrize(
    "wrong",
    [
        *(
            "",
            "packages.example.org",
            "ftp://x",
            "javascript:x",
            "http://",
            "http://a b/",
            "http://a/%{lua:x}",
        ),
        *(
            "http://x/\n[evil]\nbaseurl=y",
            "http://x/$releasever",
            "http://x/\x1b[2J",
            "http://x/'",
            "http://x/?a",
        ),
        "https://user:opensesame@x/",
    ],
)
def test_what_is_no_address_is_not_written_into_hosts(site: Site, wrong: str) -> None:
    with pytest.raises(InputError, match="no address") as caught:
        publishing.site_address(site.paths, wrong)
    assert "opensesame" not in caught.value.diagnostics()


@pytest.mark.parametrize(
    "good", ["http://192.0.2.1:8080/", "https://[2001:db8::1]/r-1/~x", "file:///srv/rdo"]
)
def test_addresses(site: Site, good: str) -> None:
    assert publishing.site_address(site.paths, good) == good.rstrip("/")


def test_killed_before_clients_are_sent_there_an_address_is_kept(site: Site) -> None:
    """Else the next build, which states none, would send them back to the old one."""

    def restate(progress: Progress | None = None) -> Published:
        return publish(
            lambda _: Content(site.rpms("1")),
            series="2026.1",
            platform="p",
            paths=site.paths,
            key=site.key,
            check=_clean,
            address="http://packages.example.org",
            progress=progress,
        )

    child = os.fork()
    if child == 0:
        restate(DyingProgress("writing the mirrorlist"))
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 77
    assert site.publish(site.rpms("2")).address == "http://packages.example.org/p-2026.1/mirrorlist"


def test_a_damaged_package_is_not_published(site: Site) -> None:
    old = site.rpms("1")
    before = site.publish(old)
    content = bytearray(old[0].path.read_bytes())
    content[-1] ^= 1
    old[0].path.unlink()  # the snapshot has a link to it
    old[0].path.write_bytes(content)
    with pytest.raises(RdoError, match="is damaged"):
        site.publish([old[0], *site.rpms("2")[1:]])
    assert current(site.repository) == before.path
    assert _names(site.repository / "snapshots") == [before.path.name]
