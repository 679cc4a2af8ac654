"""Taking a cloud down: what its plans put on hosts is taken off again, in the other direction.

What the cloud knows (databases, images, volumes, keys) stays, so that ``up`` brings it back, unless it is to
go too. Packages of ours are removed; those of the platform stay, stopped, since others may use them.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from pathlib import PurePosixPath

from rdo.cloud.deployment import Deployment
from rdo.cloud.everywhere import HostActions, on_every_host, units_of
from rdo.cloud.operations import sql_text
from rdo.cloud.plan import AnyStep, Config, Database, File, Link, Plan, Script
from rdo.cloud.roles.ceph import MONITOR_STORE
from rdo.cloud.roles.repository import REPOSITORY_FILES

_MACHINES = """
for machine in $(virsh -q list --all --name 2>/dev/null | grep '^instance-'); do
    virsh -q destroy "$machine" 2>/dev/null || true
done
"""
#: What services keep below these places is the cloud's data.
_DATA = (
    "/etc/keystone/fernet-keys",
    "/etc/keystone/credential-keys",
    "/var/lib/glance/images",
    "/var/lib/ironic",
    "/var/lib/nova/instances",
    "/var/lib/nova/.ssh",
    "/var/lib/ovn/*.db",
    "/var/lib/rabbitmq/mnesia",
    "/srv/node/*",
    "/var/lib/rdo-cloud",
    "/var/cache/rdo-cloud",
)
#: The same of a small Ceph; a cluster that is there already is not ours to touch.
_CEPH_DATA = (
    "/etc/ceph/ceph.client.admin.keyring",
    "/var/lib/ceph/mon/ceph-*",
    "/var/lib/ceph/mgr/ceph-*",
    "/var/lib/ceph/osd/ceph-*",
)
# On hosts whose platform is no RPM distribution a name of EL's stands for what is no package of ours.
_PACKAGES = """
ours=$(dnf -q repoquery --installed --qf '%{name} %{from_repo}\\n' | sed -n 's/ rdo-.*//p' | sort -u)
[ -z "$ours" ] || dnf -y -q remove --noautoremove $ours || exit 1
"""


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
            actions += [f"remove {path}, if it is there" for path in _data(plan)]
        found.append(HostActions(host=plan.host, actions=tuple(actions)))
    return found


def take_down(deployment: Deployment, *, data: bool, report: Callable[[str], None] | None = None) -> None:
    """Stop everything that the plans start and take off what they put on hosts; run again, it goes on.

    :param data: the cloud's data goes as well, and its passwords and certificates here
    :param report: told a line for each host that is done
    :raises RdoError: a host could not be reached, or something on it failed; the others are done
    """
    on_every_host(deployment, lambda plan: script_of(plan, data=data), report=report)


def script_of(plan: Plan, *, data: bool) -> str:
    """Return the script that takes a plan off its host; what is off already doesn't matter to it."""
    lines = ["set -u"]
    if data:
        sql = [f"DROP DATABASE IF EXISTS `{step.name}`;" for step in _databases(plan)]
        for user, client in sorted({(step.user, c) for step in _databases(plan) for c in step.clients}):
            sql.append(f"DROP USER IF EXISTS {sql_text(user)}@{sql_text(client)};")
        if sql:
            # sessions of services that still run would hold the databases
            kill = [f"KILL USER {sql_text(user)};" for user in sorted({s.user for s in _databases(plan)})]
            stop = [unit for unit in units_of(plan) if unit.startswith(("openstack-", "neutron-"))]
            lines.append(f"systemctl stop {shlex.join(stop)} 2>/dev/null || true" if stop else "true")
            lines.append(f"mariadb --force <<'SQL' 2>/dev/null || true\n{chr(10).join([*kill, *sql])}\nSQL")
    lines.append(_MACHINES)
    for unit in units_of(plan):
        lines.append(f"systemctl disable --quiet --now {shlex.quote(unit)} 2>/dev/null || true")
    for step in _undone(plan):
        lines.append(f"(\n{step.undo.reveal() if step.undo else ''}\n) || exit 1")
    # Packages first, so that their scriptlets find their configuration; then what no package owns.
    lines.append(_PACKAGES)
    lines += [f"rm -f {shlex.quote(path)}" for path in _paths(plan)]
    # rpm keeps a copy of a package's configuration that the plan had written
    written = [path for step in plan.steps if (path := _path(step))]
    lines += [f"rm -f {shlex.quote(path)}.rpmsave" for path in written]
    lines += [f"rmdir {shlex.quote(str(folder))} 2>/dev/null || true" for folder in _folders(plan)]
    if data:
        lines.append(f"rm -rf {' '.join(_data(plan))}")
    lines.append("systemctl daemon-reload")
    return "\n".join(lines) + "\n"


def _data(plan: Plan) -> tuple[str, ...]:
    small_ceph = any(step.id == MONITOR_STORE for step in plan.steps)
    return (*_DATA, *_CEPH_DATA) if small_ceph else _DATA


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
