"""A host of machines leaves a cloud: its machines move, and what was put on it is taken off."""

from __future__ import annotations

from collections.abc import Callable

from pydantic import ValidationError

from rdo.cloud.clearing import mounted, require_unmounted
from rdo.cloud.deployment import Deployment
from rdo.cloud.operations import python_on_host
from rdo.cloud.roles.node import CLOUD
from rdo.cloud.ssh import run_on
from rdo.cloud.takedown import take_down
from rdo.cloud.topology import Cloud, Role
from rdo.common.errors import InputError, RdoError

_PATIENCE = 300
"""Seconds that one machine may take to move."""


def without(cloud: Cloud, name: str) -> Cloud:
    """Return a cloud without one of its hosts.

    :raises InputError: there is no such host, it has other roles too, or the cloud can't do without it
    """
    host = next((one for one in cloud.hosts if one.name == name), None)
    if host is None:
        known = ", ".join(one.name for one in cloud.hosts)
        raise InputError(f"{cloud.name} has no host {name}.", hint=f"It has {known}.")
    if host.roles != (Role.COMPUTE,):
        others = ", ".join(role for role in host.roles if role is not Role.COMPUTE)
        raise InputError(f"{name} is there for {others} too; only hosts for machines can leave.")
    try:
        return Cloud.model_validate({**dict(cloud), "hosts": tuple(h for h in cloud.hosts if h is not host)})
    except ValidationError as error:
        why = "; ".join(one["msg"].removeprefix("Value error, ") for one in error.errors())
        raise InputError(f"{cloud.name} can't do without {name}: {why}.") from error


def machines_on(deployment: Deployment, name: str) -> list[str]:
    """Return the machines on a host, a line each."""
    return _ask(deployment, name, "look").splitlines()


def leave(
    deployment: Deployment,
    name: str,
    *,
    dead: bool,
    leave_mounted: bool = False,
    report: Callable[[str], None] | None = None,
) -> None:
    """Free a host and take it out of service; what is done already does no harm when it is run again.

    :param deployment: of the cloud that still has it
    :param dead: the host is gone: its machines are started elsewhere, and nothing is done on it
    :param leave_mounted: leave places of its data where other file systems are mounted
    :raises InputError: file systems are mounted there, and they are not to be left; nothing was changed
    :raises RdoError: a machine could not be moved (the host takes no new ones from then on)
    """
    tell = report or (lambda _: None)
    alone = deployment.part(lambda plan: plan.host == name)
    if not (dead or leave_mounted):
        require_unmounted(mounted(alone))
    count = len(machines_on(deployment, name))
    for line in _ask(deployment, name, "evacuate" if dead else "free", machines=count).splitlines():
        tell(line)
    # one may have been made while the others moved
    if left := machines_on(deployment, name):
        raise RdoError("\n".join([f"There are machines on {name} still:", *left]), hint="Run it again.")
    if not dead:
        take_down(alone, data=True, leave_mounted=leave_mounted, report=tell)
    _ask(deployment, name, "forget")


def _ask(deployment: Deployment, name: str, act: str, *, machines: int = 0) -> str:
    job = {"cloud": CLOUD, "host": name, "act": act, "patience": _PATIENCE}
    # the machines that are there move one after the other
    limit = _PATIENCE * (1 + machines) + 600
    done = run_on(deployment.controller, python_on_host("leave", job), timeout=limit)
    if done.status != 0:
        raise RdoError(f"On {deployment.controller.host}:\n{(done.stdout + done.stderr).strip()}")
    return done.stdout.strip()
