"""How hosts are reached: a key pair of the installation, pinned host keys, and a generated ``ssh_config``.

All of it is in ``<state>/hosts/ssh``: ``id_ed25519`` (0600), ``config`` and ``known_hosts``. OpenSSH takes
the configuration with ``-F``; paramiko, and pyinfra with it, read the same file.
"""

from __future__ import annotations

import shlex
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from rdo.cloud.testhosts import proxy
from rdo.cloud.testhosts.records import HostDescription, TestHost
from rdo.common.files import locked, write_atomically
from rdo.common.paths import Paths
from rdo.common.process import Completed, run

HOST_KEY = Path("etc/ssh/ssh_host_ed25519_key")
"""Where a host keeps its key, below its root."""


def ssh_folder(paths: Paths) -> Path:
    """Folder of the key pair, the configuration and the known hosts."""
    return paths.hosts / "ssh"


def config_file(paths: Paths) -> Path:
    """The generated ``ssh_config``, an entry for each host."""
    return ssh_folder(paths) / "config"


def ensure_key(paths: Paths) -> str:
    """Make the installation's key pair where it has none; return the public key's line.

    :raises CommandError: ssh-keygen is missing or fails
    """
    folder = ssh_folder(paths)
    private = folder / "id_ed25519"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with locked(folder / ".lock"):
        if not private.exists():
            temporary = folder / ".id_ed25519.new"
            make_key(temporary, "rdo")
            temporary.with_suffix(".new.pub").replace(private.with_suffix(".pub"))
            temporary.replace(private)
    return private.with_suffix(".pub").read_text().strip()


def make_key(private: Path, comment: str) -> None:
    """Make an Ed25519 key pair without a passphrase, over a former one; the public half gets ``.pub``."""
    for leftover in (private, private.with_name(private.name + ".pub")):
        leftover.unlink(missing_ok=True)
    run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", str(private)], timeout=60)


def config_text(hosts: Iterable[HostDescription], folder: Path, namespace_file: Path, python: str) -> str:
    """Return the ``ssh_config`` for hosts: no question asked, the pinned host key or no connection."""
    relay = shlex.join([python, "-S", "-E", proxy.__file__, str(namespace_file), "%h", "%p"])
    lines = ["# Written by rdo; changes are lost."]
    for host in hosts:
        lines += [
            "",
            f"Host {host.name}",
            f"    HostName {host.address}",
            "    User root",
            f"    IdentityFile {_quoted(folder / 'id_ed25519')}",
            "    IdentitiesOnly yes",
            f"    UserKnownHostsFile {_quoted(folder / 'known_hosts')}",
            "    GlobalKnownHostsFile /dev/null",
            "    StrictHostKeyChecking yes",
            "    BatchMode yes",
            "    LogLevel ERROR",
            "    ConnectTimeout 20",
            "    ServerAliveInterval 10",
            "    ServerAliveCountMax 6",
            f"    ProxyCommand {relay}",
        ]
    return "\n".join(lines) + "\n"


def known_hosts_text(keys: Iterable[tuple[HostDescription, str]]) -> str:
    """Return the known-hosts file for hosts and their public key lines."""
    lines = [
        f"{host.name},{host.address} {' '.join(key.split()[:2])}"
        for host, key in sorted(keys, key=lambda pair: pair[0].name)
    ]
    return "".join(f"{line}\n" for line in lines)


def write_files(paths: Paths, keys: Sequence[tuple[HostDescription, str]], namespace_file: Path) -> None:
    """Write the configuration and the known hosts anew, for all hosts there are."""
    folder = ssh_folder(paths)
    write_atomically(folder / "known_hosts", known_hosts_text(keys), durable=False)
    hosts = sorted((host for host, _ in keys), key=lambda host: host.name)
    text = config_text(hosts, folder, namespace_file, sys.executable)
    write_atomically(config_file(paths), text, durable=False)


def ssh_command(host: TestHost, command: Sequence[str] = (), *, terminal: bool = False) -> list[str]:
    """Return the ssh command line that runs ``command`` (or a shell) on a host."""
    line = ["ssh", "-F", str(host.ssh_config)]
    if terminal:
        line.append("-t")
    line += [host.name]
    return [*line, "--", shlex.join(command)] if command else line


def run_ssh(
    host: TestHost,
    command: Sequence[str],
    *,
    check: bool = True,
    input: str | None = None,
    timeout: float | None = 120,
) -> Completed:
    """Run a command on a host as root and return what it wrote.

    :param command: words; each arrives as it is, no shell splits it (``["sh", "-c", …]`` for one that does)
    :param timeout: seconds
    :raises CommandError: no connection, out of time, or (with ``check``) an exit status that is not 0
    """
    return run(ssh_command(host, command), check=check, input=input, timeout=timeout)


def interactive_ssh(host: TestHost, command: Sequence[str] = (), *, terminal: bool = True) -> int:
    """Run a command, or a shell, on a host with this process's own streams; return its exit status.

    It ends when whoever sits there wants it to.
    """
    return subprocess.run(ssh_command(host, command, terminal=terminal), check=False).returncode


def _quoted(path: Path) -> str:
    return f'"{path}"' if " " in str(path) else str(path)
