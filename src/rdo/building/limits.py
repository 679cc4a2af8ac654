"""What one sealed command may use of a machine, and how it ended."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from rdo.common.errors import RdoError

GIB = 1 << 30


class SandboxError(RdoError):
    """The sandbox or the machine failed, not the command in it.

    A mount failed, a program is missing, preparations inside failed, results could not be copied out, or the
    machine ran out of memory.
    """


def default_memory() -> int:
    """Return the bytes of memory that a command may use by default: its share of 75 % of the machine's.

    One command a processor runs at once by default. If a share is small, a command still gets up to
    4 GiB, since not all commands need their maximum at the same time.
    """
    total = _machine_memory()
    return max(total * 3 // 4 // _processors(), min(4 * GIB, total // 2))


def default_processes() -> int:
    """Return how many processes and threads a command may have by default: 16 a processor, at least 512."""
    return min(max(512, 16 * _processors()), 4096)


@dataclass(frozen=True)
class Limits:
    """What one command may use, with everything that it starts. Sizes are bytes.

    ``memory`` includes the files that it writes, since they lie in memory; ``space`` covers those files,
    ``disk`` what it writes to folders of the machine that it sees. ``processes`` includes threads.
    """

    space: int = 6 * GIB
    disk: int = 16 * GIB
    inodes: int = 1_000_000
    memory: int = field(default_factory=default_memory)
    processes: int = field(default_factory=default_processes)
    file_size: int = 4 * GIB
    log: int = 64 << 20
    timeout: float = 900.0

    @property
    def files(self) -> int:
        """Bytes of files that it can really have: some of the memory is left for its processes."""
        return min(self.space, self.memory * 3 // 4)


@dataclass(frozen=True)
class SealedResult:
    """How a command ended. ``status`` is its exit status; 128 + n where signal n ended it.

    ``tail`` is the end of what it wrote (both streams together, at most 64 KiB). ``limit`` is a sentence that
    says which limit it met, whereupon it was killed; it is the last line of ``tail`` and of the log, too.
    ``timed_out`` and ``flooded`` say that it was the limit of time or of output.
    """

    status: int
    seconds: float
    timed_out: bool
    flooded: bool
    tail: str
    limit: str | None = None

    @property
    def ok(self) -> bool:
        """Whether the command ended by itself with exit status 0."""
        return self.status == 0 and self.limit is None


def size(count: int) -> str:
    """Return a number of bytes for people to read."""
    return f"{count / GIB:.1f} GiB" if count >= GIB else f"{count >> 20} MiB"


def _processors() -> int:
    return max(1, len(os.sched_getaffinity(0)))


@lru_cache(maxsize=1)
def _machine_memory() -> int:
    """Return the machine's memory in bytes; see proc(5) on /proc/meminfo."""
    for line in Path("/proc/meminfo").read_text().splitlines():
        if line.startswith("MemTotal:"):
            return int(line.split()[1]) << 10
    raise SandboxError("/proc/meminfo doesn't say how much memory this machine has.")
