"""Running flows one after the other within a given time."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from tests.flows.flow import Flow
from tests.flows.inputs import inputs_of
from tests.flows.records import Records
from tests.flows.standing import Standing
from tests.installation import CHECKOUT


@dataclass
class Outcome:
    """What a run of flows did, by the flows' names."""

    passed: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)


def run_flows(
    chosen: Sequence[Standing],
    records: Records,
    run: Callable[[Flow, float], bool],
    *,
    minutes: float | None = None,
    clock: Callable[[], float] = time.monotonic,
    inputs: Callable[[Flow], Mapping[str, str]] = inputs_of,
) -> Outcome:
    """Run flows one after the other and record how each ended.

    A flow that isn't expected to end within the time is left out, and a shorter one after it gets its turn.
    A flow that always runs is never left out.

    :param run: runs a flow, ends it after so many minutes, and returns whether it passed
    :param minutes: how long all of it may take; None: as long as it takes
    :param inputs: reads the inputs again at a flow's end: what changed meanwhile was not what passed
    """
    began, outcome = clock(), Outcome()
    for standing in chosen:
        flow = standing.flow
        elapsed = (clock() - began) / 60
        if minutes is not None and not flow.always and elapsed + standing.minutes > minutes:
            standing.trouble.left_out += 1
            records.remember(flow, standing.trouble)
            outcome.left_out.append(flow.name)
            continue
        flow_began, limit = clock(), 3 * standing.minutes + 10
        if minutes is not None:
            limit = min(limit, max(minutes - elapsed, standing.minutes) + 20)
        if run(flow, limit):
            outcome.passed.append(flow.name)
            if inputs(flow) == standing.inputs:
                records.passed(flow, standing.inputs, clock() - flow_began)
        else:
            outcome.failed.append(flow.name)
            standing.trouble.failed = True
            records.remember(flow, standing.trouble)
    return outcome


def run_with_pytest(flow: Flow, minutes: float) -> bool:
    """Run a flow's tests and return whether there were any and all of them passed.

    :param minutes: the processes are ended after that long
    """
    print(f"== {flow.name}: {' '.join(flow.command[1:])}", flush=True)
    process = subprocess.Popen(flow.command, cwd=CHECKOUT, start_new_session=True)
    try:
        return process.wait(timeout=60 * minutes) == 0
    except subprocess.TimeoutExpired:
        print(f"== {flow.name}: no end after {minutes:.0f} minutes", file=sys.stderr, flush=True)
        return False
    finally:
        _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    """Interrupt a flow, which then destroys its hosts; kill what is left of it after two minutes."""
    for number, seconds in ((signal.SIGINT, 120), (signal.SIGKILL, 10)):
        if process.poll() is not None:
            return
        os.killpg(process.pid, number)
        try:
            process.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            continue
