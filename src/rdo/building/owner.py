"""The mark of a process: the name under which its temporary things lie."""

from __future__ import annotations

import os
from pathlib import Path


def start_time(pid: int) -> int | None:
    """Return the kernel's start time of a process in clock ticks since boot, None where there is none."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return int(stat.rpartition(")")[2].split()[19])


def owner_mark() -> str:
    """Return ``PID-STARTTIME`` of this process."""
    return f"{os.getpid()}-{start_time(os.getpid())}"
