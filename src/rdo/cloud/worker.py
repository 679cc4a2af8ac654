"""The process that applies one plan: pyinfra's state, one host, the steps in order.

Operations are added while pyinfra's state says "executing", which makes each run at once on facts that are
fresh: a step sees what the steps before it did.
"""

from gevent import monkey

monkey.patch_all()

import json  # noqa: E402 - gevent must patch first
import logging  # noqa: E402
import os  # noqa: E402
import sys  # noqa: E402
import time  # noqa: E402
from typing import TextIO  # noqa: E402

from pyinfra import logger  # noqa: E402
from pyinfra.api import Config, Inventory, State  # noqa: E402
from pyinfra.api.connect import connect_all, disconnect_all  # noqa: E402
from pyinfra.api.exceptions import PyinfraError  # noqa: E402
from pyinfra.api.operation import add_op  # noqa: E402
from pyinfra.api.state import StateStage  # noqa: E402

from rdo.cloud.operations import operation_for  # noqa: E402
from rdo.cloud.plan import File, Link, Plan, StepResult, Target  # noqa: E402


class _LastLines(logging.Handler):
    """Keeps what pyinfra says of a step, for the error of the step that fails."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep one message."""
        self.lines.append(record.getMessage())


def work() -> int:
    """Read a job from standard input, do it, and return the exit status."""
    job = json.load(sys.stdin)
    # Standard output carries results alone; whatever a library prints goes to the log.
    results = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    plan = Plan.model_validate(job["plan"])
    target = Target.model_validate(job["target"])
    said = _LastLines()
    logger.addHandler(said)
    logger.addHandler(logging.StreamHandler(sys.stderr))
    logger.setLevel(logging.INFO)
    logger.propagate = False

    data: dict[str, object] = {"ssh_user": target.user, "ssh_strict_host_key_checking": "yes"}
    if target.ssh_config is not None:
        data["ssh_config_file"] = target.ssh_config
    state = State(Inventory(([(target.host, data)], {})), Config(CONNECT_TIMEOUT=20, DIFF=False))
    state.current_stage = StateStage.Prepare
    try:
        connect_all(state)
    except PyinfraError as error:
        print(f"{target.host} can't be reached over SSH: {error}", file=sys.stderr)
        return 1
    try:
        return _run(state, plan, results, dry_run=job["dry_run"], said=said)
    finally:
        disconnect_all(state)


def _run(state: State, plan: Plan, results: TextIO, *, dry_run: bool, said: _LastLines) -> int:
    changed: set[str] = set()
    paths = {step.id: step.path for step in plan.steps if isinstance(step, File | Link)}
    if not dry_run:
        state.current_stage = StateStage.Execute
        state.is_executing = True
    for step in plan.steps:
        said.lines.clear()
        began = time.monotonic()
        function, arguments = operation_for(step, changed, paths)
        try:
            metas = add_op(state, function, name=step.title, **arguments)
        except PyinfraError as error:
            result = StepResult(
                id=step.id,
                title=step.title,
                changed=False,
                ok=False,
                seconds=time.monotonic() - began,
                error="\n".join([*said.lines[-12:], str(error)]),
            )
        else:
            (meta,) = metas.values()
            ok = dry_run or bool(meta.did_succeed())
            did = bool(meta.will_change) if dry_run else bool(meta.did_change())
            result = StepResult(
                id=step.id,
                title=step.title,
                changed=did,
                ok=ok,
                seconds=time.monotonic() - began,
                error=None if ok else "\n".join(said.lines[-12:]),
            )
        if result.changed:
            changed.add(step.id)
        print(result.model_dump_json(), file=results, flush=True)
        if not result.ok:
            break
    return 0
