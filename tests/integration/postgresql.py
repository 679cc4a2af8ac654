"""A PostgreSQL of a test's own: its cluster in a temporary folder, its server an unprivileged process."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkdtemp

_LIMIT = 120  # seconds


def server_programs() -> Path:
    """Return the folder of initdb and pg_ctl: Debian has one a version, EL has them beside all others."""
    if found := shutil.which("initdb"):
        return Path(found).resolve().parent
    return max(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda p: int(p.parts[-3])).parent


@contextmanager
def postgresql_server() -> Iterator[str]:
    """Run a server that listens on a socket in its folder alone; yield the URL of an empty database."""
    folder = Path(mkdtemp(prefix="rdo-postgresql-"))  # a socket's path has to be short
    data, programs = folder / "data", server_programs()
    settings = f"-c listen_addresses='' -c unix_socket_directories={folder} -c fsync=off"
    try:
        _give_away(folder)
        _run([str(programs / "initdb"), "-D", str(data), "-U", "rdo", "--auth=trust", "-E", "UTF8"], folder)
        start = ["start", "-w", "-t", str(_LIMIT), "-l", str(folder / "log"), "-o", settings]
        _run([str(programs / "pg_ctl"), "-D", str(data), *start], folder)
        try:
            yield f"postgresql+psycopg://rdo@/postgres?host={folder}"
        finally:
            _run([str(programs / "pg_ctl"), "-D", str(data), "stop", "-m", "immediate", "-w"], folder)
    finally:
        shutil.rmtree(folder)


def _run(command: Sequence[str], folder: Path) -> None:
    """Run a program as an unprivileged user: the server refuses to be root's."""
    if os.geteuid() == 0:
        user = pwd.getpwnam("nobody")
        command = ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups", *command]
    log = folder.with_name(folder.name + ".out")
    # Its server outlives pg_ctl and would keep a pipe open.
    with log.open("w") as out:
        status = subprocess.run(
            command, cwd=folder, stdin=subprocess.DEVNULL, stdout=out, stderr=out, timeout=_LIMIT, check=False
        ).returncode
    said = log.read_text()
    log.unlink()
    server = folder / "log"
    assert status == 0, said + (server.read_text() if server.exists() else "")


def _give_away(folder: Path) -> None:
    if os.geteuid() == 0:
        user = pwd.getpwnam("nobody")
        os.chown(folder, user.pw_uid, user.pw_gid)
