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

The digest is over the packages' contents and the key: publishing the same again is nothing to do.
"""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from rdo.common.errors import InputError, RdoError
from rdo.common.files import locked, sha256_bytes, sha256_file, sync, write_atomically
from rdo.common.paths import Paths
from rdo.common.progress import Progress, SilentProgress, Task
from rdo.repository import metadata
from rdo.repository.findings import Finding, UncleanError
from rdo.repository.keys import Key
from rdo.repository.metadata import Described, RpmFile
from rdo.repository.sbom import SBOM_FILE, repository_sbom
from rdo.repository.snapshots import current, folder_of, mirrorlist, snapshots

KEEP = 3
GRACE = 3600.0
KEY_FILE = "RPM-GPG-KEY-rdo"
_ADDRESS_FILE = "repository-address"

# The package that configures hosts is also found under a name without a version, for their first contact.
RELEASE_PACKAGE = "rdo-release"

# Part of every digest: count up when a snapshot's layout changes.
_FORMAT = 2

Check = Callable[[Sequence[Described], Sequence[RpmFile]], Sequence[Finding]]


@dataclass(frozen=True)
class Published:
    """A repository as it is published now.

    ``path`` is the immutable snapshot's folder, ``address`` what clients are given (the mirrorlist's URL);
    ``changed`` says whether this publication changed anything.
    """

    path: Path
    digest: str
    address: str
    packages: int
    sources: int
    changed: bool


def digest_of(rpms: Sequence[RpmFile], key: Key) -> str:
    """Return the digest of the snapshot that these signed RPMs make."""
    lines = sorted(f"{rpm.sha256} {rpm.filename}" for rpm in rpms)
    return sha256_bytes("\n".join([f"rdo snapshot {_FORMAT} {key.signing_fingerprint}", *lines]).encode())


def publish(
    rpms: Sequence[RpmFile],
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

    :param check: finds what is unclean (:func:`rdo.repository.closure.checker`); None only for a snapshot
        that needs no closure
    :param address: public address of the folder of repositories, see :func:`site_address`
    :raises UncleanError: the check found something; nothing was changed
    :raises InputError: two RPMs have one file name, or there is none
    """
    _refuse_clashes(rpms)
    repository = folder_of(paths, platform, series)
    base = f"{site_address(paths, address)}/{repository.name}"
    digest = digest_of(rpms, key)
    (repository / "snapshots").mkdir(parents=True, exist_ok=True)
    with (
        (progress or SilentProgress()).task(f"Publishing {repository.name}", 6) as task,
        locked(repository / ".lock"),
    ):
        before = current(repository)
        target = repository / "snapshots" / digest
        if not target.is_dir():
            _make_snapshot(rpms, target, key, paths, check, task, f"{platform}-{series}")
        _point(repository, target, before, base, task)
        if address is not None:
            _write_if_new(paths.state / _ADDRESS_FILE, site_address(paths, address) + "\n")
        _prune(repository)
        task.advance()
    return _describe_published(target, f"{base}/mirrorlist", changed=before != target)


def site_address(paths: Paths, stated: str | None = None) -> str:
    """Return the address by which clients reach the folder of repositories, without a slash at its end.

    It is the stated one, else that of the last publication that stated one (a build that publishes must not
    send a site's clients elsewhere), else a ``file:`` URL.
    """
    if stated is None:
        with suppress(FileNotFoundError):
            stated = (paths.state / _ADDRESS_FILE).read_text().strip()
    return (stated or paths.repositories.as_uri()).rstrip("/")


def show(paths: Paths, platform: str, series: str, address: str | None = None) -> Published:
    """Return what is published for a platform and series.

    :raises InputError: nothing is
    """
    repository = folder_of(paths, platform, series)
    live = current(repository)
    if live is None:
        raise InputError(
            f"Nothing is published for {series} on {platform}.", hint="Publish with: rdo repo publish"
        )
    base = f"{site_address(paths, address)}/{repository.name}"
    return _describe_published(live, f"{base}/mirrorlist", changed=False)


def published_rpms(snapshot: Path) -> list[RpmFile]:
    """Return the RPMs of a snapshot, source RPMs among them, with the hashes of its manifest."""
    manifest = json.loads((snapshot / "manifest.json").read_text())
    return [
        RpmFile(
            path=snapshot / ("SRPMS/Packages" if entry["source"] else "Packages") / entry["filename"],
            filename=entry["filename"],
            sha256=entry["sha256"],
            size=entry["size"],
        )
        for entry in manifest["packages"]
    ]


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


def _make_snapshot(
    rpms: Sequence[RpmFile], target: Path, key: Key, paths: Paths, check: Check | None, task: Task, name: str
) -> None:
    _sweep(target.parent)
    task.describe("reading packages")
    unique = {rpm.filename: rpm for rpm in rpms}
    files = [unique[filename] for filename in sorted(unique)]
    described = [metadata.describe(rpm, paths.metadata) for rpm in files]
    task.advance()
    task.describe("checking closure and conflicts")
    findings = check(described, files) if check else []
    if findings:
        raise UncleanError(name, findings)
    task.advance()
    task.describe("laying out the snapshot")
    building = target.parent / f".new-{target.name[:16]}"
    try:
        building.mkdir()
        _fill(building, files, described, key, task, name)
        _sync_all(building)
        task.describe("naming the snapshot")
        building.rename(target)
        sync(target.parent)
    except BaseException:
        shutil.rmtree(building, ignore_errors=True)
        raise


def _fill(
    building: Path,
    files: Sequence[RpmFile],
    described: Sequence[Described],
    key: Key,
    task: Task,
    name: str,
) -> None:
    for sources, folder in ((False, building), (True, building / "SRPMS")):
        (folder / "Packages").mkdir(parents=True)
        chosen = [(f, d) for f, d in zip(files, described, strict=True) if d.is_source is sources]
        for file, _ in chosen:
            _place(file, folder / "Packages" / file.filename)
        repomd = metadata.write([d for _, d in chosen], folder)
        task.describe("signing the metadata")
        (folder / "repodata/repomd.xml.asc").write_text(key.sign_detached(repomd))
    bill = repository_sbom(name, described)
    (building / SBOM_FILE).write_text(bill)
    (building / f"{SBOM_FILE}.asc").write_text(key.sign_detached(bill.encode()))
    (building / KEY_FILE).write_text(key.public)
    for file, one in zip(files, described, strict=True):
        if one.name == RELEASE_PACKAGE and not one.is_source:
            _place(file, building / f"{RELEASE_PACKAGE}.rpm")
    entries = [
        {"nevra": d.nevra, "filename": f.filename, "sha256": f.sha256, "size": f.size, "source": d.is_source}
        for f, d in zip(files, described, strict=True)
    ]
    manifest = {"format": _FORMAT, "key": key.fingerprint, "packages": entries}
    (building / "manifest.json").write_text(json.dumps(manifest, indent=1) + "\n")
    task.advance()


def _place(file: RpmFile, target: Path) -> None:
    """Link a package into a snapshot; copy it where another file system holds it. Its hash is checked."""
    try:
        os.link(file.path, target)
    except OSError:
        shutil.copyfile(file.path, target)
        target.chmod(0o444)
    if sha256_file(target) != file.sha256:
        raise RdoError(
            f"{file.path} is damaged: its content is not what was signed.",
            hint=f"Remove {file.path.parent}; what was in it is made anew.",
        )


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


def _sweep(folder: Path) -> None:
    """Remove what a killed publication left; the lock is held, so nobody works on it."""
    for leftover in (*folder.glob(".new-*"), *folder.glob(".old-*")):
        shutil.rmtree(leftover)


def _sync_all(folder: Path) -> None:
    for parent, _, names in os.walk(folder):
        for name in names:
            path = Path(parent, name)
            if path.suffix != ".rpm" or path.stat().st_nlink == 1:
                sync(path)
        sync(Path(parent))


def _write_if_new(path: Path, text: str) -> None:
    with suppress(FileNotFoundError):
        if path.read_text() == text:
            return
    write_atomically(path, text)


def _describe_published(snapshot: Path, address: str, *, changed: bool) -> Published:
    try:
        entries = json.loads((snapshot / "manifest.json").read_text())["packages"]
    except (FileNotFoundError, ValueError) as error:
        raise RdoError(f"The snapshot {snapshot} is damaged: {error}", hint="Publish again.") from error
    sources = sum(1 for entry in entries if entry["source"])
    return Published(
        path=snapshot,
        digest=snapshot.name,
        address=address,
        packages=len(entries) - sources,
        sources=sources,
        changed=changed,
    )
