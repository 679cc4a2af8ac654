"""Control groups of hosts: a child of the unified hierarchy for each."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path

from rdo.common.errors import RdoError


def unified_hierarchy(mountinfo: str | None = None) -> Path:
    """Return where the unified (version 2) control group hierarchy is mounted.

    :param mountinfo: text of ``/proc/self/mountinfo``; read from there by default
    :raises RdoError: it isn't mounted
    """
    text = Path("/proc/self/mountinfo").read_text() if mountinfo is None else mountinfo
    for line in text.splitlines():
        before, _, after = line.partition(" - ")
        if after.split()[:1] == ["cgroup2"]:
            return Path(before.split()[4])
    raise RdoError(
        "The unified control group hierarchy is not mounted; test hosts need it.",
        hint="mkdir -p /sys/fs/cgroup/unified && mount -t cgroup2 cgroup2 /sys/fs/cgroup/unified",
    )


def remove(group: Path, *, patience: float = 5.0) -> None:
    """Kill what is in a control group and below, and remove it; nothing happens where there is none.

    :param patience: seconds to wait for the kernel to take the dead out of it
    :raises OSError: it is still busy after that
    """
    if not group.is_dir():
        return
    with contextlib.suppress(FileNotFoundError):
        (group / "cgroup.kill").write_text("1")
    deadline = time.monotonic() + patience
    while True:
        try:
            _remove_tree(group)
            return
        except OSError:
            if time.monotonic() > deadline:
                raise
        time.sleep(0.01)


def _remove_tree(group: Path) -> None:
    for child in sorted((path for path in group.rglob("*") if path.is_dir()), reverse=True):
        child.rmdir()
    group.rmdir()
