"""Fetched sources on disk, by the hash of their content: whole, verified while written, never changed."""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, cast

from rdo.common.errors import RdoError
from rdo.common.files import sha256_file
from rdo.upstream.models import Source


class HashMismatchError(RdoError):
    """What was fetched is not what the lock says. It was put aside and is not used."""

    def __init__(self, filename: str, expected: str, actual: str, aside: Path) -> None:
        super().__init__(
            f"{filename}: the content fetched has SHA-256 {actual}, the lock says {expected}. Refused.",
            hint=f"The file is kept for a look at {aside}. If upstream replaced it, import anew.",
        )
        self.expected, self.actual, self.aside = expected, actual, aside


class _HashingFile:
    """A writable file that knows the SHA-256 of what it holds; seeking back to 0 starts over."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self.digest = hashlib.sha256()

    def write(self, data: bytes) -> int:
        self.digest.update(data)
        return self._stream.write(data)

    def seek(self, offset: int, whence: int = 0) -> int:
        if (offset, whence) != (0, 0):
            raise OSError("only seek(0) is possible while content is verified")
        self.digest = hashlib.sha256()
        return self._stream.seek(0)

    def truncate(self, size: int | None = None) -> int:
        return self._stream.truncate(size)


class SourceCache:
    """A folder of sources. Several processes may use one at the same time.

    :param folder: made when something is first written
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def find(self, filename: str, sha256: str) -> Source | None:
        """Return a source that is here, None where it isn't."""
        path = self._place(sha256)
        return Source(filename=filename, sha256=sha256, path=path) if path.is_file() else None

    def check(self, source: Source) -> None:
        """Read a source again and compare its hash; a damaged one is put aside.

        :raises HashMismatchError: the disk has changed it
        """
        actual = sha256_file(source.path)
        if actual != source.sha256:
            raise HashMismatchError(
                source.filename, source.sha256, actual, self._reject(source.path, source.filename)
            )

    def add(self, filename: str, sha256: str | None, write: Callable[[IO[bytes]], None]) -> Source:
        """Have ``write`` write a file, verify it, and take it in.

        :param sha256: what it has to be; None takes whatever it is
        :raises HashMismatchError: it is something else
        """
        with self.incoming() as incoming:
            hashing = _HashingFile(incoming)
            write(cast(IO[bytes], hashing))
            incoming.flush()
            os.fsync(incoming.fileno())
            actual = hashing.digest.hexdigest()
            temporary = Path(incoming.name)
            if sha256 is not None and actual != sha256:
                raise HashMismatchError(filename, sha256, actual, self._reject(temporary, filename))
            place = self._place(actual)
            place.parent.mkdir(parents=True, exist_ok=True)
            os.fchmod(incoming.fileno(), 0o444)
            temporary.replace(place)
        return Source(filename=filename, sha256=actual, path=place)

    @contextlib.contextmanager
    def incoming(self) -> Iterator[IO[bytes]]:
        """Open a temporary file on the cache's disk; it is gone afterwards unless it was moved."""
        folder = self.folder / "incoming"
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=folder, delete=False) as stream:
            try:
                yield cast(IO[bytes], stream)
            finally:
                Path(stream.name).unlink(missing_ok=True)

    def reject(self, source: Source) -> Path:
        """Put a source aside so that it isn't used again; return where it is then."""
        return self._reject(source.path, source.filename)

    def _reject(self, path: Path, filename: str) -> Path:
        folder = self.folder / "rejected"
        folder.mkdir(parents=True, exist_ok=True)
        aside = folder / f"{sha256_file(path)[:16]}-{Path(filename).name}"
        path.replace(aside)
        return aside

    def _place(self, sha256: str) -> Path:
        if len(sha256) != 64 or not set(sha256) <= set("0123456789abcdef"):
            raise RdoError(f"{sha256!r} is no SHA-256 in lower-case hexadecimal digits.")
        return self.folder / sha256[:2] / sha256
