"""One command at a time changes a cloud, or a test host: their locks, and who has them.

The kernel drops a lock when its holder dies, however it dies, so none is ever left behind.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from rdo.cloud.testhosts.records import check_name
from rdo.common.errors import RdoError
from rdo.common.files import make_folder
from rdo.common.paths import Paths


class BusyError(RdoError):
    """Another command changes the same thing just now; nothing was done."""


@contextlib.contextmanager
def changing(paths: Paths, name: str, command: str) -> Iterator[None]:
    """Hold a cloud's lock; who only looks at a cloud goes without.

    :param command: what others are told that holds it, as ``rdo cloud up``
    :raises BusyError: another command has it: which one, its process, since when
    """
    # beside the cloud's folder, which `down --data` removes
    with exclusive(paths.clouds / f".{name}.lock", f"The cloud {name}", command):
        yield


@contextlib.contextmanager
def changing_hosts(paths: Paths, names: Iterable[str], command: str) -> Iterator[None]:
    """Hold the locks of test hosts, of all or of none; the cloud that is on them has its own.

    :param command: what others are told that holds them, as ``rdo repo try``
    :raises InputError: a name is none
    :raises BusyError: another command has one: which one, its process, since when
    """
    wanted = sorted({check_name(name) for name in names})
    make_folder(paths.hosts, private=True)
    with contextlib.ExitStack() as held:
        for name in wanted:
            place = paths.hosts / f".busy-{name}.lock"
            held.enter_context(exclusive(place, f"The test host {name}", command))
        yield


@contextlib.contextmanager
def exclusive(place: Path, what: str, command: str) -> Iterator[None]:
    """Hold the lock at ``place``, at once or not at all.

    :param what: what it is the lock of, as a message begins
    :raises BusyError: another process has it
    """
    make_folder(place.parent)
    # neither inherited by what is started meanwhile nor open to others
    descriptor = os.open(place, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "r+") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BusyError(
                f"{what} is being changed already, by {_holder(stream.read())}. Nothing was done.",
                hint="Wait for its end, then run the same again.",
            ) from None
        holder = {
            "command": command,
            "pid": os.getpid(),
            "since": datetime.now(UTC).isoformat("T", "seconds"),
        }
        stream.truncate()
        stream.write(json.dumps(holder))
        stream.flush()
        yield
        stream.seek(0)
        stream.truncate()


def _holder(text: str) -> str:
    try:
        holder = json.loads(text)
        since = datetime.fromisoformat(holder["since"])
        return f"`{holder['command']}`, process {holder['pid']}, since {since:%Y-%m-%d %H:%M:%S} UTC"
    except (ValueError, KeyError, TypeError):
        # it is about to say so
        return "a command that has just begun"
