"""Stopping a whole cloud in order, so that its hosts can be switched off; putting it up again starts it.

Nova starts machines that ran when its compute service comes back and finds them off
(``resume_guests_state_on_host_boot``); so that service goes first, and never hears of their end.
"""

from __future__ import annotations

from collections.abc import Callable

from rdo.cloud.deployment import Deployment
from rdo.cloud.everywhere import HostActions, on_every_host, openstack_units, units_of
from rdo.cloud.plan import Plan
from rdo.cloud.roles import firewall
from rdo.cloud.shell import Shell, lines, sh
from rdo.cloud.topology import Role

_COMPUTE = "openstack-nova-compute"
_LISTED = sh("virsh -q list --name 2>/dev/null | grep '^instance-'")


def halts(deployment: Deployment) -> list[HostActions]:
    """Return what :func:`stop` does on each host, to be shown before it is done."""
    found = []
    for plan in deployment.plans:
        actions = [f"stop {_COMPUTE}", "shut machines down"] if _COMPUTE in units_of(plan) else []
        units = [*openstack_units(deployment, plan), *_lower(deployment, plan)]
        actions += [f"stop {unit}" for unit in units if unit != _COMPUTE]
        found.append(HostActions(host=plan.host, actions=tuple(actions)))
    return found


def stop(deployment: Deployment, *, patience: int, report: Callable[[str], None] | None = None) -> None:
    """Shut all machines down and stop all services; what is stopped already does not matter.

    Machines everywhere go first, as their disks may be on other hosts. Then hosts without APIs or storage,
    then those with storage, the controller last. Units stay enabled: a host that boots starts them.

    :param patience: seconds that machines have to shut down; they are switched off after that
    :raises RdoError: a host could not be reached, or a unit did not stop
    """
    computes = deployment.part(lambda plan: _COMPUTE in units_of(plan))
    shutdown = _shutdown(patience)
    on_every_host(
        computes, lambda _: shutdown, report=report, word="without machines that run", limit=patience + 900
    )

    def script(plan: Plan) -> Shell:
        # OpenStack's wait for what is under way, all at once; the others one after the other, as each may
        # need those that are stopped after it to end in peace
        upper = openstack_units(deployment, plan)
        turns = [upper] if upper else []
        turns += [[unit] for unit in _lower(deployment, plan)]
        return lines([sh("set -e"), *(sh("systemctl stop %(units)s", units=turn) for turn in turns), sh("")])

    last = {host.name for host in deployment.site.cloud.having(Role.STORAGE)}
    last.add(deployment.site.cloud.controller.name)
    for part in (
        deployment.part(lambda plan: plan.host not in last),
        deployment.part(lambda plan: plan.host in last),
    ):
        on_every_host(part, script, report=report, word="stopped")


def _shutdown(patience: int) -> Shell:
    return sh(
        """
        systemctl stop %(compute)s
        for machine in $(%(listed)s); do
            virsh -q shutdown "$machine" || true
        done
        end=$((SECONDS + %(patience)s))
        while [ -n "$(%(listed)s)" ] && [ $SECONDS -lt $end ]; do sleep 1; done
        for machine in $(%(listed)s); do
            echo "$machine has not heard its power button" >&2
            virsh -q destroy "$machine"
        done
        """,
        compute=_COMPUTE,
        listed=_LISTED,
        patience=patience,
    )


def _lower(deployment: Deployment, plan: Plan) -> list[str]:
    """Return what OpenStack's services stand on, the last first. The firewall stays."""
    upper = openstack_units(deployment, plan)
    return [unit for unit in units_of(plan) if unit not in (*upper, firewall.UNIT)]
