"""What a repository's next snapshot is to have, worked out from the one that is current: all of a run, a run
beside what is there, or less than there is.

Nothing that a repository was asked for goes by itself. Each of these is called under the repository's lock
and begins with what is published then.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from rdo.building.rpminfo import read_rpm
from rdo.common.errors import InputError, RdoError
from rdo.common.paths import Paths
from rdo.repository.keys import Key
from rdo.repository.manifest import Manifest, read_manifest, requested_names
from rdo.repository.metadata import RpmFile
from rdo.repository.release_number import is_release_package
from rdo.repository.snapshot_writer import Content

# How often a publication is worked out anew because others were quicker, each of them having published.
_ATTEMPTS = 5


class OvertakenError(RdoError):
    """Another publication changed what a repository was asked for, after this one had looked."""

    def __init__(self) -> None:
        super().__init__(
            "Others changed what the repository is asked for, again and again.", hint="Run the command again."
        )


#: Works out a snapshot's content without ``rdo-release``: from the folder of the current one, None where
#: nothing is published, and from signed RPMs of what was built.
Choose = Callable[[Path | None, Sequence[RpmFile]], Content]

_T = TypeVar("_T")


def repeated(attempt: Callable[[], _T]) -> _T:
    """Do something that publishes, and do it again where others were quicker.

    :raises OvertakenError: they were so several times
    """
    for _ in range(_ATTEMPTS - 1):
        try:
            return attempt()
        except OvertakenError:
            continue
    return attempt()


def names_of(snapshot: Path | None) -> tuple[str, ...]:
    """Return what was asked for of the repository whose current snapshot this is."""
    return () if snapshot is None else requested_names(snapshot.parent.parent)


def all_of_run(requested: Iterable[str], seen: Sequence[str]) -> Choose:
    """Return what publishes just what was built.

    :param requested: what all of it was built for
    :param seen: what the repository had been asked for when that was worked out
    """

    def choose(snapshot: Path | None, signed: Sequence[RpmFile]) -> Content:
        _require_unchanged(snapshot, seen)
        return Content(signed, tuple(requested))

    return choose


def run_beside(requested: Iterable[str], began: datetime, key: Key, paths: Paths) -> Choose:
    """Return what publishes a run together with the published packages.

    Packages of the run take the place of those of the same source package. A run that has all that the
    repository was asked for is published as it is; one that began before names were taken out of the
    repository changes nothing there.

    :param requested: what the run was asked for
    :param began: when it began, UTC
    """
    wanted = set(requested)

    def choose(snapshot: Path | None, signed: Sequence[RpmFile]) -> Content:
        if snapshot is None:
            return Content(signed, tuple(wanted))
        manifest, before = read_manifest(snapshot), set(names_of(snapshot))
        if manifest.removed_at is not None and _utc(began) <= _utc(manifest.removed_at):
            return as_it_is(key)(snapshot, signed)
        if wanted >= before:
            return Content(signed, tuple(wanted))
        fresh = {_source(rpm, paths) for rpm in signed}
        kept = [rpm for rpm in _own(snapshot, manifest, key) if _source(rpm, paths) not in fresh]
        return Content([*kept, *signed], tuple(wanted | before))

    return choose


def as_it_is(key: Key) -> Choose:
    """Return what publishes what is published; only ``rdo-release`` may change, as with another address."""

    def choose(snapshot: Path | None, signed: Sequence[RpmFile]) -> Content:
        if snapshot is None:
            raise InputError("Nothing is published.", hint="Build first: rdo build PROJECT")
        manifest = read_manifest(snapshot)
        return Content(_own(snapshot, manifest, key), names_of(snapshot), manifest.removed_at)

    return choose


def less(
    requested: Iterable[str],
    packages: Iterable[str],
    seen: Sequence[str],
    now: datetime,
    key: Key,
    paths: Paths,
) -> Choose:
    """Return what publishes only some of the published packages.

    :param requested: names that remain
    :param packages: source packages that remain, with all that was built of them
    :param seen: what the repository had been asked for when that was worked out
    :param now: the time, UTC
    """
    remain = set(packages)

    def choose(snapshot: Path | None, signed: Sequence[RpmFile]) -> Content:
        _require_unchanged(snapshot, seen)
        assert snapshot is not None
        own = _own(snapshot, read_manifest(snapshot), key)
        return Content([rpm for rpm in own if _source(rpm, paths) in remain], tuple(requested), now)

    return choose


def packages_of(snapshot: Path, paths: Paths) -> dict[str, list[str]]:
    """Return the file names of a snapshot's RPMs by source package, without ``rdo-release``."""
    found: dict[str, list[str]] = {}
    for rpm in read_manifest(snapshot).rpms(snapshot):
        if not is_release_package(rpm.filename):
            found.setdefault(_source(rpm, paths), []).append(rpm.filename)
    return found


def _require_unchanged(snapshot: Path | None, seen: Sequence[str]) -> None:
    if set(names_of(snapshot)) != set(seen):
        raise OvertakenError


def _utc(time: datetime) -> datetime:
    return time if time.tzinfo is not None else time.replace(tzinfo=UTC)


def _own(snapshot: Path, manifest: Manifest, key: Key) -> list[RpmFile]:
    """Return the RPMs of a snapshot without ``rdo-release``.

    :raises InputError: another key signed them, which no host would trust beside this one
    """
    if manifest.key != key.fingerprint:
        raise InputError(
            f"What is published was signed by {manifest.key}, and the key is {key.fingerprint} now.",
            hint="Build it again, which signs it anew: rdo build, with the names that rdo repo show says.",
        )
    return [rpm for rpm in manifest.rpms(snapshot) if not is_release_package(rpm.filename)]


def _source(rpm: RpmFile, paths: Paths) -> str:
    """Return the name of the source package that an RPM was built from, or that it is."""
    info = read_rpm(rpm.path, sha256=rpm.sha256, cache=paths.metadata / "rpms")
    return info.name if info.arch == "src" else info.sourcerpm.rsplit("-", 2)[0]
