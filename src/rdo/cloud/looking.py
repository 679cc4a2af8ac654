"""Looking which steps of a plan hold: all guards of a host in one script, and what a plan would change.

Guards are asked in one go, so that a cloud where all holds costs one command on each host.
"""

from __future__ import annotations

import itertools
import re
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

from rdo.cloud.apply import ApplyError, Reporter
from rdo.cloud.differences import difference_script, hidden, read_difference
from rdo.cloud.operations import Scripts, facts, objects_look, scripts_for
from rdo.cloud.plan import AnyStep, ApplyReport, Objects, Plan, Service, StepResult, Target
from rdo.cloud.shell import Shell, lines, sh
from rdo.cloud.ssh import run_on
from rdo.common.process import CommandError

#: Seconds for all guards of a host; what has not been told by then is taken not to hold.
PATIENCE = 180
#: How many groups of steps, and how many guards, run at once on a host.
SIDE_BY_SIDE = 4
_HOLDS = re.compile(r"rdo-holds:(\d+)")
_THERE = re.compile(r"rdo-there:(\d+)")


def all_scripts(plan: Plan) -> dict[str, Scripts]:
    """Return the scripts of each step, by id."""
    earlier = {step.id: step for step in plan.steps}
    return {step.id: scripts_for(step, earlier) for step in plan.steps}


def guards(steps: Sequence[AnyStep], scripts: Mapping[str, Scripts]) -> Shell:
    """Return a script that asks the guards of steps, a few at a time; :func:`holding` reads what it prints.

    :param steps: those of a whole plan, those of one of its stages, or a single one
    """
    parts = []
    objects = [step for step in steps if isinstance(step, Objects)]
    if objects:
        # What asks APIs takes longest, one answer after the other: it begins first, and the rest, many short
        # processes, lets it through.
        parts.append(
            sh(
                """
                (
                %(look)s
                ) </dev/null 2>/dev/null | sed -n 's/^there: /rdo-there:/p' &
                renice -n 10 $BASHPID >/dev/null
                """,
                look=objects_look(objects),
            )
        )
    parts.append(facts(steps))
    parts.append(sh("rdo_count=0\nrdo_ask() { ((rdo_count++ < %(most)s)) || wait -n; }", most=SIDE_BY_SIDE))
    for number, step in enumerate(steps):
        if isinstance(step, Objects):
            continue
        # In a condition bash would ignore a guard's own `set -e`; hence the status afterwards.
        parts.append(
            sh(
                """
                rdo_ask
                { (
                %(guard)s
                ) </dev/null >/dev/null 2>&1; [ $? -ne 0 ] || echo %(told)s; } &
                """,
                guard=scripts[step.id].guard,
                told=f"rdo-holds:{number}",
            )
        )
    return lines([*parts, sh("wait\n")])


def holding(steps: Sequence[AnyStep], said: str) -> dict[str, bool]:
    """Return id -> whether the step holds, by what :func:`guards` has printed."""
    objects = [step for step in steps if isinstance(step, Objects)]
    held = {steps[int(number)].id for number in _HOLDS.findall(said)}
    held |= {objects[int(number)].id for number in _THERE.findall(said)}
    return {step.id: step.id in held for step in steps}


def caused(step: AnyStep, changed: set[str]) -> bool:
    """Tell whether a step is a service that has to start again for what changed."""
    return isinstance(step, Service) and not changed.isdisjoint(step.restart_after)


def look(
    plans: Sequence[Plan],
    targets: Sequence[Target],
    *,
    secrets: Sequence[str] = (),
    report: Reporter | None = None,
) -> ApplyReport:
    """Tell of each step whether it would change something, with the difference in files; changes nothing.

    What follows from steps that have not run can't be looked at yet.

    :param targets: how each plan's host is reached
    :param secrets: what is hidden in files besides that which stands at a secret's place
    :param report: told of each step
    :raises ApplyError: a host can't be reached
    """
    known = hidden(plans, secrets)
    with ThreadPoolExecutor(max_workers=16) as pool:
        rows = zip(plans, targets, strict=True)
        found = pool.map(lambda row: _look(row[0], row[1], known), rows)
        results: list[StepResult] = []
        for one in itertools.chain.from_iterable(found):
            results.append(one)
            if report is not None:
                report(one)
    return ApplyReport(steps=tuple(results))


def _look(plan: Plan, target: Target, secrets: Sequence[str]) -> list[StepResult]:
    began = time.monotonic()
    known = holding(plan.steps, _said(plan, target, guards(plan.steps, all_scripts(plan))))
    needed = [step for step in plan.steps if not known[step.id]]
    shown = {}
    if needed:
        shown = read_difference(_said(plan, target, difference_script(needed)), needed, secrets)
    seconds = (time.monotonic() - began) / max(1, len(plan.steps))
    changed: set[str] = set()
    rows = []
    for step in plan.steps:
        if not known[step.id] or caused(step, changed):
            changed.add(step.id)
        rows.append(
            StepResult(
                host=plan.host,
                id=step.id,
                title=step.title,
                changed=step.id in changed,
                ok=True,
                seconds=seconds,
                difference=shown.get(step.id),
            )
        )
    return rows


def _said(plan: Plan, target: Target, script: Shell) -> str:
    try:
        done = run_on(target, script, timeout=PATIENCE)
    except CommandError as error:
        raise ApplyError(f"{plan.host} does not answer: {error.output.strip() or 'no end'}") from error
    if done.status != 0:
        words = done.stderr.strip().splitlines() or ["no answer"]
        raise ApplyError(f"{plan.host} can't be reached over SSH: {words[-1]}")
    return done.stdout
