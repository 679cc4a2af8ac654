"""Applying plans to their hosts over SSH, and looking what they would change.

pyinfra brings gevent, which patches the standard library of its process; so it runs in a process of its own
(``python -m rdo.cloud.apply``) that reads a job from standard input, where its secrets are safe, and writes
one JSON line a step.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO

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
    if isinstance(value, Mapping):
        return {name: _with_secrets(item) for name, item in value.items()}
    if isinstance(value, tuple | list):
        return [_with_secrets(item) for item in value]
    return value


def apply(
    plans: Sequence[Plan],
    targets: Sequence[Target],
    *,
    secrets: Sequence[str] = (),
    dry_run: bool = False,
    report: Reporter | None = None,
    log: Path | None = None,
) -> ApplyReport:
    """Make plans hold on their hosts, stage by stage, and stop after the stage in which a step fails.

    :param targets: how each plan's host is reached
    :param secrets: what is masked wherever programs on the hosts print it
    :param dry_run: change nothing; a step's ``changed`` then says that it would change something, as far as
        can be told before the steps above it have run
    :param report: told of each step when it is done
    :param log: file for what the steps printed; secrets are never among it
    :raises ApplyError: a host can't be reached
    """
    plain = [_with_secrets(plan) for plan in plans]
    job = json.dumps(
        {
            "plans": plain,
            "targets": [_with_secrets(target) for target in targets],
            "dry_run": dry_run,
            "secrets": list(secrets),
        }
    )
    results: list[StepResult] = []
    with _log_file(log) as words:
        child = subprocess.Popen(
            [sys.executable, "-m", "rdo.cloud.apply"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=words,
            text=True,
        )
        with child:
            assert child.stdin is not None and child.stdout is not None
            # A child that died at once says why in its words; the broken pipe says nothing.
            with contextlib.suppress(BrokenPipeError):
                child.stdin.write(job)
                child.stdin.close()
            for line in child.stdout:
                results.append(StepResult.model_validate_json(line))
                if report is not None:
                    report(results[-1])
        if child.returncode != 0:
            words.seek(0)
            tail = "\n".join(words.read().decode(errors="replace").strip().splitlines()[-8:])
            hosts = ", ".join(plan.host for plan in plans)
            raise ApplyError(f"The plan of {hosts} could not be applied.\n{tail}")
    return ApplyReport(steps=tuple(results))


def _log_file(log: Path | None) -> IO[bytes]:
    if log is None:
        return tempfile.TemporaryFile()
    log.parent.mkdir(parents=True, exist_ok=True)
    return os.fdopen(os.open(log, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600), "w+b")


if __name__ == "__main__":
    from rdo.cloud.worker import work

    sys.exit(work())
