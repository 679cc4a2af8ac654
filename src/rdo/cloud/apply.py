"""Applying a plan to its host over SSH, and looking what it would change.

pyinfra brings gevent, which patches the standard library of its process; so it runs in a process of its own
(``python -m rdo.cloud.apply``) that reads a job from standard input, where its secrets are safe, and writes
one JSON line a step.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from pydantic import BaseModel, SecretStr

from rdo.cloud.plan import ApplyReport, Plan, StepResult, Target
from rdo.common.errors import RdoError

Reporter = Callable[[StepResult], None]


class ApplyError(RdoError):
    """A host could not be reached, or the process that applies died."""


def _with_secrets(value: object) -> object:
    """Dump models with their secrets in clear: for the pipe to our own child only."""
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    if isinstance(value, BaseModel):
        return {name: _with_secrets(getattr(value, name)) for name in type(value).model_fields}
    if isinstance(value, tuple | list):
        return [_with_secrets(item) for item in value]
    return value


def apply(
    plan: Plan,
    target: Target,
    *,
    dry_run: bool = False,
    report: Reporter | None = None,
    log: Path | None = None,
) -> ApplyReport:
    """Make a plan hold on its host, step by step, and stop at the first step that fails.

    :param dry_run: change nothing; a step's ``changed`` then says that it would change something, as far as
        can be told before the steps above it have run
    :param report: told of each step when it is done
    :param log: file for what the steps printed; secrets are never among it
    :raises ApplyError: the host can't be reached
    """
    job = json.dumps({"plan": _with_secrets(plan), "target": _with_secrets(target), "dry_run": dry_run})
    results: list[StepResult] = []
    with subprocess.Popen(
        [sys.executable, "-m", "rdo.cloud.apply"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE if log is None else _open_log(log),
        text=True,
    ) as child:
        assert child.stdin is not None and child.stdout is not None
        child.stdin.write(job)
        child.stdin.close()
        for result in _results(child.stdout):
            results.append(result)
            if report is not None:
                report(result)
        errors = child.stderr.read() if child.stderr is not None else ""
    if child.returncode != 0:
        tail = "\n".join((errors or (log.read_text() if log else "")).strip().splitlines()[-8:])
        raise ApplyError(f"The plan of {plan.host} could not be applied.\n{tail}")
    return ApplyReport(host=plan.host, steps=tuple(results))


def _open_log(log: Path) -> int:
    import os

    log.parent.mkdir(parents=True, exist_ok=True)
    return os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)


def _results(lines: Iterable[str]) -> Iterator[StepResult]:
    for line in lines:
        yield StepResult.model_validate_json(line)


if __name__ == "__main__":
    from rdo.cloud.worker import work

    sys.exit(work())
