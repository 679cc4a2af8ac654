"""Looking into an sdist without unpacking it: its list of files, and the text of a few of them.

Nothing is ever written, and nothing that an archive holds is run. An archive that would write outside its own
folder when unpacked is refused whole.
"""

from __future__ import annotations

import lzma
import posixpath
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from rdo.common.errors import RdoError
from rdo.upstream.models import Source

MAX_MEMBERS = 200_000
MAX_UNPACKED = 4 << 30  # bytes of all members together
MAX_TEXT = 32 << 20  # bytes of one member that is read


# RuntimeError: zipfile's way to say that a member is encrypted or compressed in a way it doesn't know.
_DAMAGE = (
    tarfile.TarError,
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    OSError,
    RuntimeError,
)


class SdistError(RdoError):
    """An archive is damaged, or not what an sdist may be."""


class _Member(NamedTuple):
    name: str
    is_file: bool
    size: int
    link: str | None  # where a link points, from the archive's top


@dataclass(frozen=True)
class SdistContents:
    """What was found: names are relative to ``top_folder``; ``texts`` has the members that were wanted."""

    top_folder: str
    files: tuple[str, ...]
    texts: dict[str, bytes]

    def text(self, name: str) -> str | None:
        """Return a wanted member as text (UTF-8, what isn't replaced), None where it isn't there."""
        data = self.texts.get(name)
        return None if data is None else data.decode("utf-8", errors="replace").replace("\r\n", "\n")


def read_sdist(source: Source, wanted: Callable[[str], bool]) -> SdistContents:
    """List an archive's members and read those for whose names (below the top folder) ``wanted`` holds.

    :raises SdistError: not an archive, cut off, several top folders, names or links that lead outside,
        devices, or more than the limits of this module
    """
    try:
        if source.filename.endswith(".zip"):
            return _read(source, _zip_members(source.path, wanted))
        return _read(source, _tar_members(source.path, wanted))
    except _DAMAGE as error:
        raise SdistError(f"{source.filename}: the archive is damaged: {error}") from error


def _read(source: Source, members: Iterable[tuple[_Member, bytes | None]]) -> SdistContents:
    top = ""
    total = 0
    files: list[str] = []
    texts: dict[str, bytes] = {}
    for count, (member, data) in enumerate(members, 1):
        total += member.size
        if count > MAX_MEMBERS or total > MAX_UNPACKED:
            raise SdistError(f"{source.filename}: too large ({count} members, {total >> 20} MiB unpacked).")
        name = _checked_name(source.filename, member.name)
        _check_link(source.filename, member)
        first, _, rest = name.partition("/")
        if name == "." or (not rest and member.is_file and first == "pax_global_header"):
            continue
        if top and first != top:
            raise SdistError(f"{source.filename}: has more than one top folder ({top!r} and {first!r}).")
        top = first
        if member.is_file or member.link is not None:
            files.append(rest)
            if data is not None:
                texts[rest] = data
    if not top:
        raise SdistError(f"{source.filename}: the archive is empty.")
    return SdistContents(top_folder=top, files=tuple(sorted(files)), texts=texts)


def _checked_name(filename: str, name: str) -> str:
    if not name.isprintable():
        # it would get into specs, where a line break begins a new line
        raise SdistError(f"{filename}: the member {name!r} has a control character in its name.")
    if name.startswith("/") or "\\" in name or "\0" in name or ".." in name.split("/"):
        raise SdistError(f"{filename}: the member {name!r} would be written outside its folder.")
    return posixpath.normpath(name)


def _check_link(filename: str, member: _Member) -> None:
    if member.link is None:
        return
    target = posixpath.normpath(member.link)
    top = posixpath.normpath(member.name).partition("/")[0]
    if member.link.startswith("/") or (target != top and not target.startswith(f"{top}/")):
        raise SdistError(f"{filename}: the link {member.name!r} points outside its folder.")


def _below_top(name: str) -> str:
    return posixpath.normpath(name).partition("/")[2]


def _tar_members(path: Path, wanted: Callable[[str], bool]) -> Iterator[tuple[_Member, bytes | None]]:
    # names that are no UTF-8 are replaced: what can't be written as text can't be kept
    with tarfile.open(path, mode="r|*", encoding="utf-8", errors="replace") as tar:
        for info in tar:
            link: str | None = None
            if info.issym():
                link = info.linkname
                if not link.startswith("/"):
                    link = posixpath.join(posixpath.dirname(info.name), link)
            elif info.islnk():
                link = info.linkname
            elif not (info.isfile() or info.isdir()):
                raise SdistError(f"{path.name}: the member {info.name!r} is a device or a pipe.")
            data: bytes | None = None
            if info.isfile() and wanted(_below_top(info.name)):
                if info.size > MAX_TEXT:
                    raise SdistError(f"{info.name}: too large to be read ({info.size >> 20} MiB).")
                stream = tar.extractfile(info)
                data = stream.read() if stream is not None else None
            yield _Member(info.name, info.isfile(), info.size, link), data


def _zip_members(path: Path, wanted: Callable[[str], bool]) -> Iterator[tuple[_Member, bytes | None]]:
    with zipfile.ZipFile(path) as archive:
        for info in archive.infolist():
            kind = stat.S_IFMT(info.external_attr >> 16)
            data: bytes | None = None
            link: str | None = None
            if kind == stat.S_IFLNK:
                target = archive.read(info).decode(errors="replace") if info.file_size < 4096 else "/"
                if not target.startswith("/"):
                    target = posixpath.join(posixpath.dirname(info.filename), target)
                link = target
            elif not info.is_dir() and wanted(_below_top(info.filename)):
                if info.file_size > MAX_TEXT:
                    raise SdistError(f"{info.filename}: too large to be read ({info.file_size >> 20} MiB).")
                data = archive.read(info)
            yield _Member(info.filename, not info.is_dir() and link is None, info.file_size, link), data
