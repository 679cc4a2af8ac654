"""Applying plans to their hosts over SSH.

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
from typing import Self

from pydantic import BaseModel

from rdo.cloud.plan import ApplyReport, Plan, StepResult, Target
from rdo.cloud.texts import Text
from rdo.common.errors import RdoError
from rdo.common.files import make_folder

_GRACE = 60.0
"""Seconds for the end of the process."""
Reporter = Callable[[StepResult], None]


class ApplyError(RdoError):
    """A host could not be reached, or the process that applies died."""


def _with_secrets(value: object) -> object:
    """Dump models with their secrets in clear: for the pipe to our own child only."""
    if isinstance(value, Text):
        return list(value.pieces)
    if isinstance(value, BaseModel):
        return {name: _with_secrets(getattr(value, name)) for name in type(value).model_fields}
    if isinstance(value, Mapping):
        return {name: _with_secrets(item) for name, item in value.items()}
    if isinstance(value, tuple | list):
        return [_with_secrets(item) for item in value]
    return value


class Applier:
    """The process that applies plans. It takes a second to load, while its parent works plans out.

    It is good for one :meth:`apply`, and ends with the ``with`` statement if none came.
    """

    def __init__(self) -> None:
        self._words = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the process
        self._child = subprocess.Popen(
            [sys.executable, "-m", "rdo.cloud.apply"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._words,
            text=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._child.poll() is None:
            self._child.kill()
        # what it had not read is lost with it
        with contextlib.suppress(BrokenPipeError):
            self._child.__exit__(None, None, None)
        self._words.close()

    def apply(
        self,
        plans: Sequence[Plan],
        targets: Sequence[Target],
        *,
        secrets: Sequence[str] = (),
        report: Reporter | None = None,
        log: Path | None = None,
    ) -> ApplyReport:
        """Make plans hold on their hosts, stage by stage, and stop after the stage in which a step fails.

        :param targets: how each plan's host is reached
        :param secrets: what is masked wherever programs on the hosts print it
        :param report: told of each step when it is done
        :param log: file for what the steps printed, a new one; secrets are never among it
        :raises ApplyError: a host can't be reached
        """
        job = json.dumps(
            {
                "plans": [_with_secrets(plan) for plan in plans],
                "targets": [_with_secrets(target) for target in targets],
                "secrets": list(secrets),
                "log": None if log is None else str(log.absolute()),
            }
        )
        if log is not None:
            make_folder(log.parent, private=True)
            os.close(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600))
        child = self._child
        assert child.stdin is not None and child.stdout is not None
        results: list[StepResult] = []
        # A child that died at once says why in its words; the broken pipe says nothing.
        with contextlib.suppress(BrokenPipeError):
            child.stdin.write(job)
            child.stdin.close()
        for line in child.stdout:
            results.append(StepResult.model_validate_json(line))
            if report is not None:
                report(results[-1])
        # it has closed its results, and has only connections to end
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(_GRACE)
        if child.poll() != 0:
            hosts = ", ".join(plan.host for plan in plans)
            raise ApplyError(f"The plan of {hosts} could not be applied.\n{self._last_words(log)}")
        return ApplyReport(steps=tuple(results))

    def _last_words(self, log: Path | None) -> str:
        self._words.seek(0)
        said = self._words.read() + (b"" if log is None else log.read_bytes())
        return "\n".join(said.decode(errors="replace").strip().splitlines()[-8:])


if __name__ == "__main__":
    from rdo.cloud.worker import work

    sys.exit(work())
