"""What an RPM says of itself (name, version, capabilities, files), in a form that a solver and JSON take."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from rdo.building.models import Value
from rdo.common.errors import RdoError
from rdo.common.files import sha256_file, write_atomically
from rdo.common.rpmlibrary import createrepo

_OPERATORS = {"EQ": "=", "LT": "<", "GT": ">", "LE": "<=", "GE": ">="}


class RpmInfo(Value):
    """One binary or source RPM.

    Capabilities are RPM dependency strings: ``python3dist(pbr) >= 2``, ``(a with b)``, ``/usr/bin/python3``.
    ``sha256`` is the file's, or another name of the content for packages that are no RPM files.
    """

    name: str
    epoch: str = "0"
    version: str
    release: str = ""
    arch: str = "noarch"
    sourcerpm: str = ""
    provides: tuple[str, ...] = ()
    requires: tuple[str, ...] = ()
    conflicts: tuple[str, ...] = ()
    obsoletes: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    sha256: str = ""

    @property
    def evr(self) -> str:
        """``epoch:version-release``, without an epoch of 0 and without an absent release."""
        epoch = "" if self.epoch in ("", "0") else f"{self.epoch}:"
        return f"{epoch}{self.version}-{self.release}" if self.release else f"{epoch}{self.version}"

    @property
    def nevra(self) -> str:
        """``name-epoch:version-release.arch``."""
        return f"{self.name}-{self.evr}.{self.arch}"


def read_rpm(path: Path, *, sha256: str | None = None, cache: Path | None = None) -> RpmInfo:
    """Read an RPM's header.

    :param sha256: hash of the file, where the caller knows it already
    :param cache: folder of earlier readings, by hash
    :raises RdoError: the file is no RPM
    """
    digest = sha256 or sha256_file(path)
    kept = cache / f"{digest}.json" if cache else None
    if kept is not None and kept.exists():
        return RpmInfo.model_validate_json(kept.read_bytes())
    cr = createrepo()
    try:
        package = cr.package_from_rpm(str(path))
    except (cr.CreaterepoCError, OSError) as error:
        raise RdoError(f"{path} can't be read as an RPM: {error}") from error
    info = record_of(package, digest)
    if kept is not None:
        write_atomically(kept, info.model_dump_json(), durable=False)
    return info


def record_of(package: Any, sha256: str) -> RpmInfo:
    """Return what a package of createrepo_c says, be it read from a header or from metadata."""
    return RpmInfo(
        name=package.name,
        epoch=package.epoch or "0",
        version=package.version,
        release=package.release,
        arch=package.arch,
        sourcerpm=package.rpm_sourcerpm or "",
        provides=_capabilities(package.provides),
        requires=_capabilities(package.requires),
        conflicts=_capabilities(package.conflicts),
        obsoletes=_capabilities(package.obsoletes),
        files=tuple(folder + name for _, folder, name, *_ in package.files),
        sha256=sha256,
    )


def _capabilities(entries: Iterable[Sequence[str | None]]) -> tuple[str, ...]:
    found: dict[str, None] = {}
    for name, flags, epoch, version, release, *_ in entries:
        text = str(name)
        if flags:
            evr = "" if epoch in (None, "", "0") else f"{epoch}:"
            evr += version or ""
            evr += f"-{release}" if release else ""
            text = f"{text} {_OPERATORS[flags]} {evr}"
        found[text] = None
    return tuple(found)
