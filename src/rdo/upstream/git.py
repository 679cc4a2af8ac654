"""Sources that are commits of git repositories, as tarballs that come out the same everywhere."""

from __future__ import annotations

import hashlib
import io
import re
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING

from rdo.common.errors import InputError, RdoError
from rdo.common.files import locked, write_atomically
from rdo.common.process import CommandError, run
from rdo.upstream.models import Source
from rdo.upstream.source_cache import SourceCache

if TYPE_CHECKING:
    import pygit2

_FETCH_LIMIT = 1800.0  # seconds
# A repository is data to us: no hooks, no programs named by it, no questions on a terminal.
_SAFE = ("-c", "core.hooksPath=/dev/null", "-c", "protocol.ext.allow=never", "-c", "core.fsmonitor=false")
_ENVIRONMENT = {"GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C.UTF-8"}


class GitError(RdoError):
    """A commit can't be had from a repository."""


@dataclass(frozen=True)
class GitSource:
    """A commit of a repository.

    :param url: anything git can fetch from
    :param commit: 40 hexadecimal digits; a branch or a short hash would not be the same tomorrow
    :param name: top folder and base of the tarball's name
    """

    url: str
    commit: str
    name: str

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[0-9a-f]{40}", self.commit):
            raise InputError(f"{self.commit!r} is no full commit hash (40 hexadecimal digits).")
        if self.url.startswith("-") or not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", self.name):
            raise InputError(f"{self.url!r}, {self.name!r}: not a repository's address and name.")

    @property
    def filename(self) -> str:
        """The tarball's name: name, and the commit's first twelve digits."""
        return f"{self.name}-{self.commit[:12]}.tar"

    def fetch(self, cache: SourceCache) -> Source:
        """Return the commit's tree as an uncompressed tar in the cache, fetching where needed.

        The tar depends on nothing but commit and name: sorted members, the commit's time, no owners.

        :raises GitError: the repository can't be reached or doesn't have the commit
        """
        key = hashlib.sha256(f"{self.commit} {self.name}".encode()).hexdigest()
        record = cache.folder / "git" / "tarballs" / key
        if record.exists():
            found = cache.find(self.filename, record.read_text().strip())
            if found is not None:
                return found
        mirror = cache.folder / "git" / "repositories" / hashlib.sha256(self.url.encode()).hexdigest()[:32]
        with locked(mirror.with_suffix(".lock")):
            self._fetch_into(mirror)
        source = cache.add(self.filename, None, lambda target: self._write_tar(mirror, target))
        write_atomically(record, source.sha256 + "\n")
        return source

    def _fetch_into(self, mirror: Path) -> None:
        if not (mirror / "HEAD").exists():
            run(["git", "init", "--quiet", "--bare", str(mirror)], timeout=60)
        if self._has_commit(mirror):
            return
        git = ["git", *_SAFE, "-C", str(mirror), "fetch", "--quiet", "--no-tags", "--no-write-fetch-head"]
        try:
            run(
                [*git, "--depth=1", "--", self.url, self.commit], variables=_ENVIRONMENT, timeout=_FETCH_LIMIT
            )
        except CommandError:
            # A server may refuse to serve a bare hash; then everything it has is fetched.
            try:
                run(
                    [*git, "--", self.url, "+refs/*:refs/rdo/*"], variables=_ENVIRONMENT, timeout=_FETCH_LIMIT
                )
            except CommandError as error:
                raise GitError(f"{self.url} can't be fetched.\n{error.diagnostics()}") from error
        if not self._has_commit(mirror):
            raise GitError(f"{self.url} has no commit {self.commit}.")

    def _has_commit(self, mirror: Path) -> bool:
        done = run(
            ["git", *_SAFE, "-C", str(mirror), "cat-file", "-e", f"{self.commit}^{{commit}}"],
            check=False,
            timeout=60,
        )
        return done.status == 0

    def _write_tar(self, mirror: Path, target: IO[bytes]) -> None:
        import pygit2

        commit = pygit2.Repository(str(mirror))[self.commit].peel(pygit2.Commit)
        # USTAR where it suffices, PAX only for long names: nothing of this machine gets in.
        with tarfile.open(fileobj=_Forward(target), mode="w|", format=tarfile.PAX_FORMAT) as tar:
            for member, data in _members(commit.tree, self.name, commit.commit_time):
                tar.addfile(member, io.BytesIO(data))


class _Forward(io.RawIOBase):
    """A write-only stream for tarfile that never seeks."""

    def __init__(self, target: IO[bytes]) -> None:
        self._target = target

    def writable(self) -> bool:
        return True

    def write(self, data: object) -> int:
        return self._target.write(bytes(data))  # type: ignore[call-overload]


def _members(tree: pygit2.Tree, folder: str, moment: int) -> Iterator[tuple[tarfile.TarInfo, bytes]]:
    import pygit2

    for entry in sorted(tree, key=lambda e: e.name or ""):
        path = f"{folder}/{entry.name}"
        if isinstance(entry, pygit2.Tree):
            yield from _members(entry, path, moment)
        elif isinstance(entry, pygit2.Blob):
            info = tarfile.TarInfo(path)
            info.mtime = moment
            if entry.filemode == pygit2.enums.FileMode.LINK:
                info.type, info.linkname, info.mode = tarfile.SYMTYPE, entry.data.decode(), 0o777
                yield info, b""
            else:
                info.mode = 0o755 if entry.filemode == pygit2.enums.FileMode.BLOB_EXECUTABLE else 0o644
                info.size = entry.size
                yield info, entry.data
        # submodules are not part of the commit's content
