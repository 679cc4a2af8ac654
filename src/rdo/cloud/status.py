"""How a cloud is: which hosts answer, which units run since when, which parts the APIs see, versions."""

from __future__ import annotations

import datetime
import json
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

from pydantic import Field

from rdo.cloud.deployment import Deployment
from rdo.cloud.operations import python_on_host
from rdo.cloud.plan import Part, Plan, Service, Target
from rdo.cloud.roles.node import CLOUD
from rdo.cloud.shell import Shell, sh
from rdo.cloud.ssh import run_on
from rdo.common.process import CommandError

_PATIENCE = 60.0
"""Seconds that a host may take to answer."""


class Unit(Part):
    """A systemd unit on a host: ``state`` is ``active (running)``, ``since`` when it came into that."""

    host: str
    name: str
    up: bool
    state: str
    since: str
    restarts: int = 0


class Agent(Part):
    """A part of a service, as its API knows it; ``since`` is when it was last seen."""

    host: str
    name: str
    up: bool
    since: str
    note: str = ""


class HostStatus(Part):
    """One host: ``error`` says why it could not be asked, ``certificate`` when its certificate ends."""

    host: str
    error: str | None
    certificate: datetime.datetime
    units: tuple[Unit, ...] = ()
    packages: Mapping[str, str] = Field(default={}, description="OpenStack's, name -> version-release")


class Status(Part):
    """A whole cloud; ``error`` says why its APIs could not be asked."""

    name: str
    series: str
    hosts: tuple[HostStatus, ...]
    agents: tuple[Agent, ...]
    error: str | None

    @property
    def down(self) -> list[str]:
        """What is not as it should be, a line each."""
        return [*self._down()]

    def _down(self) -> Iterator[str]:
        for host in self.hosts:
            if host.error is not None:
                yield f"{host.host}: {host.error}"
            for unit in host.units:
                if not unit.up:
                    yield f"{host.host}: {unit.name} is {unit.state} since {unit.since or 'its boot'}"
        if self.error is not None:
            yield f"The APIs can't be asked: {self.error}"
        for agent in self.agents:
            if not agent.up:
                seen = f"was last seen at {agent.since}" if agent.since else "was never seen"
                yield f"{agent.host}: {agent.name} {seen}"


def status(deployment: Deployment) -> Status:
    """Ask all hosts and the APIs, side by side."""
    cloud = deployment.site.cloud
    with ThreadPoolExecutor(max_workers=16) as pool:
        asked = [pool.submit(_host, deployment, plan, target) for plan, target in deployment.rows]
        agents, error = _agents(deployment.controller, cloud.services)
        hosts = tuple(one.result() for one in asked)
    return Status(
        name=cloud.name,
        series=deployment.site.repository.series,
        hosts=hosts,
        agents=agents,
        error=error,
    )


def _host(deployment: Deployment, plan: Plan, target: Target) -> HostStatus:
    units = dict.fromkeys(step.unit for step in plan.steps if isinstance(step, Service))
    ends = deployment.certificates[plan.host]
    done, said = _ask(target, _look([*units]))
    if not done:
        return HostStatus(host=plan.host, error=said, certificate=ends)
    found, packages = [], {}
    for line in said.splitlines():
        kind, _, rest = line.partition("|")
        name, value, *more = rest.split("|")
        if kind == "package":
            packages[name] = value
        elif kind == "unit":
            # systemctl prints properties in its own order, the count among the two words
            words = value.split()
            restarts = next((int(word) for word in words if word.isdigit()), 0)
            state, *sub = [word for word in words if not word.isdigit()] or ["unknown"]
            found.append(
                Unit(
                    host=plan.host,
                    name=name,
                    up=state == "active",
                    state=f"{state} ({' '.join(sub)})",
                    since=more[0] if more else "",
                    restarts=restarts,
                )
            )
    return HostStatus(host=plan.host, error=None, certificate=ends, units=tuple(found), packages=packages)


def _look(units: Sequence[str]) -> Shell:
    return sh(
        r"""
        for unit in %(units)s; do
            state=$(systemctl show --value -p ActiveState -p SubState -p NRestarts "$unit" | xargs)
            since=$(systemctl show --value -p StateChangeTimestamp "$unit")
            echo "unit|$unit|$state|$(date -u +%Y-%m-%dT%H:%M:%SZ -d "$since" 2>/dev/null)"
        done
        rpm -qa --qf 'package|%{NAME}|%{VERSION}-%{RELEASE}|\n' 'openstack-*' | sort
        """,
        units=units,
    )


def _agents(target: Target, services: Sequence[str]) -> tuple[tuple[Agent, ...], str | None]:
    done, said = _ask(target, python_on_host("status", {"cloud": CLOUD, "services": list(services)}))
    if not done:
        return (), said
    rows = [json.loads(line) for line in said.splitlines() if line.startswith("{")]
    return tuple(sorted((Agent(**row) for row in rows), key=lambda a: (a.name, a.host))), None


def _ask(target: Target, script: Shell) -> tuple[bool, str]:
    try:
        done = run_on(target, script, timeout=_PATIENCE)
    except CommandError:
        return False, f"no answer within {_PATIENCE:.0f} s"
    if done.status == 0:
        return True, done.stdout.strip()
    return False, ((done.stdout + done.stderr).strip().splitlines() or ["no answer"])[-1]
