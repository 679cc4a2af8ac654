"""The process that applies plans: pyinfra's connections, all hosts at once, stage by stage.

Guards are asked in one go at the start, and again where something changed since.
"""

from gevent import monkey

monkey.patch_all()

import json  # noqa: E402 - gevent must patch first
import logging  # noqa: E402
import os  # noqa: E402
import signal  # noqa: E402
import sys  # noqa: E402
import time  # noqa: E402
from collections.abc import Sequence  # noqa: E402
from typing import TextIO  # noqa: E402

import gevent  # noqa: E402
from gevent.pool import Pool  # noqa: E402
from pyinfra import logger  # noqa: E402
from pyinfra.api import Config, Inventory, State, StringCommand  # noqa: E402
from pyinfra.api.connect import connect_all, disconnect_all  # noqa: E402
from pyinfra.api.exceptions import PyinfraError  # noqa: E402
from pyinfra.api.host import Host  # noqa: E402

from rdo.cloud.connections import mend_proxies, watch  # noqa: E402
from rdo.cloud.differences import hidden  # noqa: E402
from rdo.cloud.looking import PATIENCE, SIDE_BY_SIDE, all_scripts, caused, guards, holding  # noqa: E402
from rdo.cloud.operations import Scripts, package_scripts  # noqa: E402
from rdo.cloud.plan import AnyStep, Packages, Plan, Service, Stage, StepResult, Target  # noqa: E402
from rdo.cloud.shell import Shell, lines, sh  # noqa: E402
from rdo.cloud.ssh import BASH, limited, needs_sudo  # noqa: E402
from rdo.cloud.testhosts.syscalls import die_with_parent  # noqa: E402
from rdo.cloud.texts import HIDDEN  # noqa: E402

_GRACE = 30
"""Seconds that we wait longer than a host, whose own words are the better ones."""
_SHOWN = 30
"""Lines of what a failed step said."""
_LOCAL = "@local"
"""pyinfra's name of the machine that it runs on."""


class _Node:
    """One host, its plan, and what is known of it."""

    def __init__(
        self, host: Host, plan: Plan, results: TextIO, secrets: Sequence[str], *, sudo: bool
    ) -> None:
        self.host, self.plan, self.results, self.secrets, self.sudo = host, plan, results, secrets, sudo
        self.scripts = all_scripts(plan)
        self.changed: set[str] = set()
        self.failed = False
        self.known: dict[str, bool] = {}

    def run(self, script: Shell, limit: int) -> tuple[bool, str]:
        """Run a script on the host; return whether it succeeded, and what it said.

        :param limit: seconds after which the host ends it, and all that it has started
        """
        try:
            # a local name would end as the process's argument; standard input shows nobody anything
            ok, output = self.host.run_shell_command(
                StringCommand(limited(BASH, limit)),
                _stdin=script.reveal(),
                _timeout=limit + _GRACE,
                _sudo=self.sudo,
            )
        except TimeoutError:
            return False, f"{self.plan.host} has not answered within {limit + _GRACE} s"
        except (PyinfraError, OSError, EOFError) as error:
            return False, f"{self.plan.host} does not answer: {error}"
        return ok, str(output.output)

    def ask(self, steps: Sequence[AnyStep]) -> dict[str, bool]:
        """Ask the guards of steps, a few at a time; id -> whether the step holds."""
        if not steps:
            return {}
        _, said = self.run(guards(steps, self.scripts), PATIENCE)
        return holding(steps, said)

    def stage(self, stage: Stage, *, anew: bool) -> None:
        """Make the steps of a stage hold; ``anew`` asks their guards again first."""
        steps = self.plan.of(stage)
        if not steps:
            return
        if anew:
            self.known |= self.ask(steps)
        if stage is Stage.PACKAGES:
            self._packages([step for step in steps if isinstance(step, Packages)])
            return
        groups: dict[str, list[AnyStep]] = {}
        for step in steps:
            groups.setdefault(step.group if stage.side_by_side else "", []).append(step)
        pool = Pool(SIDE_BY_SIDE)
        pool.map(self._group, groups.values())

    def _group(self, steps: Sequence[AnyStep]) -> None:
        moved = started = False
        for step in steps:
            began = time.monotonic()
            holds = self.known[step.id] and not caused(step, self.changed)
            # What held may hold no more, and what a service didn't answer for while it was down may hold.
            if (moved and holds) or (started and not caused(step, self.changed)):
                holds = self.ask([step])[step.id]
            ok, said = (True, "") if holds else self.run(_strict(self.scripts[step.id]), step.limit)
            moved = moved or not holds
            started = started or (isinstance(step, Service) and not holds)
            self.finish(step, changed=not holds, ok=ok, seconds=time.monotonic() - began, said=said)
            if not ok:
                return

    def _packages(self, steps: Sequence[Packages]) -> None:
        """Install what is missing in one transaction."""
        missing = [step for step in steps if not self.known[step.id]]
        began = time.monotonic()
        ok, said = True, ""
        if missing:
            limit = max(step.limit for step in missing)
            ok, said = self.run(_strict(package_scripts(*missing)), limit)
        seconds = (time.monotonic() - began) / max(1, len(missing))
        for step in steps:
            change = step in missing
            self.finish(
                step, changed=change, ok=ok or not change, seconds=seconds if change else 0, said=said
            )

    def finish(self, step: AnyStep, *, changed: bool, ok: bool, seconds: float, said: str) -> None:
        """Note what a step did and tell it."""
        if changed:
            self.changed.add(step.id)
        if not ok:
            self.failed = True
        error = None if ok else self.masked("\n".join(said.splitlines()[-_SHOWN:]))
        self.tell(step, changed=changed, ok=ok, seconds=seconds, error=error)

    def tell(
        self,
        step: AnyStep,
        *,
        changed: bool,
        ok: bool,
        seconds: float,
        error: str | None = None,
    ) -> None:
        """Write a result for the parent, and a line for the log."""
        result = StepResult(
            host=self.plan.host,
            id=step.id,
            title=step.title,
            changed=changed,
            ok=ok,
            seconds=seconds,
            error=error,
        )
        print(result.model_dump_json(), file=self.results, flush=True)
        state = "failed" if not ok else "changed" if changed else "held"
        now = time.strftime("%H:%M:%S", time.gmtime())
        line = f"{now} {self.plan.host} {step.id} {state} {seconds:.2f} s {error or ''}".rstrip()
        print(line, file=sys.stderr, flush=True)

    def masked(self, text: str) -> str:
        """Hide secrets that a program on the host may have printed, in any form that a step has them in."""
        for secret in self.secrets:
            text = text.replace(secret, HIDDEN)
        return text


def _strict(scripts: Scripts) -> Shell:
    return lines([sh("set -euo pipefail"), scripts.make])


def work() -> int:
    """Read a job from standard input, do it, and return the exit status."""
    # A second run must not meet what a first one still does whose command was killed.
    die_with_parent(signal.SIGTERM)
    job = json.load(sys.stdin)
    if job["log"] is not None:
        os.dup2(os.open(job["log"], os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC), 2)
    # Standard output carries results alone; whatever a library prints goes to the log.
    results = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    plans = [Plan.model_validate(value) for value in job["plans"]]
    targets = [Target.model_validate(value) for value in job["targets"]]
    logger.addHandler(logging.StreamHandler(sys.stderr))
    logger.setLevel(logging.WARNING)
    logger.propagate = False

    hosts = []
    for target in targets:
        data: dict[str, object] = {"ssh_user": target.user, "ssh_strict_host_key_checking": "yes"}
        if target.ssh_config is not None:
            data["ssh_config_file"] = target.ssh_config
        hosts.append((_LOCAL if target.local else target.host, data))
    mend_proxies()
    state = State(Inventory((hosts, {})), Config(CONNECT_TIMEOUT=20, DIFF=False))
    try:
        connect_all(state)
    except PyinfraError as error:
        print(f"{', '.join(t.host for t in targets)} can't be reached over SSH: {error}", file=sys.stderr)
        return 1
    try:
        for (name, _), target in zip(hosts, targets, strict=True):
            if not target.local:
                watch(state.inventory.get_host(name))
        secrets = hidden(plans, job["secrets"])
        nodes = [
            _Node(state.inventory.get_host(name), plan, results, secrets, sudo=needs_sudo(target))
            for (name, _), target, plan in zip(hosts, targets, plans, strict=True)
        ]
        _apply(nodes)
        return 0
    finally:
        disconnect_all(state)


def _apply(nodes: Sequence[_Node]) -> None:
    def know(node: _Node) -> None:
        node.known = node.ask(node.plan.steps)

    gevent.joinall([gevent.spawn(know, node) for node in nodes], raise_error=True)
    for stage in Stage:
        anew = any(node.changed for node in nodes)
        gevent.joinall([gevent.spawn(node.stage, stage, anew=anew) for node in nodes], raise_error=True)
        if any(node.failed for node in nodes):
            return
