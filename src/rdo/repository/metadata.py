"""Repository metadata: what dnf reads to know which packages there are.

Written with gzip (the solver's reader knows no zstd) and deterministically: the same packages give the same
bytes. An RPM is read once; what it contributes is kept in the cache by the hash of its content.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast

from rdo.common.errors import RdoError
from rdo.common.files import sha256_bytes, sha256_file, write_atomically
from rdo.common.rpmlibrary import createrepo

# Part of the cache's file names: count up when what is kept there changes.
_FORMAT = 2
_CHANGELOGS = 10
_COMMON = "http://linux.duke.edu/metadata/common"
#: Opening tags of the documents, whose parts :class:`Described` has.
NAMESPACES = {
    "primary": f'metadata xmlns="{_COMMON}" xmlns:rpm="http://linux.duke.edu/metadata/rpm"',
    "filelists": 'filelists xmlns="http://linux.duke.edu/metadata/filelists"',
    "other": 'otherdata xmlns="http://linux.duke.edu/metadata/other"',
}

Kind = Literal["file", "dir", "ghost"]


@dataclass(frozen=True)
class RpmFile:
    """An RPM file whose content is known: its hash was computed or looked up before."""

    path: Path
    filename: str
    sha256: str
    size: int

    @classmethod
    def of(cls, path: Path) -> RpmFile:
        """Read and hash a file."""
        return cls(path=path, filename=path.name, sha256=sha256_file(path), size=path.stat().st_size)


@dataclass(frozen=True)
class Entry:
    """A path that a package owns; ``digest`` is of its content and empty for what is no regular file."""

    path: str
    kind: Kind
    digest: str


@dataclass(frozen=True)
class Described:
    """What one RPM contributes to the metadata. ``built`` is its build time in seconds since 1970."""

    name: str
    epoch: str
    version: str
    release: str
    arch: str
    built: int
    sha256: str
    filename: str
    primary: str
    filelists: str
    other: str
    files: tuple[Entry, ...]

    @property
    def nevra(self) -> str:
        """Name, epoch where it isn't 0, version, release and architecture, as rpm writes them."""
        epoch = f"{self.epoch}:" if self.epoch not in ("", "0") else ""
        return f"{self.name}-{epoch}{self.version}-{self.release}.{self.arch}"

    @property
    def is_source(self) -> bool:
        """Whether it is a source RPM."""
        return self.arch == "src"


def describe(rpm: RpmFile, cache: Path | None = None) -> Described:
    """Return what an RPM contributes, from the cache if it was read before.

    :param cache: folder of what was read before
    :raises RdoError: the file is no RPM
    """
    kept = cache / f"repodata-{_FORMAT}" / rpm.sha256[:2] / f"{rpm.sha256}.json" if cache else None
    if kept is not None:
        try:
            return _decode(kept.read_bytes(), rpm)
        except FileNotFoundError:
            pass
        except (ValueError, KeyError, TypeError):
            kept.unlink(missing_ok=True)
    described = _read(rpm)
    if kept is not None:
        write_atomically(kept, _encode(described), durable=False)
    return described


def write(packages: Sequence[Described], folder: Path) -> bytes:
    """Write ``folder/repodata`` for packages that lie in ``folder/Packages`` and return repomd.xml's bytes.

    Times in it are the newest package's build time, so that equal packages make equal metadata.
    """
    ordered = sorted(packages, key=lambda p: (p.name, p.arch, p.nevra, p.sha256))
    stamp = max((package.built for package in ordered), default=0)
    repodata = folder / "repodata"
    repodata.mkdir(parents=True)
    parts: list[tuple[str, Iterable[str]]] = [
        ("primary", (p.primary for p in ordered)),
        ("filelists", (p.filelists for p in ordered)),
        ("other", (p.other for p in ordered)),
    ]
    records = []
    for kind, snippets in parts:
        text = _document(kind, len(ordered), snippets)
        packed = gzip.compress(text, compresslevel=6, mtime=0)
        checksum = sha256_bytes(packed)
        (repodata / f"{checksum}-{kind}.xml.gz").write_bytes(packed)
        records.append(_record(kind, checksum, len(packed), sha256_bytes(text), len(text), stamp))
    repomd = (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<repomd xmlns="http://linux.duke.edu/metadata/repo" xmlns:rpm="http://linux.duke.edu/metadata/rpm">\n'
        f"  <revision>{stamp}</revision>\n{''.join(records)}</repomd>\n"
    ).encode()
    (repodata / "repomd.xml").write_bytes(repomd)
    return repomd


def _document(kind: str, count: int, snippets: Iterable[str]) -> bytes:
    opening = NAMESPACES[kind]
    closing = opening.partition(" ")[0]
    head = f'<?xml version="1.0" encoding="UTF-8"?>\n<{opening} packages="{count}">\n'
    return f"{head}{''.join(snippets)}</{closing}>\n".encode()


def _record(kind: str, checksum: str, size: int, open_checksum: str, open_size: int, stamp: int) -> str:
    return (
        f'  <data type="{kind}">\n'
        f'    <checksum type="sha256">{checksum}</checksum>\n'
        f'    <open-checksum type="sha256">{open_checksum}</open-checksum>\n'
        f'    <location href="repodata/{checksum}-{kind}.xml.gz"/>\n'
        f"    <timestamp>{stamp}</timestamp>\n"
        f"    <size>{size}</size>\n"
        f"    <open-size>{open_size}</open-size>\n"
        "  </data>\n"
    )


def _read(rpm: RpmFile) -> Described:
    createrepo_c = createrepo()
    try:
        package = createrepo_c.package_from_rpm(
            str(rpm.path), createrepo_c.SHA256, f"Packages/{rpm.filename}", None, _CHANGELOGS
        )
    except (createrepo_c.CreaterepoCError, OSError) as error:
        raise RdoError(f"{rpm.path} can't be read as an RPM: {error}") from error
    if package.pkgId != rpm.sha256:
        raise RdoError(f"{rpm.path} is not what it was: its hash is {package.pkgId}, not {rpm.sha256}.")
    package.time_file = package.time_build
    primary, filelists, other = createrepo_c.xml_dump(package)
    files = tuple(
        Entry(path=f"{entry[1]}{entry[2]}", kind=cast(Kind, entry[0] or "file"), digest=entry[3] or "")
        for entry in package.files
    )
    return Described(
        name=package.name,
        epoch=package.epoch or "0",
        version=package.version,
        release=package.release,
        arch=package.arch,
        built=int(package.time_build),
        sha256=rpm.sha256,
        filename=rpm.filename,
        primary=primary,
        filelists=filelists,
        other=other,
        files=files,
    )


def _encode(described: Described) -> bytes:
    fields = {name: getattr(described, name) for name in Described.__dataclass_fields__ if name != "files"}
    return json.dumps(fields | {"files": [(f.path, f.kind, f.digest) for f in described.files]}).encode()


def _decode(data: bytes, rpm: RpmFile) -> Described:
    fields = json.loads(data)
    if fields["filename"] != rpm.filename:
        raise ValueError("read under another name, which stands in the metadata")
    files = tuple(Entry(*entry) for entry in fields.pop("files"))
    return Described(files=files, **fields)
