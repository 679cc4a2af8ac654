"""What a repository keeps, whoever publishes what."""

from __future__ import annotations

import json
import multiprocessing
import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from multiprocessing.synchronize import Barrier
from pathlib import Path

import pytest

from rdo.common.errors import InputError, RdoError
from rdo.common.paths import Paths
from rdo.repository.contents import (
    Choose,
    OvertakenError,
    all_of_run,
    as_it_is,
    less,
    packages_of,
    repeated,
    run_beside,
)
from rdo.repository.keys import Key
from rdo.repository.manifest import LEGACY_FILE, read_manifest, requested_names
from rdo.repository.metadata import RpmFile
from rdo.repository.publish import Published, publish, published_rpms
from tests.unit.repository.tiny_rpm import write_rpm

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)


@dataclass
class Site:
    paths: Paths
    key: Key
    folder: Path

    def built(self, *names: str, version: str = "1") -> list[RpmFile]:
        """Return what a run makes: a package, a part of it, and its source package, each."""
        folder = self.folder / str(os.getpid()) / version
        return [
            rpm
            for name in names
            for rpm in (
                write_rpm(folder, name, version),
                write_rpm(folder, f"{name}-doc", version, made_from=name),
                write_rpm(folder, name, version, source=True, arch="src"),
            )
        ]

    def publish(self, choose: Choose, built: Sequence[RpmFile] = (), key: Key | None = None) -> Published:
        return publish(
            lambda snapshot: choose(snapshot, built),
            series="2026.1",
            platform="p",
            paths=self.paths,
            key=key or self.key,
            check=None,
        )

    @property
    def repository(self) -> Path:
        return self.paths.repositories / "p-2026.1"

    @property
    def live(self) -> Path:
        return (self.repository / "current").resolve()

    def beside(self, *requested: str, began: datetime = NOW) -> Choose:
        return run_beside(requested, began, self.key, self.paths)

    def versions(self) -> dict[str, str]:
        """Return the published packages: name -> version."""
        names = [rpm.filename for rpm in published_rpms(self.live)]
        return {n.rsplit("-", 2)[0]: n.rsplit("-", 2)[1] for n in names if not n.endswith(".src.rpm")}


@pytest.fixture
def site(paths: Paths, key: Key, tmp_path: Path) -> Site:
    return Site(paths, key, tmp_path / "rpms")


def test_a_smaller_run_leaves_all_that_is_there(site: Site) -> None:
    site.publish(site.beside("alpha", "beta"), site.built("alpha", "beta"))
    published = site.publish(site.beside("gamma"), site.built("gamma"))
    assert published.requested == ("alpha", "beta", "gamma")
    assert set(packages_of(site.live, site.paths)) == {"alpha", "beta", "gamma"}
    # what the run has anew takes the old one's place, with all its parts
    site.publish(site.beside("beta"), site.built("beta", version="2"))
    assert site.versions() == {
        "alpha": "1",
        "alpha-doc": "1",
        "beta": "2",
        "beta-doc": "2",
        "gamma": "1",
        "gamma-doc": "1",
    }
    assert site.publish(as_it_is(site.key)).changed is False


def test_a_run_of_everything_takes_the_place_of_what_is_there(site: Site) -> None:
    site.publish(site.beside("alpha"), site.built("alpha", "needed-once"))
    site.publish(site.beside("alpha", "beta"), site.built("alpha", "beta"))
    assert set(packages_of(site.live, site.paths)) == {"alpha", "beta"}


def test_a_run_of_before_does_not_bring_back_what_was_removed(site: Site) -> None:
    built = site.built("alpha", "beta")
    site.publish(site.beside("alpha", "beta"), built)
    later = NOW + timedelta(hours=1)
    site.publish(less(["alpha"], ["alpha"], ("alpha", "beta"), later, site.key, site.paths))
    assert requested_names(site.repository) == ("alpha",)
    assert set(packages_of(site.live, site.paths)) == {"alpha"}
    again = site.publish(site.beside("alpha", "beta"), built)
    assert (again.changed, again.requested) == (False, ("alpha",))
    naive = (later + timedelta(hours=1)).replace(tzinfo=None)  # as the state has its times
    assert site.publish(site.beside("beta", began=naive), site.built("beta")).requested == ("alpha", "beta")
    assert read_manifest(site.live).removed_at is None


@pytest.mark.slow
def test_packages_of_another_key_are_not_mixed_with_ours(site: Site, tmp_path: Path) -> None:
    from rdo.repository import keys
    from tests.unit.repository.conftest import paths_at

    site.publish(site.beside("alpha"), site.built("alpha"))
    other = keys.create(paths_at(tmp_path / "other"))
    choose = run_beside(["beta"], NOW, other, site.paths)
    with pytest.raises(InputError, match="was signed by"):
        site.publish(choose, site.built("beta"), key=other)
    assert requested_names(site.repository) == ("alpha",)


def test_nothing_there_is_an_error_of_the_users(site: Site) -> None:
    with pytest.raises(InputError, match="Nothing is published"):
        site.publish(as_it_is(site.key))


def test_what_was_decided_for_another_snapshot_is_not_published(site: Site) -> None:
    site.publish(site.beside("alpha"), site.built("alpha"))
    for choose in (
        all_of_run(["beta"], seen=()),
        less([], [], seen=("alpha", "gone"), now=NOW, key=site.key, paths=site.paths),
    ):
        with pytest.raises(OvertakenError):
            site.publish(choose, site.built("beta"))
    assert requested_names(site.repository) == ("alpha",)


def test_going_on_has_an_end() -> None:
    count = 0

    def attempt() -> None:
        nonlocal count
        count += 1
        raise OvertakenError

    with pytest.raises(OvertakenError):
        repeated(attempt)
    assert count == 5


def _publish_at_once(site: Site, name: str, barrier: Barrier) -> None:
    """Build for what is asked for already and for one more name, as the factory does."""
    first = True

    def attempt() -> Published:
        nonlocal first
        seen = requested_names(site.repository)
        if first:
            barrier.wait(30)  # all have looked before any of them publishes
            first = False
        names = sorted({*seen, name})
        return site.publish(all_of_run(names, seen), site.built(*names))

    repeated(attempt)


@pytest.mark.parametrize("_time", range(3))
def test_all_that_processes_publish_at_once_is_kept(site: Site, _time: int) -> None:
    names = ("alpha", "beta", "gamma")
    site.publish(site.beside("first"), site.built("first"))
    context = multiprocessing.get_context("fork")
    barrier = context.Barrier(len(names))
    processes = [context.Process(target=_publish_at_once, args=(site, name, barrier)) for name in names]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0, 0, 0]
    assert requested_names(site.repository) == ("alpha", "beta", "first", "gamma")
    assert set(packages_of(site.live, site.paths)) == {"alpha", "beta", "first", "gamma"}


def _as_before(site: Site) -> None:
    """Make the published snapshot one of format 2, whose manifest has no names."""
    file = site.live / "manifest.json"
    manifest = json.loads(file.read_text())
    old = {"format": 2, "key": manifest["key"], "packages": manifest["packages"]}
    file.write_text(json.dumps(old))


def test_names_beside_the_snapshots_are_taken_over(site: Site) -> None:
    site.publish(site.beside("alpha"), site.built("alpha", "beta"))
    _as_before(site)
    (site.repository / LEGACY_FILE).write_text('["openstack-keystone", "alpha"]')
    assert requested_names(site.repository) == ("alpha", "openstack-keystone")
    site.publish(site.beside("gamma"), site.built("gamma"))
    assert requested_names(site.repository) == ("alpha", "gamma", "openstack-keystone")
    assert not (site.repository / LEGACY_FILE).exists()


def test_killed_while_names_are_taken_over_none_is_lost(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    site.publish(site.beside("alpha"), site.built("alpha"))
    _as_before(site)
    (site.repository / LEGACY_FILE).write_text('["alpha", "beta"]')
    for killed in ("replace", "unlink"):
        child = os.fork()
        if child == 0:
            monkeypatch.setattr(Path, killed, lambda *_, **__: os._exit(77))
            site.publish(site.beside("gamma"), site.built("gamma"))
            os._exit(0)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 77
        assert set(requested_names(site.repository)) >= {"alpha", "beta"}
    assert site.publish(site.beside("gamma"), site.built("gamma")).requested == ("alpha", "beta", "gamma")


def test_without_names_every_source_package_counts_as_asked_for(site: Site) -> None:
    ours = write_rpm(site.folder, "rdo-release", source=True, arch="src")
    site.publish(site.beside("alpha"), [*site.built("alpha", "beta"), ours])
    _as_before(site)
    assert requested_names(site.repository) == ("alpha", "beta")
    site.publish(site.beside("gamma"), site.built("gamma"))
    assert set(packages_of(site.live, site.paths)) == {"alpha", "beta", "gamma"}


def test_a_damaged_list_of_names_is_said(site: Site) -> None:
    site.publish(site.beside("alpha"), site.built("alpha"))
    _as_before(site)
    (site.repository / LEGACY_FILE).write_text('["alpha"')
    with pytest.raises(RdoError, match=LEGACY_FILE):
        site.publish(site.beside("gamma"), site.built("gamma"))
