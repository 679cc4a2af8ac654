"""Waiting for a host: from its launcher's start to the first command over ssh."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

from rdo.cloud.testhosts.records import Runtime, TestHost
from rdo.cloud.testhosts.ssh import run_ssh
from rdo.common.errors import RdoError
from rdo.common.process import CommandError, run

_INTERVAL = 0.02
_LAUNCH_LIMIT = 15.0


def console_log(folder: Path) -> Path:
    """What the launcher and the host's init wrote since the last start."""
    return folder / "console.log"


def wait_for_launchers(folders: Sequence[Path]) -> None:
    """Wait until the launchers of hosts that were just started have written down that they are there.

    A launcher that never does so is :func:`wait_until_ready`'s to report.
    """
    deadline = time.monotonic() + _LAUNCH_LIMIT
    for folder in folders:
        while not (folder / "runtime.json").exists() and time.monotonic() < deadline:
            time.sleep(_INTERVAL)


def wait_until_ready(
    folder: Path, host: Callable[[], TestHost], *, timeout: float = 120.0, after_boots: int = 0
) -> list[str]:
    """Wait until a host's units are up and it answers over ssh; return the names of units that failed.

    :param host: looks the host up
    :param timeout: seconds
    :param after_boots: the host must have been booted more often than this, for those who wait for a reboot
    :raises RdoError: it crashed or took too long; the console's last lines are in the message
    """
    deadline = time.monotonic() + timeout
    pid = _wait_for_manager(folder, deadline, after_boots)
    manager = run(
        _inside(pid, "systemctl", "is-system-running", "--wait"),
        check=False,
        timeout=max(1.0, deadline - time.monotonic()),
    )
    if manager.stdout.strip() not in ("running", "degraded"):
        raise _not_up(folder, manager.stdout.strip() or manager.stderr.strip())
    _wait_for_ssh(folder, host(), deadline)
    if manager.stdout.strip() == "running":
        return []
    failed = _inside(pid, "systemctl", "list-units", "--failed", "--plain", "--no-legend")
    listing = run(failed, check=False, timeout=60)
    return [line.split()[0] for line in listing.stdout.splitlines() if line.strip()]


def _inside(pid: int, *command: str) -> list[str]:
    namespaces = ("--mount", "--uts", "--ipc", "--net", "--pid", "--cgroup")
    return ["nsenter", "--target", str(pid), *namespaces, "--", *command]


def _wait_for_manager(folder: Path, deadline: float, after_boots: int) -> int:
    """Return the pid of the host's init once it listens to systemctl."""
    launched = False
    launch_deadline = time.monotonic() + _LAUNCH_LIMIT
    while time.monotonic() < deadline:
        runtime = Runtime.load(folder)
        launched = launched or (folder / "runtime.json").exists()
        if launched and runtime.state in ("crashed", "stopped"):
            raise _not_up(folder, f"it {runtime.state}")
        if not launched and time.monotonic() > launch_deadline:
            raise _not_up(folder, "its launcher didn't start")
        init = runtime.init
        if (
            init is not None
            and init.alive
            and runtime.boots > after_boots
            and Path(f"/proc/{init.pid}/root/run/systemd/private").exists()
        ):
            return init.pid
        time.sleep(_INTERVAL)
    raise _not_up(folder, "out of time")


def _wait_for_ssh(folder: Path, host: TestHost, deadline: float) -> None:
    while True:
        try:
            run_ssh(host, ["true"], timeout=30)
            return
        except CommandError as error:
            if time.monotonic() > deadline:
                raise _not_up(folder, f"no ssh: {error.what}") from error
        time.sleep(_INTERVAL)


def _not_up(folder: Path, reason: str) -> RdoError:
    try:
        lines = console_log(folder).read_text(errors="replace").splitlines()[-15:]
    except FileNotFoundError:
        lines = []
    return RdoError(
        f"The host {folder.name} didn't come up: {reason}.\n" + "\n".join(lines),
        hint=f"Its console is in {console_log(folder)}.",
    )
