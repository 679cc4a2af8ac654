"""Taking a cloud down: what its plans put on hosts is taken off again, in the other direction.

What the cloud knows (databases, images, volumes, keys) stays, so that ``up`` brings it back, unless it is to
go too. Packages of ours are removed; those of the platform stay, stopped, since others may use them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import PurePosixPath

from rdo.cloud.clearing import mounted, places, removal_script, require_unmounted
from rdo.cloud.deployment import Deployment
from rdo.cloud.everywhere import HostActions, on_every_host, units_of
from rdo.cloud.operations import sql_text
from rdo.cloud.plan import AnyStep, Config, Database, File, Link, Plan, Script, Service
from rdo.cloud.roles.mariadb import DATABASE_FOLDER
from rdo.cloud.roles.repository import REPOSITORY_FILES
from rdo.cloud.shell import Shell, here, lines, sh

_MACHINES = sh("""
for machine in $(virsh -q list --all --name 2>/dev/null | grep '^instance-'); do
    virsh -q destroy "$machine" 2>/dev/null || true
done
""")
# On hosts whose platform is no RPM distribution a name of EL's stands for what is no package of ours.
_PACKAGES = sh(r"""
ours=$(dnf -q repoquery --installed --qf '%{name} %{from_repo}\n' | sed -n 's/ rdo-.*//p' | sort -u)
[ -z "$ours" ] || dnf -y -q remove --noautoremove $ours || exit 1
""")


def removals(deployment: Deployment, *, data: bool) -> list[HostActions]:
    """Return what :func:`take_down` does on each host, to be shown before it is done."""
    found = []
    for plan in deployment.plans:
        actions = [f"stop and disable {unit}" for unit in units_of(plan)]
        actions += [f"undo {step.title!r}" for step in _undone(plan)]
        actions += [f"remove {path}" for path in _paths(plan)]
        actions.append("remove all packages that came from RDO's repository")
        if data:
            actions += [f"drop the database {step.name}" for step in _databases(plan)]
            actions += [f"remove {path}, if it is there" for path in places(plan)]
        found.append(HostActions(host=plan.host, actions=tuple(actions)))
    return found


def take_down(
    deployment: Deployment,
    *,
    data: bool,
    leave_mounted: bool = False,
    report: Callable[[str], None] | None = None,
) -> None:
    """Stop everything that the plans start and take off what they put on hosts; run again, it goes on.

    :param data: what the hosts' roles keep of the cloud goes as well
    :param leave_mounted: but for places where other file systems are mounted; without, they are an error
    :param report: told a line for each host that is done
    :raises RdoError: a host could not be reached, or something on it failed; the others are done
    """
    if data and not leave_mounted:
        require_unmounted(mounted(deployment))

    def script(plan: Plan) -> Shell:
        return script_of(plan, data=data, leave_mounted=leave_mounted)

    on_every_host(deployment, script, report=report)


def script_of(plan: Plan, *, data: bool, leave_mounted: bool = False) -> Shell:
    """Return the script that takes a plan off its host; what is off already doesn't matter to it."""
    parts = [sh("set -u")]
    if data:
        parts += _drop(plan)
    parts.append(_MACHINES)
    for unit in units_of(plan):
        parts.append(sh("systemctl disable --quiet --now %(unit)s 2>/dev/null || true", unit=unit))
    for step in _undone(plan):
        parts.append(sh("(\n%(undo)s\n) || exit 1", undo=step.undo or sh("")))
    # Packages first, so that their scriptlets find their configuration; then what no package owns.
    parts.append(_PACKAGES)
    parts += [sh("rm -f %(path)s", path=path) for path in _paths(plan)]
    # rpm keeps a copy of a package's configuration that the plan had written
    written = [path for step in plan.steps if (path := _path(step))]
    parts += [sh("rm -f %(path)s", path=f"{path}.rpmsave") for path in written]
    parts += [sh("rmdir %(folder)s 2>/dev/null || true", folder=str(folder)) for folder in _folders(plan)]
    if data:
        parts.append(removal_script(places(plan), leave_mounted=leave_mounted))
    parts.append(sh("systemctl daemon-reload\n"))
    return lines(parts)


def _drop(plan: Plan) -> list[Shell]:
    """Return what drops the plan's databases, and sees that they are gone: `up` would find them again."""
    databases = _databases(plan)
    if not databases:
        return []
    sql = [f"KILL USER {sql_text(user)};" for user in sorted({step.user for step in databases})]
    sql += [f"DROP DATABASE IF EXISTS `{step.name}`;" for step in databases]
    for user, client in sorted({(step.user, client) for step in databases for client in step.clients}):
        sql.append(f"DROP USER IF EXISTS {sql_text(user)}@{sql_text(client)};")
    # sessions of services that still run would hold the databases
    stop = [unit for unit in units_of(plan) if unit.startswith(("openstack-", "neutron-"))]
    start = [step.unit for step in plan.steps if isinstance(step, Service) and step.id == "mariadb"]
    there = [f"{DATABASE_FOLDER}/{step.name}" for step in databases]
    return [
        sh("systemctl stop %(units)s 2>/dev/null || true", units=stop) if stop else sh("true"),
        # a first `down` may have stopped the server and left its databases
        sh("if ls -d %(there)s >/dev/null 2>&1; then", there=there),
        *(sh("systemctl start %(unit)s || exit 1", unit=unit) for unit in start),
        sh("mariadb --force 2>/dev/null %(sql)s", sql=here("\n".join(sql))),
        sh("if ls -d %(there)s 2>/dev/null; then echo 'could not be dropped' >&2; exit 1; fi", there=there),
        sh("fi"),
    ]


def _undone(plan: Plan) -> list[Script]:
    return [step for step in reversed(plan.steps) if isinstance(step, Script) and step.undo is not None]


def _databases(plan: Plan) -> list[Database]:
    return [step for step in plan.steps if isinstance(step, Database)]


def _paths(plan: Plan) -> Sequence[str]:
    # rdo-release owns its files, and takes them along
    return [
        path for step in reversed(plan.steps) if (path := _path(step)) and step.id not in REPOSITORY_FILES
    ]


def _folders(plan: Plan) -> list[PurePosixPath]:
    """Return the folders of services' configuration, inner ones first; they go if nothing is in them."""
    inner = {PurePosixPath(step.path).parent for step in plan.steps if isinstance(step, Config)}
    return [*sorted(inner), *sorted({folder.parent for folder in inner})]


def _path(step: AnyStep) -> str | None:
    return step.path if isinstance(step, File | Config | Link | Script) else None
