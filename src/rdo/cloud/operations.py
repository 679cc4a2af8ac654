"""Each kind of step as two bash scripts for its host: a guard that looks, and what makes it hold."""

from __future__ import annotations

import json
import shlex
import textwrap
from base64 import b64encode
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from rdo.cloud.plan import AnyStep, Config, Database, File, Link, Objects, Packages, Script, Service
from rdo.common.files import sha256_bytes


@dataclass(frozen=True)
class Scripts:
    """What is sent to a host for one step; both may hold secrets.

    ``guard`` succeeds where the step holds already and changes nothing. ``make`` makes it hold; it runs with
    ``set -euo pipefail``.
    """

    guard: str
    make: str


def scripts_for(step: AnyStep, earlier: Mapping[str, AnyStep]) -> Scripts:
    """Return the scripts of a step.

    :param earlier: the steps before it on its host, by id
    """
    match step:
        case Packages():
            return package_scripts(step)
        case File():
            return file_scripts(step)
        case Config():
            return file_scripts(step.as_file())
        case Link():
            return _link_scripts(step)
        case Database():
            return database_scripts(step)
        case Script():
            unless, script = step.unless.get_secret_value(), step.script.get_secret_value()
            return Scripts(unless, f"{script}\n{_until(unless, step.retries)}")
        case Service():
            return _service_scripts(step, [earlier[name] for name in step.restart_after])
        case Objects():
            return _objects_scripts(step)


def _until(condition: str, seconds: int) -> str:
    if not seconds:
        return ""
    # A condition that is a whole script is asked in a subshell, so that its `exit` ends only itself.
    return textwrap.dedent(
        """
        rdo_condition() (
        {condition}
        )
        rdo_end=$((SECONDS + {seconds}))
        while ! rdo_condition >/dev/null 2>&1; do
            if [ $SECONDS -ge $rdo_end ]; then
                echo "still not so after {seconds} s" >&2
                exit 1
            fi
            sleep 0.3
        done
        """
    ).format(condition=condition, seconds=seconds)


def package_scripts(*steps: Packages) -> Scripts:
    """Return what installs the packages of several steps in one transaction.

    Names may be provides: ``httpd`` where the platform calls it otherwise.
    """
    names = shlex.join(dict.fromkeys(name for step in steps for name in step.names))
    return Scripts(f"rpm -q --whatprovides {names}", f"dnf -y -q install {names}\n")


def file_scripts(step: File) -> Scripts:
    """Return what writes a file, whole and never with a wider mode."""
    content = step.content.get_secret_value().encode()
    path, owner = shlex.quote(step.path), f"{step.owner}:{step.group_owner}"
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
    return Scripts(guard, write)


def _link_scripts(step: Link) -> Scripts:
    path, target = shlex.quote(step.path), shlex.quote(step.target)
    make = f'umask 022\nmkdir -p "$(dirname {path})"\nln -sfn {target} {path}\n'
    return Scripts(f'test "$(readlink {path})" = {target}', make)


def sql_text(value: str) -> str:
    """Return a text as it stands in SQL."""
    return "'" + value.replace("\\", "\\\\").replace("'", "''") + "'"


def database_scripts(step: Database) -> Scripts:
    """Return what makes a database and its account.

    The guard logs in as the account itself, so a changed password is seen.
    """
    sql = [f"CREATE DATABASE IF NOT EXISTS `{step.name}` CHARACTER SET utf8mb4;"]
    password = step.password.get_secret_value()
    demand = " REQUIRE SSL" if step.server else " REQUIRE NONE"
    for client in step.clients:
        account = f"{sql_text(step.user)}@{sql_text(client)}"
        sql += [
            f"CREATE USER IF NOT EXISTS {account} IDENTIFIED BY {sql_text(password)};",
            f"ALTER USER {account} IDENTIFIED BY {sql_text(password)}{demand};",
            f"GRANT ALL PRIVILEGES ON `{step.name}`.* TO {account};",
        ]
    accounts = ", ".join(sql_text(client) for client in step.clients)
    statements = "\n".join(sql)
    create = f"mariadb <<'RDO_SQL'\n{statements}\nRDO_SQL\n"
    way = "--protocol=socket"
    if step.server is not None:
        way = f"--protocol=tcp --host={step.server} --ssl-ca={step.ca} --ssl-verify-server-cert"
    guard = textwrap.dedent(
        f"""
        set -e
        export MYSQL_PWD={shlex.quote(password)}
        mariadb --user={step.user} {way} --database={step.name} -e 'SELECT 1'
        unset MYSQL_PWD
        test "$(mariadb -NBe "SELECT COUNT(*) FROM mysql.db WHERE User = {sql_text(step.user)} \\
            AND Db = {sql_text(step.name)} AND Host IN ({accounts})")" = {len(step.clients)}
        """
    )
    return Scripts(guard, create)


def started_since(unit: str, paths: Iterable[str], packages: Iterable[str] = ()) -> str:
    """Return a script that succeeds where a unit started after files and packages were last written."""
    names = " ".join(shlex.quote(path) for path in paths)
    rpms = " ".join(shlex.quote(name) for name in packages)
    return textwrap.dedent(
        f"""
        set -e
        started=$(date +%s -d "$(systemctl show --property=ActiveEnterTimestamp --value {unit})")
        for file in {names}; do
            if [ -e "$file" ] && [ "$(stat -c %Z "$file")" -gt "$started" ]; then exit 1; fi
        done
        """
    ) + (_installed_since(rpms) if rpms else "")


def _installed_since(rpms: str) -> str:
    return textwrap.dedent(
        f"""
        for time in $(rpm -q --qf '%{{INSTALLTIME}}\\n' --whatprovides {rpms}); do
            if [ "$time" -gt "$started" ]; then exit 1; fi
        done
        """
    )


def _service_scripts(step: Service, causes: Iterable[AnyStep]) -> Scripts:
    causes = list(causes)
    paths = [c.path for c in causes if isinstance(c, File | Config | Link | Script) and c.path]
    packages = [name for cause in causes if isinstance(cause, Packages) for name in cause.names]
    unit = shlex.quote(step.unit)
    guard = f"set -e\nsystemctl is-active --quiet {unit}\nsystemctl is-enabled --quiet {unit}\n"
    if paths or packages:
        guard += started_since(unit, paths, packages)
    make = f"""
systemctl daemon-reload
systemctl enable --quiet {unit}
systemctl reset-failed {unit} 2>/dev/null || true
systemctl restart {unit} || {{ journalctl --no-pager -n 15 -o cat -u {unit} >&2; exit 1; }}
"""
    if step.ready is not None:
        make += _until(step.ready.get_secret_value(), step.patience)
    return Scripts(guard, make)


@cache
def remote_program(name: str) -> str:
    """Return the text of a program of :mod:`rdo.cloud.remote`, which runs on hosts."""
    return (Path(__file__).parent / "remote" / f"{name}.py").read_text()


def python_on_host(program: str, job: Mapping[str, object], *, beside: Iterable[str] = ()) -> str:
    """Return a bash script that runs a program of ``remote`` with a job; neither is on a command line.

    :param beside: others of ``remote`` that it imports from
    """
    # A here-document on a descriptor of its own leaves standard input free.
    return _libraries(beside) + (
        "python3 - 9<<'RDO_JOB' <<'RDO_PROGRAM'\n"
        f"{json.dumps(job)}\nRDO_JOB\n{remote_program(program)}\nRDO_PROGRAM\n"
    )


def _libraries(names: Iterable[str]) -> str:
    texts = {f"rdo/cloud/remote/{name}.py": remote_program(name) for name in names}
    if not texts:
        return ""
    lines = ["rdo_modules=$(mktemp -d)", "trap 'rm -r \"$rdo_modules\"' EXIT"]
    lines += ['export PYTHONPATH="$rdo_modules"', 'mkdir -p "$rdo_modules/rdo/cloud/remote"']
    for path, text in texts.items():
        lines.append(f"cat >\"$rdo_modules/{path}\" <<'RDO_MODULE'\n{text}\nRDO_MODULE")
    return "\n".join(lines) + "\n"


def _objects_scripts(step: Objects) -> Scripts:
    job = json.loads(step.wanted.get_secret_value()) | {"cloud": step.cloud}
    return Scripts(
        python_on_host("objects", job | {"look": True}),
        python_on_host("objects", job | {"look": False}),
    )
