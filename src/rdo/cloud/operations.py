"""Each kind of step as two bash scripts for its host: a guard that looks, and what makes it hold."""

from __future__ import annotations

import json
import shlex
import textwrap
from base64 import b64encode
from collections.abc import Iterable, Mapping, Sequence
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
    return Scripts(f'[ "${{rdo_there-}}" = yes ] || {_INSTALLED} {names}', f"dnf -y -q install {names}\n")


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

    The guard logs in as the account itself, so a changed password is seen, and asks it for its rights.
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
    statements = "\n".join(sql)
    create = f"mariadb <<'RDO_SQL'\n{statements}\nRDO_SQL\n"
    way = "--protocol=socket"
    if step.server is not None:
        way = f"--protocol=tcp --host={step.server} --ssl-ca={step.ca} --ssl-verify-server-cert"
    guard = textwrap.dedent(
        f"""
        set -e
        export MYSQL_PWD={shlex.quote(password)}
        mariadb --user={step.user} {way} --database={step.name} -NBe 'SHOW GRANTS' |
            grep -F 'GRANT ALL PRIVILEGES ON `{step.name}`.*'
        """
    )
    if len(step.clients) > 1:
        accounts = ", ".join(sql_text(client) for client in step.clients)
        where = f"User = {sql_text(step.user)} AND Db = {sql_text(step.name)} AND Host IN ({accounts})"
        count = f'mariadb -NBe "SELECT COUNT(*) FROM mysql.db WHERE {where}"'
        guard += f'unset MYSQL_PWD\ntest "$({count})" = {len(step.clients)}\n'
    return Scripts(guard, create)


def facts(steps: Sequence[AnyStep]) -> str:
    """Return a script that asks systemd about the units, and rpm about the packages, of all steps at once.

    Their guards use what it finds, and ask themselves where it was not run. One by one, with a handful of
    processes each, they take longer than all else that guards do but ask APIs.
    """
    return _package_facts(steps) + _unit_facts(steps)


def _package_facts(steps: Iterable[AnyStep]) -> str:
    names = dict.fromkeys(name for step in steps if isinstance(step, Packages) for name in step.names)
    if not names:
        return ""
    return (
        f"rdo_times=$({_INSTALLED} {shlex.join(names)}) && rdo_there=yes rdo_newest=$("
        'sort -n <<<"$rdo_times" | tail -n 1)\n'
    )


_INSTALLED = r"rpm -q --qf '%{INSTALLTIME}\n' --whatprovides"


def _unit_facts(steps: Iterable[AnyStep]) -> str:
    units = list(dict.fromkeys(step.unit for step in steps if isinstance(step, Service)))
    if not units:
        return ""
    return textwrap.dedent(
        """
        rdo_names=({names}) rdo_number=0
        while IFS== read -r rdo_key rdo_value; do
            case $rdo_key in
            ActiveEnterTimestamp) rdo_since=$rdo_value ;;
            ActiveState) rdo_state=$rdo_value ;;
            UnitFileState) rdo_file=$rdo_value ;;
            "")
                printf -v "${{rdo_names[rdo_number]}}" '%s %s %s' "$rdo_since" "$rdo_state" "$rdo_file"
                rdo_number=$((rdo_number + 1))
                ;;
            esac
        done < <({show} {units} && echo)
        """
    ).format(names=" ".join(_fact(unit) for unit in units), show=_SHOW, units=shlex.join(units))


_SHOW = "systemctl show --timestamp=unix --property=ActiveEnterTimestamp,ActiveState,UnitFileState"
#: What counts as enabled (systemctl(1), is-enabled).
_ENABLED = "enabled|enabled-runtime|static|alias|indirect|generated"


def _fact(unit: str) -> str:
    """Return the shell variable with what :func:`facts` has found of a unit."""
    return "rdo_unit_" + "".join(letter if letter.isalnum() else f"_{ord(letter):x}_" for letter in unit)


def _service_scripts(step: Service, causes: Iterable[AnyStep]) -> Scripts:
    causes = list(causes)
    paths = [c.path for c in causes if isinstance(c, File | Config | Link | Script) and c.path]
    packages = [name for cause in causes if isinstance(cause, Packages) for name in cause.names]
    unit = shlex.quote(step.unit)
    # "@1790000000 active enabled"; an empty time is no third word
    guard = textwrap.dedent(
        f"""
        set -e
        rdo_told=${{{_fact(step.unit)}-$({_SHOW} {unit} | sort | cut -d= -f2 | tr '\\n' ' ')}}
        read -r rdo_since rdo_state rdo_file <<<"$rdo_told"
        case $rdo_state in active | reloading) ;; *) exit 1 ;; esac
        case $rdo_file in {_ENABLED}) ;; *) exit 1 ;; esac
        """
    )
    if paths:
        guard += _older(f"stat -c %Z {shlex.join(paths)} 2>/dev/null")
    if packages:
        # where none of all packages is newer, none of these is
        guard += '[ -n "${rdo_newest-}" ] && [ "$rdo_newest" -le "${rdo_since#@}" ] && exit\n'
        guard += _older(f"{_INSTALLED} {shlex.join(packages)}")
    make = f"""
systemctl daemon-reload
systemctl enable --quiet {unit}
systemctl reset-failed {unit} 2>/dev/null || true
systemctl restart {unit} || {{ journalctl --no-pager -n 15 -o cat -u {unit} >&2; exit 1; }}
"""
    if step.ready is not None:
        make += _until(step.ready.get_secret_value(), step.patience)
    return Scripts(guard, make)


def _older(times: str) -> str:
    """Return a guard's part that ends it where one of these times is after the start of its unit."""
    return f'for time in $({times}); do\n    if [ "$time" -gt "${{rdo_since#@}}" ]; then exit 1; fi\ndone\n'


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
    job = {"cloud": step.cloud, "wanted": [json.loads(step.wanted.get_secret_value())]}
    return Scripts(
        python_on_host("objects", job | {"look": True}),
        python_on_host("objects", job | {"look": False}),
    )


def objects_look(steps: Sequence[Objects]) -> str:
    """Return a script that looks for the objects of several steps, of one cloud, in one process.

    It prints ``there: NUMBER`` for each step, counted from 0, all of whose objects are there.
    """
    wanted = [json.loads(step.wanted.get_secret_value()) for step in steps]
    return python_on_host("objects", {"cloud": steps[0].cloud, "wanted": wanted, "look": True})
