"""Writing a snapshot: packages, metadata, signatures and manifest, whole under its name or not at all."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from rdo.common.errors import RdoError
from rdo.common.files import sha256_bytes, sha256_file, sync
from rdo.common.paths import Paths
from rdo.common.progress import Task
from rdo.repository import metadata
from rdo.repository.findings import Finding, UncleanError
from rdo.repository.keys import Key
from rdo.repository.manifest import FILE, FORMAT, RELEASE_PACKAGE, Manifest, PackageEntry
from rdo.repository.metadata import Described, RpmFile
from rdo.repository.sbom import SBOM_FILE, repository_sbom

KEY_FILE = "RPM-GPG-KEY-rdo"

Check = Callable[[Sequence[Described], Sequence[RpmFile]], Sequence[Finding]]


@dataclass(frozen=True)
class Content:
    """What a snapshot is to have: signed RPMs, source RPMs among them, and what they were asked for.

    The rest is described at :class:`rdo.repository.manifest.Manifest`.
    """

    rpms: Sequence[RpmFile]
    requested: tuple[str, ...] = ()
    removed_at: datetime | None = None
    release_content: str = ""

    def digest(self, key: Key) -> str:
        """Return the digest of the snapshot that this makes."""
        removed = "" if self.removed_at is None else self.removed_at.isoformat()
        lines = [f"rdo snapshot {FORMAT} {key.signing_fingerprint} {removed}"]
        lines += sorted(f"{rpm.sha256} {rpm.filename}" for rpm in self.rpms)
        return sha256_bytes("\n".join([*lines, "requested", *sorted(self.requested)]).encode())


def write_snapshot(
    content: Content, target: Path, key: Key, paths: Paths, check: Check | None, task: Task, name: str
) -> None:
    """Write a snapshot under its name ``target``, whole and on the disk; what killed writers left is removed.

    :param task: is told of each step; three of its steps are done afterwards
    :param name: the repository's, for messages and the bill of materials
    :raises UncleanError: the check found something; nothing was written
    :raises RdoError: a package is damaged; nothing was written
    """
    _sweep(target.parent)
    task.describe("reading packages")
    unique = {rpm.filename: rpm for rpm in content.rpms}
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
        _write_manifest(building, content, files, described, key)
        task.advance()
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


def _write_manifest(
    building: Path, content: Content, files: Sequence[RpmFile], described: Sequence[Described], key: Key
) -> None:
    manifest = Manifest(
        format=FORMAT,
        key=key.fingerprint,
        packages=tuple(
            PackageEntry(nevra=d.nevra, filename=f.filename, sha256=f.sha256, size=f.size, source=d.is_source)
            for f, d in zip(files, described, strict=True)
        ),
        requested=tuple(sorted(content.requested)),
        removed_at=content.removed_at,
        release_content=content.release_content,
    )
    (building / FILE).write_text(manifest.model_dump_json(indent=1) + "\n")


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
            hint=_way_out(file.path),
        )


def _way_out(damaged: Path) -> str:
    if damaged.parent.name == "Packages":  # a package that stays as another snapshot has it
        return "Build it again: rdo build, with the names that rdo repo show says, publishes it anew."
    return f"Remove {damaged.parent}; what was in it is made anew."


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
