"""Files that are either whole or absent, hashes of them, and locks between processes."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from rdo.common.errors import RdoError

_LOOK_AGAIN = 0.02  # seconds between looks at a lock that another process holds


def sha256_bytes(data: bytes) -> str:
    """Return the SHA-256 of ``data`` as 64 hexadecimal digits."""
    return hashlib.sha256(data).hexdigest()


def sha256_file(path: Path) -> str:
    """Return the SHA-256 of a file's content as 64 hexadecimal digits."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def write_atomically(path: Path, data: bytes | str, *, mode: int = 0o644, durable: bool = True) -> None:
    """Write a whole file or none: to a temporary name beside it, then by rename.

    The file never exists with another mode than ``mode``. With ``durable`` the content is on disk before
    the name is.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    content = data.encode() if isinstance(data, str) else data
    descriptor, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            os.fchmod(stream.fileno(), mode)
            stream.write(content)
            stream.flush()
            if durable:
                os.fsync(stream.fileno())
        Path(temporary).replace(path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            Path(temporary).unlink()
        raise


def sync(path: Path) -> None:
    """Have a file's content, or a folder's names, on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def locked(path: Path, *, shared: bool = False, limit: float | None = None) -> Iterator[None]:
    """Hold an advisory lock on ``path`` (made if absent) against other processes; waits for it.

    The kernel drops the lock when its holder dies, however it dies.

    :param limit: seconds to wait at most; by default as long as it takes
    :raises RdoError: another process held it for all that time
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    kind = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
    with path.open("a") as stream:
        if limit is None:
            fcntl.flock(stream, kind)
        else:
            _lock_within(stream, kind, limit)
        yield


def _lock_within(stream: IO[str], kind: int, limit: float) -> None:
    deadline = time.monotonic() + limit
    while True:
        try:
            fcntl.flock(stream, kind | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() >= deadline:
                raise RdoError(f"{stream.name} was locked by another process for {limit:g} s.") from None
        time.sleep(_LOOK_AGAIN)
