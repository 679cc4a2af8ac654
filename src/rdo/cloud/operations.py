"""Each kind of step as two bash scripts for its host: a guard that looks, and what makes it hold."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from rdo.cloud.plan import AnyStep, Config, Database, File, Link, Objects, Packages, Script, Service
from rdo.cloud.shell import Shell, here, lines, sh
from rdo.cloud.texts import Text, fill, join, json_text
from rdo.common.files import sha256_bytes


@dataclass(frozen=True)
class Scripts:
    """What is sent to a host for one step; both may hold secrets.

    ``guard`` succeeds where the step holds already and changes nothing. ``make`` makes it hold; it runs with
    ``set -euo pipefail``.
    """

    guard: Shell
    make: Shell


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
            return Scripts(step.unless, lines([step.script, _until(step.unless, step.retries)]))
        case Service():
            return _service_scripts(step, [earlier[name] for name in step.restart_after])
        case Objects():
            return _objects_scripts(step)


_FAIL = sh("exit 1")


def _until(condition: Shell, seconds: int, *, why: Shell = _FAIL) -> Shell:
    if not seconds:
        return sh("")
    # A condition that is a whole script is asked in a subshell, so that its `exit` ends only itself.
    return sh(
        """
        rdo_condition() (
        %(condition)s
        )
        rdo_end=$((SECONDS + %(seconds)s))
        while ! rdo_condition >/dev/null 2>&1; do
            if [ $SECONDS -ge $rdo_end ]; then
                echo still not so after %(seconds)s s >&2
                %(why)s
            fi
            sleep 0.3
        done
        """,
        condition=condition,
        seconds=seconds,
        why=why,
    )


def package_scripts(*steps: Packages) -> Scripts:
    """Return what installs the packages of several steps in one transaction.

    Names may be provides: ``httpd`` where the platform calls it otherwise.
    """
    names = [*dict.fromkeys(name for step in steps for name in step.names)]
    return Scripts(
        sh(
            '[ "${rdo_there-}" = yes ] || %(installed)s %(names)s',
            installed=_INSTALLED,
            names=names,
        ),
        sh("dnf -y -q install %(names)s\n", names=names),
    )


def file_scripts(step: File) -> Scripts:
    """Return what writes a file, whole and never with a wider mode."""
    content = step.content.derive(lambda clear: b64encode(clear.encode()).decode())
    owner, mode = f"{step.owner}:{step.group_owner}", step.mode.lstrip("0")
    write = sh(
        """
        umask 022
        mkdir -p "$(dirname %(path)s)"
        umask 077
        rdo_new=$(mktemp %(beside)s)
        trap 'rm -f "$rdo_new"' EXIT
        base64 -d >"$rdo_new" %(content)s
        chown %(owner)s "$rdo_new"
        chmod %(mode)s "$rdo_new"
        mv -f "$rdo_new" %(path)s
        """,
        path=step.path,
        beside=f"{step.path}.XXXXXX",
        content=here(content),
        owner=owner,
        mode=mode,
    )
    guard = sh(
        """
        set -e
        test "$(sha256sum <%(path)s)" = %(sum)s
        test "$(stat -c %U:%G:%a %(path)s)" = %(owner)s
        """,
        path=step.path,
        sum=step.content.derive(lambda clear: f"{sha256_bytes(clear.encode())}  -"),
        owner=f"{owner}:{mode}",
    )
    return Scripts(guard, write)


def _link_scripts(step: Link) -> Scripts:
    return Scripts(
        sh('test "$(readlink %(path)s)" = %(target)s', path=step.path, target=step.target),
        sh(
            'umask 022\nmkdir -p "$(dirname %(path)s)"\nln -sfn %(target)s %(path)s\n',
            path=step.path,
            target=step.target,
        ),
    )


def sql_text(value: str) -> str:
    """Return a text as it stands in SQL."""
    return "'" + value.replace("\\", "\\\\").replace("'", "''") + "'"


def database_scripts(step: Database) -> Scripts:
    """Return what makes a database and its account.

    The guard logs in as the account itself, so a changed password is seen, and asks it for its rights.
    """
    sql: list[str | Text] = [f"CREATE DATABASE IF NOT EXISTS `{step.name}` CHARACTER SET utf8mb4;"]
    password = step.password.derive(sql_text)
    demand = " REQUIRE SSL" if step.server else " REQUIRE NONE"
    for client in step.clients:
        account = f"{sql_text(step.user)}@{sql_text(client)}"
        sql += [
            Text(f"CREATE USER IF NOT EXISTS {account} IDENTIFIED BY ", password, ";"),
            Text(f"ALTER USER {account} IDENTIFIED BY ", password, f"{demand};"),
            f"GRANT ALL PRIVILEGES ON `{step.name}`.* TO {account};",
        ]
    create = sh("mariadb %(statements)s\n", statements=here(join("\n", sql)))
    way = ["--protocol=socket"]
    if step.server is not None:
        way = [
            *("--protocol=tcp", f"--host={step.server}"),
            *(f"--ssl-ca={step.ca}", "--ssl-verify-server-cert"),
        ]
    guard = sh(
        """
        set -e
        export MYSQL_PWD=%(password)s
        mariadb %(who)s %(way)s %(database)s -NBe 'SHOW GRANTS' | grep -F %(grant)s
        """,
        password=step.password,
        who=f"--user={step.user}",
        way=way,
        database=f"--database={step.name}",
        grant=f"GRANT ALL PRIVILEGES ON `{step.name}`.*",
    )
    if len(step.clients) > 1:
        accounts = ", ".join(sql_text(client) for client in step.clients)
        where = f"User = {sql_text(step.user)} AND Db = {sql_text(step.name)} AND Host IN ({accounts})"
        count = sh(
            'unset MYSQL_PWD\ntest "$(mariadb -NBe %(count)s)" = %(clients)s\n',
            count=f"SELECT COUNT(*) FROM mysql.db WHERE {where}",
            clients=len(step.clients),
        )
        guard = lines([guard, count])
    return Scripts(guard, create)


def facts(steps: Sequence[AnyStep]) -> Shell:
    """Return a script that asks systemd about the units, and rpm about the packages, of all steps at once.

    Their guards use what it finds, and ask themselves where it was not run. One by one, with a handful of
    processes each, they take longer than all else that guards do but ask APIs.
    """
    return lines([_package_facts(steps), _unit_facts(steps)])


def _package_facts(steps: Iterable[AnyStep]) -> Shell:
    names = [*dict.fromkeys(name for step in steps if isinstance(step, Packages) for name in step.names)]
    if not names:
        return sh("")
    return sh(
        "rdo_times=$(%(installed)s %(names)s) && rdo_there=yes rdo_newest=$("
        'sort -n <<<"$rdo_times" | tail -n 1)\n',
        installed=_INSTALLED,
        names=names,
    )


_INSTALLED = sh(r"rpm -q --qf '%{INSTALLTIME}\n' --whatprovides")


def _unit_facts(steps: Iterable[AnyStep]) -> Shell:
    units = list(dict.fromkeys(step.unit for step in steps if isinstance(step, Service)))
    if not units:
        return sh("")
    return sh(
        """
        rdo_names=(%(names)s) rdo_number=0
        while IFS== read -r rdo_key rdo_value; do
            case $rdo_key in
            ActiveEnterTimestamp) rdo_since=$rdo_value ;;
            ActiveState) rdo_state=$rdo_value ;;
            UnitFileState) rdo_file=$rdo_value ;;
            "")
                printf -v "${rdo_names[rdo_number]}" '%s %s %s' "$rdo_since" "$rdo_state" "$rdo_file"
                rdo_number=$((rdo_number + 1))
                ;;
            esac
        done < <(%(show)s %(units)s && echo)
        """,
        names=[_fact(unit) for unit in units],
        show=_SHOW,
        units=units,
    )


_SHOW = sh("systemctl show --timestamp=unix --property=ActiveEnterTimestamp,ActiveState,UnitFileState")


def _fact(unit: str) -> str:
    """Return the shell variable with what :func:`facts` has found of a unit."""
    return "rdo_unit_" + "".join(letter if letter.isalnum() else f"_{ord(letter):x}_" for letter in unit)


def _service_scripts(step: Service, causes: Iterable[AnyStep]) -> Scripts:
    causes = list(causes)
    paths = [c.path for c in causes if isinstance(c, File | Config | Link | Script) and c.path]
    packages = [name for cause in causes if isinstance(cause, Packages) for name in cause.names]
    # "@1790000000 active enabled"; an empty time isn't a third word. What counts as enabled: systemctl(1).
    guard = sh(
        """
        set -e
        rdo_told=${%(fact)s-$(%(show)s %(unit)s | sort | cut -d= -f2 | tr '\\n' ' ')}
        read -r rdo_since rdo_state rdo_file <<<"$rdo_told"
        case $rdo_state in active | reloading) ;; *) exit 1 ;; esac
        case $rdo_file in enabled|enabled-runtime|static|alias|indirect|generated) ;; *) exit 1 ;; esac
        """,
        fact=Shell.trusted(_fact(step.unit)),
        show=_SHOW,
        unit=step.unit,
    )
    if paths:
        guard = lines([guard, _older(sh("stat -c %Z %(paths)s 2>/dev/null", paths=paths))])
    if packages:
        # where none of all packages is newer, none of these is
        newest = sh('[ -n "${rdo_newest-}" ] && [ "$rdo_newest" -le "${rdo_since#@}" ] && exit')
        asked = sh("%(installed)s %(names)s", installed=_INSTALLED, names=packages)
        guard = lines([guard, newest, _older(asked)])
    make = sh(
        """
        rdo_why() {
            journalctl --no-pager -n 12 -o cat -u %(unit)s >&2
            for rdo_log in %(logs)s; do
                [ ! -s "$rdo_log" ] || { echo "$rdo_log:"; tail -n 8 "$rdo_log"; } >&2
            done
            exit 1
        }
        systemctl daemon-reload
        systemctl enable --quiet %(unit)s
        systemctl reset-failed %(unit)s 2>/dev/null || true
        systemctl restart %(unit)s || rdo_why
        """,
        unit=step.unit,
        # rdo's own patterns, for the shell to match
        logs=Shell.trusted(" ".join(step.logs)),
    )
    if step.ready is not None:
        make = lines([make, _until(step.ready, step.patience, why=sh("rdo_why"))])
    return Scripts(guard, make)


def _older(times: Shell) -> Shell:
    """Return a guard's part that ends it where one of these times is after the start of its unit."""
    return sh(
        'for time in $(%(times)s); do\n    if [ "$time" -gt "${rdo_since#@}" ]; then exit 1; fi\ndone\n',
        times=times,
    )


@cache
def remote_program(name: str) -> str:
    """Return the text of a program of :mod:`rdo.cloud.remote`, which runs on hosts."""
    return (Path(__file__).parent / "remote" / f"{name}.py").read_text()


def python_on_host(program: str, job: Mapping[str, object] | Text, *, beside: Iterable[str] = ()) -> Shell:
    """Return a bash script that runs a program of ``remote`` with a job; neither is on a command line.

    :param job: what :func:`rdo.cloud.texts.json_text` takes, or a line of JSON
    :param beside: others of ``remote`` that it imports from
    """
    # A here-document on a descriptor of its own leaves standard input free.
    return Shell.trusted(
        fill(
            "%(libraries)spython3 - 9<<'RDO_JOB' <<'RDO_PROGRAM'\n"
            "%(job)s\nRDO_JOB\n%(program)s\nRDO_PROGRAM\n",
            libraries=_libraries(beside),
            # one line: JSON has its ends of lines escaped
            job=job if isinstance(job, Text) else json_text(job),
            program=remote_program(program),
        )
    )


def _libraries(names: Iterable[str]) -> Shell:
    texts = {f"rdo/cloud/remote/{name}.py": remote_program(name) for name in names}
    if not texts:
        return sh("")
    begin = sh(
        """\
        rdo_modules=$(mktemp -d)
        trap 'rm -r "$rdo_modules"' EXIT
        export PYTHONPATH="$rdo_modules"
        mkdir -p "$rdo_modules/rdo/cloud/remote"
        """
    )
    files = [
        sh('cat >"$rdo_modules"/%(path)s %(text)s\n', path=path, text=here(text))
        for path, text in texts.items()
    ]
    return lines([begin, *files, sh("")])


def _objects_scripts(step: Objects) -> Scripts:
    return Scripts(_objects([step], look=True), _objects([step], look=False))


def objects_look(steps: Sequence[Objects]) -> Shell:
    """Return a script that looks for the objects of several steps, of one cloud, in one process.

    It prints ``there: NUMBER`` for each step, counted from 0, all of whose objects are there.
    """
    return _objects(steps, look=True)


def _objects(steps: Sequence[Objects], *, look: bool) -> Shell:
    job = fill(
        '{"cloud": %(cloud)s, "look": %(look)s, "wanted": [%(wanted)s]}',
        cloud=json_text(steps[0].cloud),
        look=json_text(look),
        wanted=join(", ", [step.wanted for step in steps]),
    )
    return python_on_host("objects", job)
