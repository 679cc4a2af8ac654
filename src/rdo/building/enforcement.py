"""How this machine enforces the limits of sealed commands: by control groups, or else by a watcher."""

from __future__ import annotations

import contextlib
import itertools
import os
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Protocol

from rdo.building.cgroups import (
    CgroupV1,
    SystemdScope,
    group_name,
    own_groups,
    too_many,
    too_much,
    unified_mount,
)
from rdo.building.limits import Limits, SandboxError, size

_counter = itertools.count()


class Enforcer(Protocol):
    """Enforces the limits of one command on processes and memory."""

    @property
    def rlimit(self) -> bool:
        """Whether the command's number of processes must be limited by RLIMIT_NPROC."""

    @property
    def groups(self) -> tuple[Path, ...]:
        """Folders whose ``cgroup.procs`` the first process of the command writes its id to."""

    def met(self, pid: int, files: int) -> str | None:
        """Return a sentence that says which limit was met, or None if none was.

        :param pid: the command's first process
        :param files: bytes in its memory-backed file system
        """

    def machine_short(self) -> bool:
        """Return whether the kernel ended a process of the command since the whole machine had no memory."""

    def close(self) -> None:
        """Remove what it made, once the command has ended."""


class Watcher:
    """Looks at a command's processes again and again and adds up their memory; for machines without groups.

    Between two looks a command can take more than it may.
    """

    rlimit = True
    groups: tuple[Path, ...] = ()

    def __init__(self, limits: Limits) -> None:
        self._limits, self._victims = limits, _out_of_memory()

    def met(self, pid: int, files: int) -> str | None:
        """Return a sentence that says which limit was met, or None if none was."""
        processes = list(descendants(pid))
        if sum(_threads(one) for one in processes) >= self._limits.processes:
            return too_many(self._limits)
        # Pages that processes share since a fork are counted once only by the slower of the two ways.
        for memory in (_resident, _proportional):
            if files + sum(memory(one) for one in processes) <= self._limits.memory:
                return None
        return too_much(self._limits)

    def machine_short(self) -> bool:
        """Return whether the kernel ended any process of the machine for want of memory meanwhile."""
        return _out_of_memory() > self._victims

    def close(self) -> None:
        """Do nothing."""


def enforcer(limits: Limits, scratch: Path) -> Enforcer:
    """Return what enforces limits here: for one command, to be closed after its end.

    :param scratch: the installation's folder of sandboxes
    :raises SandboxError: the machine refuses it
    """
    make = {"cgroup v1": _group, "systemd": _scope, "watcher": _watcher}[kind()]
    try:
        return make(limits, group_name(scratch, next(_counter)))
    except OSError as error:
        raise SandboxError(f"The limits of a sandbox can't be set: {error}") from error


def _group(limits: Limits, name: str) -> Enforcer:
    parents = own_groups()
    assert parents is not None
    return CgroupV1(limits, name, parents)


def _scope(limits: Limits, name: str) -> Enforcer:
    mount = unified_mount()
    assert mount is not None
    return SystemdScope(limits, name, mount)


def _watcher(limits: Limits, _name: str) -> Enforcer:
    return Watcher(limits)


@lru_cache(maxsize=1)
def kind() -> str:
    """Return how limits are enforced here: ``cgroup v1``, ``systemd`` or ``watcher``. It tries them."""
    for name, available, make in (("cgroup v1", own_groups, _group), ("systemd", unified_mount, _scope)):
        if available() is not None:
            with contextlib.suppress(OSError):
                make(Limits(), group_name(Path("/"), next(_counter))).close()
                return name
    return "watcher"


def description() -> str:
    """Return what a build may use here, and how that is enforced, for the doctor."""
    limits = Limits()
    how = {
        "cgroup v1": "by control groups (v1)",
        "systemd": "by scopes of systemd (control groups v2)",
        "watcher": "by a watcher, which notices late, as no control groups can be made here",
    }[kind()]
    return f"{size(limits.memory)} of memory and {limits.processes} processes, enforced {how}"


def descendants(pid: int) -> Iterator[int]:
    """Yield a process and all that stem from it. Those of a PID namespace stem from its first process."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
                children.setdefault(parent, []).append(int(entry.name))
    waiting = [pid]
    while waiting:
        yield (one := waiting.pop())
        waiting += children.get(one, ())


def _threads(pid: int) -> int:
    with contextlib.suppress(OSError):
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[17])
    return 0


def _resident(pid: int) -> int:
    with contextlib.suppress(OSError):
        _, resident, shared, *_ = Path(f"/proc/{pid}/statm").read_text().split()
        return (int(resident) - int(shared)) * os.sysconf("SC_PAGESIZE")
    return 0


def _proportional(pid: int) -> int:
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss_Anon:"):
                return int(line.split()[1]) << 10
    return 0


def _out_of_memory() -> int:
    """Return how many processes the kernel has ended for want of memory; 0 where it doesn't say."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/vmstat").read_text().splitlines():
            if line.startswith("oom_kill "):
                return int(line.split()[1])
    return 0
