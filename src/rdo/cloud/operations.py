"""Each kind of step as one pyinfra operation: look at the host, then yield what it takes, or nothing.

Imported only in the process that applies a plan (:mod:`rdo.cloud.apply`), since pyinfra brings gevent.
"""

from __future__ import annotations

import shlex
import textwrap
from base64 import b64encode
from collections.abc import Callable, Generator, Iterable
from typing import Any

from pyinfra import host
from pyinfra.api import FactBase, StringCommand, operation
from pyinfra.operations import files, systemd

from rdo.cloud.plan import AnyStep, Database, File, Link, Packages, Script, Service
from rdo.common.files import sha256_bytes

#: Marks the line of a probe's answer; whatever else a program prints is not the answer.
_YES = "rdo-probe:yes"

Commands = Generator[Any, None, None]


class Holds(FactBase):  # type: ignore[misc]
    """Whether a bash script, given on standard input, succeeds on the host."""

    def command(self, key: str) -> str:
        """Return the command; ``key`` only tells one probe from another."""
        return f"bash -s >/dev/null 2>&1 && echo {_YES} || true # {key}"

    def process(self, output: Iterable[str]) -> bool:
        """Read the answer."""
        return any(line.strip() == _YES for line in output)


def holds(key: str, script: str) -> bool:
    """Ask the host whether ``script`` succeeds."""
    return bool(host.get_fact(Holds, key=shlex.quote(key), _stdin=script))


@operation()
def guarded_script(key: str, script: str, unless: str, retries: int) -> Commands:
    """Run a script unless its guard holds."""
    if holds(key, unless):
        return
    yield StringCommand("bash", "-s", _stdin=f"set -euo pipefail\n{script}\n{_until(unless, retries)}")


def _until(condition: str, retries: int) -> str:
    if not retries:
        return ""
    # A guard that is a whole script is asked in a subshell, so that its `exit` ends only itself.
    return textwrap.dedent(
        f"""
        for rdo_try in $(seq {retries}); do
            if ( {condition}
               ) >/dev/null 2>&1; then exit 0; fi
            sleep 1
        done
        echo "still not so after {retries} s" >&2
        exit 1
        """
    )


def _sql_text(value: str) -> str:
    return "'" + value.replace("\\", "\\\\").replace("'", "''") + "'"


def database_scripts(step: Database) -> tuple[str, str]:
    """Return the script that makes a database and its account, and the guard that says it is there.

    The guard logs in as the account itself, so a changed password is seen.
    """
    sql = [f"CREATE DATABASE IF NOT EXISTS `{step.name}` CHARACTER SET utf8mb4;"]
    password = step.password.get_secret_value()
    for client in step.clients:
        account = f"{_sql_text(step.user)}@{_sql_text(client)}"
        sql += [
            f"CREATE USER IF NOT EXISTS {account} IDENTIFIED BY {_sql_text(password)};",
            f"ALTER USER {account} IDENTIFIED BY {_sql_text(password)};",
            f"GRANT ALL PRIVILEGES ON `{step.name}`.* TO {account};",
        ]
    accounts = ", ".join(_sql_text(client) for client in step.clients)
    statements = "\n".join(sql)
    create = f"mariadb <<'RDO_SQL'\n{statements}\nRDO_SQL\n"
    guard = textwrap.dedent(
        f"""
        set -e
        export MYSQL_PWD={shlex.quote(password)}
        mariadb --user={step.user} --protocol=socket --database={step.name} -e 'SELECT 1'
        unset MYSQL_PWD
        test "$(mariadb -NBe "SELECT COUNT(*) FROM mysql.db WHERE User = {_sql_text(step.user)} \\
            AND Db = {_sql_text(step.name)} AND Host IN ({accounts})")" = {len(step.clients)}
        """
    )
    return create, guard


def package_scripts(step: Packages) -> tuple[str, str]:
    """Return the script that installs packages and the guard for it.

    Names may be provides (``httpd`` where the platform calls it otherwise), which pyinfra's own operation for
    dnf would install again and again.
    """
    names = shlex.join(step.names)
    return f"dnf -y -q install {names}\n", f"rpm -q --whatprovides {names}"


def file_scripts(step: File) -> tuple[str, str]:
    """Return the script that writes a file, whole and never with a wider mode, and the guard for it."""
    content = step.content.get_secret_value().encode()
    path, owner = shlex.quote(step.path), f"{step.owner}:{step.group}"
    mode = step.mode.lstrip("0")
    write = textwrap.dedent(
        f"""
        umask 022
        mkdir -p "$(dirname {path})"
        umask 077
        rdo_new=$(mktemp {path}.XXXXXX)
        trap 'rm -f "$rdo_new"' EXIT
        base64 -d >"$rdo_new" <<'RDO_FILE'
        {b64encode(content).decode()}
        RDO_FILE
        chown {owner} "$rdo_new"
        chmod {mode} "$rdo_new"
        mv -f "$rdo_new" {path}
        """
    )
    guard = textwrap.dedent(
        f"""
        set -e
        test "$(sha256sum <{path})" = "{sha256_bytes(content)}  -"
        test "$(stat -c %U:%G:%a {path})" = "{owner}:{mode}"
        """
    )
    return write, guard


def started_since(unit: str, paths: Iterable[str]) -> str:
    """Return a script that succeeds where a running unit started after ``paths`` were last written."""
    names = " ".join(shlex.quote(path) for path in paths)
    return textwrap.dedent(
        f"""
        set -e
        started=$(date +%s -d "$(systemctl show --property=ActiveEnterTimestamp --value {unit})")
        for file in {names}; do
            if [ -e "$file" ] && [ "$(stat -c %Z "$file")" -gt "$started" ]; then exit 1; fi
        done
        """
    )


@operation()
def running_service(key: str, unit: str, restart: bool, paths: tuple[str, ...]) -> Commands:
    """Enable and start a unit; restart it where ``restart`` says so or it runs on older files."""
    running = holds(f"{key} runs", f"systemctl is-active --quiet {unit}")
    if running and not restart and paths:
        restart = not holds(f"{key} is fresh", started_since(unit, paths))
    yield from systemd.service._inner(
        service=unit, running=True, enabled=True, restarted=running and restart, daemon_reload=restart
    )


def operation_for(
    step: AnyStep, changed: set[str], paths: dict[str, str]
) -> tuple[Callable[..., Any], dict[str, Any]]:
    """Return the pyinfra operation and its arguments for one step.

    :param changed: ids of the steps that changed something in this run
    :param paths: id of a step -> the file it writes, for steps that write one
    """
    match step:
        case Packages():
            script, guard = package_scripts(step)
            return guarded_script, {"key": step.id, "script": script, "unless": guard, "retries": 0}
        case Link():
            return files.link, {"path": step.path, "target": step.target}
        case File():
            script, guard = file_scripts(step)
            return guarded_script, {"key": step.id, "script": script, "unless": guard, "retries": 0}
        case Database():
            script, guard = database_scripts(step)
            return guarded_script, {"key": step.id, "script": script, "unless": guard, "retries": 0}
        case Script():
            return guarded_script, {
                "key": step.id,
                "script": step.script.get_secret_value(),
                "unless": step.unless.get_secret_value(),
                "retries": step.retries,
            }
        case Service():
            return running_service, {
                "key": step.id,
                "unit": step.unit,
                "restart": bool(changed & set(step.restart_after)),
                "paths": tuple(paths[name] for name in step.restart_after if name in paths),
            }
