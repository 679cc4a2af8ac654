"""Running other programs: captured output, time limits, and an error that shows the last lines."""

from __future__ import annotations

import shlex
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rdo.common.errors import RdoError


class CommandError(RdoError):
    """A program failed, could not be started, or ran out of time."""

    def __init__(self, command: Sequence[str], status: int | None, output: str, reason: str) -> None:
        tail = "\n".join(output.strip().splitlines()[-15:])
        super().__init__(f"{shlex.join(command)}: {reason}" + (f"\n{tail}" if tail else ""))
        self.command = list(command)
        self.status = status
        self.output = output


@dataclass(frozen=True)
class Completed:
    """A program that has ended: its exit status, and what it wrote as text."""

    status: int
    stdout: str
    stderr: str


def run(
    command: Sequence[str],
    *,
    check: bool = True,
    input: str | None = None,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    timeout: float | None = None,
) -> Completed:
    """Run a program to its end and return what it wrote.

    :param check: raise when the exit status is not 0
    :param timeout: seconds; the program is killed after them
    :raises CommandError: it could not be started, ran out of time, or (with ``check``) failed
    """
    try:
        done = subprocess.run(
            list(command),
            input=input,
            stdin=subprocess.DEVNULL if input is None else None,
            capture_output=True,
            text=True,
            errors="replace",
            cwd=cwd,
            env=None if env is None else dict(env),
            timeout=timeout,
            check=False,
        )
    except FileNotFoundError as error:
        raise CommandError(command, None, "", f"not found ({error.filename})") from error
    except PermissionError as error:
        raise CommandError(command, None, "", f"may not be run ({error.filename})") from error
    except subprocess.TimeoutExpired as error:
        output = error.stdout or b""
        text = output.decode(errors="replace") if isinstance(output, bytes) else output
        raise CommandError(command, None, text, f"no end after {timeout:g} s") from error
    if check and done.returncode != 0:
        raise CommandError(command, done.returncode, done.stdout + done.stderr, f"exit {done.returncode}")
    return Completed(done.returncode, done.stdout, done.stderr)
