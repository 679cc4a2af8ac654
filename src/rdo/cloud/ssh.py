"""Running one script on a host over OpenSSH, or here where this machine is it, for what needs no plan."""

from __future__ import annotations

import os
import shlex

from rdo.cloud.plan import Target
from rdo.cloud.shell import Shell
from rdo.common.process import Completed, run


def needs_sudo(target: Target) -> bool:
    """Tell whether who logs in there, or runs here, is someone else than root."""
    return (os.geteuid() != 0) if target.local else target.user != "root"


def command_on(target: Target, command: str = "bash -s") -> list[str]:
    """Return what runs a shell command as root on a host."""
    sudo = needs_sudo(target)
    if target.local:
        return [*(["sudo", "-n"] if sudo else []), "bash", "-c", command]
    words = ["ssh", "-o", "BatchMode=yes", "-o", "ConnectTimeout=10", "-l", target.user]
    if target.ssh_config is not None:
        words += ["-F", target.ssh_config]
    as_root = f"sudo -n bash -c {shlex.quote(command)}" if sudo else command
    return [*words, target.host, as_root]


def run_on(target: Target, script: Shell | str, *, timeout: float) -> Completed:
    """Run a bash script on a host; it goes over standard input, where nobody sees what it holds.

    :raises CommandError: the host has not answered, or the script not ended, within ``timeout`` seconds
    """
    text = script.reveal() if isinstance(script, Shell) else script
    return run(command_on(target), input=text, check=False, timeout=timeout)
