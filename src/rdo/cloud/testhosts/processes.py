"""Processes that are provably ours: a number alone may have been given to somebody else by now."""

from __future__ import annotations

import contextlib
import os
import select
import signal
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class ProcessIdentity:
    """One process of one boot of this machine.

    ``started`` is the kernel's start time in clock ticks since the boot (field 22 of ``/proc/PID/stat``),
    ``boot`` the machine's boot id.
    """

    pid: int
    started: int
    boot: str

    @classmethod
    def of(cls, pid: int) -> ProcessIdentity | None:
        """Return the identity of a process that is alive, None when it isn't."""
        started = _start_time(pid)
        return None if started is None else cls(pid, started, machine_boot_id())

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> ProcessIdentity:
        """Return what ``dataclasses.asdict`` wrote."""
        return cls(int(value["pid"]), int(value["started"]), str(value["boot"]))

    @property
    def alive(self) -> bool:
        """Whether just this process is there still (a zombie isn't)."""
        return self.boot == machine_boot_id() and _start_time(self.pid) == self.started

    def send(self, number: int) -> bool:
        """Send a signal to just this process; return whether it was there."""
        with self._handle() as handle:
            if handle is None:
                return False
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(handle, number)
                return True
            return False

    def wait(self, timeout: float) -> bool:
        """Wait until the process has ended, at most ``timeout`` seconds; return whether it has."""
        with self._handle() as handle:
            if handle is None:
                return True
            poller = select.poll()
            poller.register(handle, select.POLLIN)
            return bool(poller.poll(timeout * 1000))

    @contextlib.contextmanager
    def _handle(self) -> Any:
        # The descriptor is opened first and the identity compared after: from then on the number can't
        # change hands under us.
        try:
            handle = os.pidfd_open(self.pid)
        except (ProcessLookupError, OSError):
            yield None
            return
        try:
            yield handle if self.alive else None
        finally:
            os.close(handle)


@cache
def machine_boot_id() -> str:
    """Return the id of this boot of the machine."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def _start_time(pid: int) -> int | None:
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The second field is the command in parentheses and may hold anything.
    fields = text.rpartition(")")[2].split()
    return None if fields[0] in "ZX" else int(fields[19])
