"""One script on each host of a cloud, the controller last: the others would miss it."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from rdo.cloud.deployment import Deployment
from rdo.cloud.plan import Part, Plan, Service, Target
from rdo.cloud.shell import Shell, sh
from rdo.cloud.ssh import run_on
from rdo.common.errors import RdoError
from rdo.common.process import CommandError

_LIMIT = 900.0
"""Seconds for a script on one host."""


class HostActions(Part):
    """What is done on one host, in order; each a line for a person."""

    host: str
    actions: tuple[str, ...]


def on_every_host(
    deployment: Deployment,
    script_of: Callable[[Plan], Shell],
    *,
    report: Callable[[str], None] | None = None,
    word: str = "done",
    limit: float = _LIMIT,
) -> None:
    """Run a script on each host, side by side but for the controller, whose turn is when all others are done.

    :param script_of: makes the script of a host from its plan
    :param report: told a line for each host that is done, which says that it is ``word``
    :param limit: seconds for the script on each host
    :raises RdoError: a host could not be reached, or something on it failed; the others are done
    """

    def on(row: tuple[Plan, Target]) -> str | None:
        plan, target = row
        try:
            done = run_on(target, script_of(plan), timeout=limit)
        except CommandError as error:
            return f"{plan.host}: {error}"
        if done.status == 0 and report is not None:
            report(f"{plan.host} is {word}")
        tail = "\n".join((done.stdout + done.stderr).strip().splitlines()[-10:])
        return None if done.status == 0 else f"{plan.host}:\n{tail}"

    rows = deployment.rows
    last = deployment.site.cloud.controller.name
    with ThreadPoolExecutor(max_workers=8) as pool:
        for turn in ([row for row in rows if row[0].host != last], [r for r in rows if r[0].host == last]):
            failed = [said for said in pool.map(on, turn) if said is not None]
            if failed:
                raise RdoError(
                    "\n".join(failed), hint="Run it again when the cause is mended; it goes on from there."
                )


def units_of(plan: Plan) -> list[str]:
    """Return the units that a plan starts, the last first."""
    return list(dict.fromkeys(step.unit for step in reversed(plan.steps) if isinstance(step, Service)))


def openstack_units(deployment: Deployment, plan: Plan) -> list[str]:
    """Return those of a plan's units that are OpenStack's, and httpd where its APIs are."""
    httpd = deployment.site.names.httpd_unit
    ours = ("openstack-", "neutron-")
    return [unit for unit in units_of(plan) if unit.startswith(ours) or unit == httpd]


def stop_openstack(deployment: Deployment, *, report: Callable[[str], None] | None = None) -> None:
    """Stop OpenStack's own services on all hosts, and the APIs; machines, databases and the broker run on.

    :raises RdoError: as :func:`on_every_host` does
    """

    def script(plan: Plan) -> Shell:
        ours = openstack_units(deployment, plan)
        # what is not there, as on a host that was cleared, need not be stopped
        return sh(
            """
            there=()
            for unit in %(units)s; do
                ! systemctl cat "$unit" >/dev/null 2>&1 || there+=("$unit")
            done
            [ ${#there[@]} = 0 ] || systemctl stop "${there[@]}"
            """,
            units=ours,
        )

    on_every_host(deployment, script, report=report, word="without OpenStack's services")
