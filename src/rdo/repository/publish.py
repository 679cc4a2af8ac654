"""Atomic publication of repositories as immutable snapshots.

A repository lies in ``<state>/repositories/<platform>-<series>/``::

    snapshots/<digest>/   Packages/, repodata/, SRPMS/, manifest.json, sbom.cdx.json and its signature; never
                          changed once it has this name
    current               a symbolic link to one of them
    mirrorlist            addresses of the current snapshot and of those before it, newest first

Clients are given the ``mirrorlist``, not ``current``: dnf reads it once and then takes repomd.xml, its
signature, the metadata and the packages below ONE snapshot's address, so a publication in the middle of its
work changes nothing for it. What it may still look for with older metadata in hand, it finds at the earlier
snapshots' addresses, which it falls back to. Snapshots stay for an hour after they were replaced, longer
than clients keep metadata (see :mod:`rdo.repository.release_rpm`). See also ``docs/decisions``.

The digest is over the packages' contents, what was asked for, and the key: publishing the same again is
nothing to do. What a snapshot is to have is worked out under the repository's lock, from the one that is
current then, so that no publication undoes another one's.
"""

from __future__ import annotations

import os
import re
import shutil
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from rdo.common.errors import InputError
from rdo.common.files import locked, sync, write_atomically
from rdo.common.paths import Paths
from rdo.common.progress import Progress, SilentProgress, Task
from rdo.repository.keys import Key
from rdo.repository.manifest import LEGACY_FILE, read_manifest, requested_names
from rdo.repository.metadata import RpmFile
from rdo.repository.sbom import SBOM_FILE
from rdo.repository.snapshot_writer import Check, Content, write_snapshot
from rdo.repository.snapshots import folder_of, mirrorlist, published_snapshot, snapshots

KEEP = 3
GRACE = 3600.0
_ADDRESS_FILE = "repository-address"
# What needs no quoting in a spec and in dnf's files, which take % and $ for words of their own. No user and
# password: the files are everybody's to read.
_ADDRESS = re.compile(r"(https?://[A-Za-z0-9._:\[\]-]+|file://)(/[A-Za-z0-9._~+,=/-]*)?")

#: Seconds that a publication waits for another one of the same repository.
PATIENCE = 900.0


@dataclass(frozen=True)
class Published:
    """A repository as it is published now.

    ``path`` is the immutable snapshot's folder, ``address`` what clients are given (the mirrorlist's URL),
    ``requested`` what the repository was asked for, all together; ``changed`` says whether this publication
    changed anything.
    """

    path: Path
    digest: str
    address: str
    packages: int
    sources: int
    requested: tuple[str, ...]
    changed: bool


#: Works out what to publish from the folder of the snapshot that is current; None where nothing is published.
Compose = Callable[[Path | None], Content]


def publish(
    compose: Compose,
    *,
    series: str,
    platform: str,
    paths: Paths,
    key: Key,
    check: Check | None,
    address: str | None = None,
    progress: Progress | None = None,
) -> Published:
    """Publish signed RPMs, source RPMs among them, as a platform's and series' repository.

    :param compose: called while nobody else can publish this repository
    :param check: finds what is unclean (:func:`rdo.repository.closure.checker`); None only for a snapshot
        that needs no closure
    :param address: public address of the folder of repositories, see :func:`site_address`
    :raises UncleanError: the check found something; nothing was changed
    :raises InputError: two RPMs have one file name, or there is none
    :raises RdoError: another publication took too long, or what is published can't be read
    """
    repository = folder_of(paths, platform, series)
    (repository / "snapshots").mkdir(parents=True, exist_ok=True)
    with (
        (progress or SilentProgress()).task(f"Publishing {repository.name}", 6) as task,
        locked(repository / ".lock", limit=PATIENCE),
    ):
        base = f"{site_address(paths, address)}/{repository.name}"
        before = published_snapshot(repository)
        content = compose(before)
        _refuse_clashes(content.rpms)
        target = repository / "snapshots" / content.digest(key)
        if not target.is_dir():
            write_snapshot(content, target, key, paths, check, task, f"{platform}-{series}")
        if address is not None:
            # before clients are sent there: what is published must not be at an address that is forgotten
            _write_if_new(paths.state / _ADDRESS_FILE, site_address(paths, address) + "\n")
        _point(repository, target, before, base, task)
        # its names are in the manifest now
        (repository / LEGACY_FILE).unlink(missing_ok=True)
        _prune(repository)
        task.advance()
    return _describe_published(target, f"{base}/mirrorlist", changed=before != target)


def site_address(paths: Paths, stated: str | None = None) -> str:
    """Return the address by which clients reach the folder of repositories, without a slash at its end.

    It is the stated one, else that of the last publication that stated one (a build that publishes must not
    send a site's clients elsewhere), else a ``file:`` URL.

    :raises InputError: the stated one is no address that dnf could read; it would be written into every host
    """
    if stated is not None and not _ADDRESS.fullmatch(stated):
        shown = "What is stated" if "@" in stated else repr(stated)  # there may be a password before it
        raise InputError(
            f"{shown} is no address of a folder of repositories.",
            hint="It begins with http://, https:// or file:/// and has no blank, quote, `@`, `%` or `$`. "
            "For example: --address https://packages.example.org/rdo",
        )
    if stated is None:
        with suppress(FileNotFoundError):
            stated = (paths.state / _ADDRESS_FILE).read_text().strip()
    return (stated or paths.repositories.as_uri()).rstrip("/")


def show(paths: Paths, platform: str, series: str, address: str | None = None) -> Published:
    """Return what is published for a platform and series.

    :raises InputError: nothing is
    """
    repository = folder_of(paths, platform, series)
    live = published_snapshot(repository)
    if live is None:
        raise InputError(
            f"Nothing is published for {series} on {platform}.", hint="Publish with: rdo repo publish"
        )
    base = f"{site_address(paths, address)}/{repository.name}"
    return _describe_published(live, f"{base}/mirrorlist", changed=False)


def published_rpms(snapshot: Path) -> list[RpmFile]:
    """Return the RPMs of a snapshot, source RPMs among them, with the hashes of its manifest."""
    return read_manifest(snapshot).rpms(snapshot)


def verify_files(snapshot: Path, key: Key) -> list[str]:
    """Return what is wrong with a snapshot's files against its manifest and signatures; nothing is good."""
    wrong = []
    for rpm in published_rpms(snapshot):
        try:
            if RpmFile.of(rpm.path).sha256 != rpm.sha256:
                wrong.append(f"{rpm.path}: its content is not what was published")
        except FileNotFoundError:
            wrong.append(f"{rpm.path}: missing")
    for name in ("repodata/repomd.xml", "SRPMS/repodata/repomd.xml", SBOM_FILE):
        signed = snapshot / name
        try:
            good = key.verify_detached(signed.read_bytes(), Path(f"{signed}.asc").read_text())
        except FileNotFoundError as error:
            wrong.append(f"{error.filename}: missing")
            continue
        if not good:
            wrong.append(f"{signed}: its signature is not by {key.fingerprint}")
    return wrong


def _refuse_clashes(rpms: Sequence[RpmFile]) -> None:
    if not rpms:
        raise InputError("There are no packages to publish.")
    seen: dict[str, RpmFile] = {}
    for rpm in rpms:
        if "/" in rpm.filename or not rpm.filename.endswith(".rpm"):
            raise InputError(f"{rpm.filename!r} is no file name of an RPM.")
        other = seen.setdefault(rpm.filename, rpm)
        if other.sha256 != rpm.sha256:
            raise InputError(f"Two different files are named {rpm.filename}: {other.path} and {rpm.path}.")


def _point(repository: Path, target: Path, before: Path | None, base: str, task: Task) -> None:
    if before != target:
        if before is not None:
            # The folder's time says since when it is no longer current; pruning goes by it.
            os.utime(before)
        task.describe("pointing at the new snapshot")
        temporary = repository / ".current-new"
        temporary.unlink(missing_ok=True)
        temporary.symlink_to(f"snapshots/{target.name}")
        temporary.replace(repository / "current")
        sync(repository)
        task.describe("writing the mirrorlist")
    _write_if_new(repository / "mirrorlist", mirrorlist(repository, base))
    task.advance()


def _prune(repository: Path) -> None:
    """Remove snapshots beyond the newest few that were replaced long enough ago."""
    now = time.time()
    for folder in snapshots(repository)[KEEP:]:
        if now - folder.stat().st_mtime > GRACE:
            doomed = folder.with_name(f".old-{folder.name[:16]}")
            shutil.rmtree(doomed, ignore_errors=True)
            folder.rename(doomed)
            shutil.rmtree(doomed)


def _write_if_new(path: Path, text: str) -> None:
    with suppress(FileNotFoundError):
        if path.read_text() == text:
            return
    write_atomically(path, text)


def _describe_published(snapshot: Path, address: str, *, changed: bool) -> Published:
    manifest = read_manifest(snapshot)
    sources = sum(entry.source for entry in manifest.packages)
    return Published(
        path=snapshot,
        digest=snapshot.name,
        address=address,
        packages=len(manifest.packages) - sources,
        sources=sources,
        requested=requested_names(snapshot.parent.parent),
        changed=changed,
    )
