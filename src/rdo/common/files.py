"""Files that are either whole or absent, folders, hashes of files, and locks between processes.

Modes are set here and not inherited: what is public can be read by all and written by its owner, what is
private is the owner's alone, whatever umask the operator has.
"""

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


#: What the tool and everything that it starts run with. Builds and their roots are read by other users.
UMASK = 0o022


def make_folder(path: Path, *, private: bool = False) -> Path:
    """Make a folder and those above it that are missing, with mode 0755; return it.

    :param private: the folder itself is for its owner alone (0700), also if it was there with another mode
    """
    missing = []
    place = path
    while not place.is_dir():
        missing.append(place)
        place = place.parent
    for place in reversed(missing):
        try:
            place.mkdir(mode=0o700 if private and place == path else 0o755)
        except FileExistsError:
            if not place.is_dir():
                raise
        else:
            # the umask may have taken too much away
            place.chmod(0o700 if private and place == path else 0o755)
    if private and path.stat().st_mode & 0o077:
        path.chmod(0o700)
    return path


def write_atomically(path: Path, data: bytes | str, *, mode: int = 0o644, durable: bool = True) -> None:
    """Write a whole file or none: to a temporary name beside it, then by rename.

    The file never exists with another mode than ``mode``. With ``durable`` the content is on disk before
    the name is.
    """
    make_folder(path.parent)
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
    make_folder(path.parent)
    kind = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
    with os.fdopen(descriptor, "a") as stream:
        if limit is None:
            fcntl.flock(stream, kind)
        else:
            _lock_within(stream, path, kind, limit)
        yield


def _lock_within(stream: IO[str], path: Path, kind: int, limit: float) -> None:
    deadline = time.monotonic() + limit
    while True:
        try:
            fcntl.flock(stream, kind | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() >= deadline:
                raise RdoError(f"{path} was locked by another process for {limit:g} s.") from None
        time.sleep(_LOOK_AGAIN)
