"""The process behind a host: starts its init, starts it again when it reboots, and writes down how it ended.

Run as ``python -m rdo.cloud.testhosts.launcher FOLDER``, FOLDER being the host's. It outlives the tool that
started it, ends when the host is powered off or crashes, and takes the host with it if it is itself killed.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import traceback
from pathlib import Path
from typing import NoReturn

from rdo.cloud.testhosts import cgroups, guest, syscalls
from rdo.cloud.testhosts.processes import ProcessIdentity
from rdo.cloud.testhosts.records import HostDescription, Phase, Runtime
from rdo.common.files import UMASK

_SETUP_FAILED = 70


def launch(folder: Path) -> Phase:
    """Run the host of a folder until it is powered off or crashes; return which of them it was."""
    host = HostDescription.load(folder)
    launcher = ProcessIdentity.of(os.getpid())
    mount_point = folder / "root"
    mount_point.mkdir(exist_ok=True)
    boots = 0
    Runtime("starting", launcher).save(folder)
    while True:
        cgroups.remove(Path(host.cgroup))
        Path(host.cgroup).mkdir()
        pid = _fork_into_pid_namespace(host, mount_point)
        boots += 1
        Runtime("running", launcher, ProcessIdentity.of(pid), boots).save(folder)
        _, status = os.waitpid(pid, 0)
        cgroups.remove(Path(host.cgroup))
        if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGHUP:
            continue  # how the kernel ends the init of a PID namespace that asks for a reboot
        phase = _phase_after(status)
        Runtime(phase, boots=boots).save(folder)
        return phase


def _phase_after(status: int) -> Phase:
    """Say how a host ended, from the wait status of its init: SIGINT is the kernel's way to power off."""
    if os.WIFSIGNALED(status):
        return "stopped" if os.WTERMSIG(status) == signal.SIGINT else "crashed"
    return "stopped" if os.WEXITSTATUS(status) == 0 else "crashed"


def _fork_into_pid_namespace(host: HostDescription, mount_point: Path) -> int:
    own = os.open("/proc/self/ns/pid", os.O_RDONLY | os.O_CLOEXEC)
    try:
        syscalls.unshare(syscalls.CLONE_NEWPID)
        pid = os.fork()
        if pid == 0:
            _run_child(host, mount_point)
        # Without this the next fork, at a reboot, would go to the namespace whose init is dead.
        syscalls.enter_namespace(Path(f"/proc/self/fd/{own}"), syscalls.CLONE_NEWPID)
        return pid
    finally:
        os.close(own)


def _run_child(host: HostDescription, mount_point: Path) -> NoReturn:
    try:
        guest.become_init(host, mount_point)
    except OSError:
        traceback.print_exc()
    finally:
        with contextlib.suppress(OSError):
            sys.stderr.flush()
        os._exit(_SETUP_FAILED)


def main() -> None:
    """Run the launcher of the folder named on the command line."""
    os.umask(UMASK)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    launch(Path(sys.argv[1]))


if __name__ == "__main__":
    main()
