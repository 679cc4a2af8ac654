"""One run at a time for a platform and series: two would build the same things side by side."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator

from rdo.common.errors import RdoError
from rdo.common.files import make_folder
from rdo.common.paths import Paths


@contextlib.contextmanager
def only_run(paths: Paths, platform: str, series: str) -> Iterator[None]:
    """Hold the lock of a platform and series; it goes with the process, however that ends.

    :raises RdoError: another run has it; names its process
    """
    file = paths.state / "locks" / f"{platform}-{series}.run"
    make_folder(file.parent)
    with os.fdopen(os.open(file, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644), "a+") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            stream.seek(0)
            pid = stream.read().strip() or "unknown"
            raise RdoError(
                f"{series} on {platform} is being built already, by process {pid}.",
                hint="See how far it is with: rdo build --status",
            ) from None
        stream.truncate(0)
        stream.write(str(os.getpid()))
        stream.flush()
        yield
