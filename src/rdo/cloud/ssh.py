"""Running commands on a host over OpenSSH, or here where this machine is it: scripts, and whole files.

Nothing on a host is without a limit, and its end is the end of all that it started. Nothing takes on what a
login sets there (umask, locale, proxies, aliases): a step does the same on every host.
"""

from __future__ import annotations

import math
import os
import shlex
import signal
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO

from rdo.cloud.plan import Target
from rdo.cloud.shell import Shell, sh
from rdo.common.process import CommandError, Completed, run

#: What reads a script from its standard input, where nobody sees what the script holds.
BASH = sh("bash -s")
#: Seconds for a file's way to a host or from it, where nobody says otherwise.
TRANSFER = 7200.0
#: Seconds that this machine waits longer than a host: the host's own words are the better ones.
_GRACE = 20.0
_OPTIONS = {
    "BatchMode": "yes",
    "ConnectTimeout": "10",
    # a connection whose host is gone ends after a minute
    "ServerAliveInterval": "10",
    "ServerAliveCountMax": "6",
}
_ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME": "/root",
    "USER": "root",
    "LOGNAME": "root",
    "SHELL": "/bin/bash",
    "LANG": "C.UTF-8",
    "LC_ALL": "C.UTF-8",
}
# `timeout` leads a new process group, and sends SIGTERM to all of it; a process that ignores that is killed
# afterwards. In the background bash would take standard input away, but for the redirection.
_LIMITED = (
    "umask 022; env -i {environment}"
    ' timeout -k 10 "$1" bash -c "$2" <&0 & rdo_group=$!; '
    "trap 'kill -TERM $rdo_group' TERM INT HUP; wait $rdo_group; rdo_status=$?; "
    'if [ $SECONDS -ge "$1" ] && [ $rdo_status -ge 124 ]; then '
    'kill -KILL -- -$rdo_group 2>/dev/null; echo "ended after $1 s, its limit" >&2; fi; exit $rdo_status'
).format(environment=" ".join(f"{name}={value}" for name, value in _ENVIRONMENT.items()))


def limited(command: Shell, limit: float) -> str:
    """Return a shell command that runs another one in a fixed environment, and ends it after its limit.

    Both have the same standard input. If the limit ends it, the status is 124 or 137, and a line says so.

    :param limit: seconds
    :raises ValueError: the command has a secret, which lists of processes would show
    """
    if command.secrets:
        raise ValueError("a command with a secret goes over standard input")
    return shlex.join(["bash", "-c", _LIMITED, "rdo", str(math.ceil(limit)), command.reveal()])


def needs_sudo(target: Target) -> bool:
    """Tell whether who logs in there, or runs here, is someone else than root."""
    return (os.geteuid() != 0) if target.local else target.user != "root"


def command_on(target: Target, command: Shell = BASH, *, limit: float) -> list[str]:
    """Return what runs a shell command as root on a host.

    :param limit: seconds after which the host ends it, and all that it has started
    """
    bounded = limited(command, limit)
    sudo = "sudo -n " if needs_sudo(target) else ""
    if target.local:
        return ["bash", "-c", f"exec {sudo}{bounded}"]
    words = ["ssh"]
    for name, value in _OPTIONS.items():
        words += ["-o", f"{name}={value}"]
    words += ["-l", target.user]
    if target.ssh_config is not None:
        words += ["-F", target.ssh_config]
    return [*words, target.host, f"{sudo}{bounded}"]


def run_on(target: Target, script: Shell, *, timeout: float) -> Completed:
    """Run a bash script on a host; it goes over standard input, where nobody sees what it holds.

    :param timeout: seconds after which the host ends the script, and all that it has started
    :raises CommandError: the host has not answered within that time
    """
    command = command_on(target, limit=timeout)
    return run(command, input=script.reveal(), check=False, timeout=timeout + _GRACE)


@contextmanager
def ending(child: subprocess.Popen[str], limit: float) -> Iterator[None]:
    """Kill a child within whose output one reads, where its host should have ended it long before.

    :param limit: seconds, those of :func:`command_on`
    """
    timer = threading.Timer(limit + _GRACE, child.kill)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def transfer(
    target: Target,
    command: Shell,
    *,
    source: Path | None = None,
    place: Path | None = None,
    limit: float = TRANSFER,
) -> Completed:
    """Run a shell command on a host that reads a file from here, or writes one here, or both.

    :param source: what it reads; nothing by default
    :param place: what it writes; by default that is the result's ``stdout``
    :param limit: seconds
    :raises CommandError: no end within that time
    """
    words = command_on(target, command, limit=limit)
    with ExitStack() as files:
        given = files.enter_context(Path(os.devnull if source is None else source).open("rb"))
        output: IO[bytes] = files.enter_context(tempfile.TemporaryFile())
        if place is not None:
            output = files.enter_context(place.open("wb"))
        errors = files.enter_context(tempfile.TemporaryFile())
        child = subprocess.Popen(words, stdin=given, stdout=output, stderr=errors, start_new_session=True)
        try:
            status = child.wait(limit + _GRACE)
        except BaseException as error:
            os.killpg(child.pid, signal.SIGKILL)
            child.wait(_GRACE)
            if isinstance(error, subprocess.TimeoutExpired):
                reason = f"no end on {target.host} after {limit:g} s"
                raise CommandError(words[:1], None, "", reason) from error
            raise
        errors.seek(0)
        said = errors.read().decode(errors="replace")
        if place is not None:
            return Completed(status, "", said)
        output.seek(0)
        return Completed(status, output.read().decode(errors="replace"), said)
