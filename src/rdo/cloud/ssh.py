"""Running one script on a host over OpenSSH, for what needs no plan."""

from __future__ import annotations

from rdo.cloud.plan import Target
from rdo.common.process import Completed, run


def ssh_command(target: Target) -> list[str]:
    """Return the OpenSSH command that reaches a host; what is run there follows."""
    words = ["ssh", "-o", "BatchMode=yes", "-o", "ConnectTimeout=10", "-l", target.user]
    if target.ssh_config is not None:
        words += ["-F", target.ssh_config]
    return [*words, target.host]


def run_on(target: Target, script: str, *, timeout: float) -> Completed:
    """Run a bash script on a host; it goes over standard input, where nobody sees what it holds.

    :raises CommandError: the host has not answered, or the script not ended, within ``timeout`` seconds
    """
    return run([*ssh_command(target), "bash -s"], input=script, check=False, timeout=timeout)
