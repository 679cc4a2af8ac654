"""Running other programs: captured output, time limits, and an error that shows the last lines."""

from __future__ import annotations

import contextlib
import os
import shlex
import signal
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from rdo.common.errors import RdoError

# Seconds between looks at a running program, and for how long its output may outlive it: a process that it
# left in the background keeps the pipes open.
_LOOK, _GRACE = 0.5, 2.0

# Programs that run now, by process id. They run outside of our own process group, so a terminal's Ctrl-C
# doesn't reach them by itself. Whoever holds the lock sees all that were started.
_running: dict[int, subprocess.Popen[bytes]] = {}
_starting = threading.RLock()


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
    variables: Mapping[str, str] | None = None,
    timeout: float | None = None,
) -> Completed:
    """Run a program to its end and return what it wrote.

    It runs in a new session, without a terminal. Whatever ends the wait for it early, a time limit or
    Ctrl-C, kills it and all processes of its session's group. What it leaves in the background goes on after
    its own end, but isn't waited for.

    :param check: raise when the exit status is not 0
    :param env: all of its environment, instead of this process's
    :param variables: what it gets beside this process's environment
    :param timeout: seconds; the program is killed after them
    :raises CommandError: it could not be started, ran out of time, or (with ``check``) failed
    """
    try:
        with _starting:
            process = subprocess.Popen(
                list(command),
                stdin=subprocess.DEVNULL if input is None else subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                cwd=cwd,
                env=_environment(env, variables),
                start_new_session=True,
            )
            _running[process.pid] = process
    except FileNotFoundError as error:
        raise CommandError(command, None, "", f"not found ({error.filename})") from error
    except PermissionError as error:
        raise CommandError(command, None, "", f"may not be run ({error.filename})") from error
    try:
        stdout, stderr, in_time = _collect(process, None if input is None else input.encode(), timeout)
    finally:
        _kill(process)
        del _running[process.pid]
        # sudo's processes are another user's: they can't be killed, so they aren't waited for without end.
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_GRACE)
        for pipe in (process.stdin, process.stdout, process.stderr):
            if pipe is not None:
                with contextlib.suppress(BrokenPipeError):
                    pipe.close()
    if not in_time:
        raise CommandError(command, None, stdout + stderr, f"no end after {timeout:g} s")
    if check and process.returncode != 0:
        raise CommandError(command, process.returncode, stdout + stderr, f"exit {process.returncode}")
    return Completed(process.returncode, stdout, stderr)


def end_programs() -> None:
    """Kill the programs that :func:`run` waits for in any thread, for handlers of signals.

    A pool of threads that wait for programs would otherwise hold up Ctrl-C until the last program's end.
    """
    locked = _starting.acquire(timeout=_GRACE)
    try:
        for process in list(_running.values()):
            _kill(process)
    finally:
        if locked:
            _starting.release()


def end_programs_with_us() -> None:
    """From now on, let each signal that ends this process call :func:`end_programs` first.

    Call it in the main thread, before anything else sets handlers of signals.
    """
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) in (signal.SIG_DFL, signal.default_int_handler):
            signal.signal(number, _end)


def _end(number: int, frame: FrameType | None) -> None:
    end_programs()
    if number == signal.SIGINT:
        signal.default_int_handler(number, frame)
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)


def _environment(env: Mapping[str, str] | None, variables: Mapping[str, str] | None) -> dict[str, str] | None:
    if variables is None:
        return None if env is None else dict(env)
    return {**(os.environ if env is None else env), **variables}


def _collect(
    process: subprocess.Popen[bytes], input: bytes | None, timeout: float | None
) -> tuple[str, str, bool]:
    """Return both outputs, and whether the program ended in time; kill it if it didn't."""
    started, in_time = time.monotonic(), True
    ends: float | None = None  # when to give up on output that others than the program keep open
    while True:
        try:
            stdout, stderr = process.communicate(input, timeout=_LOOK)
        except subprocess.TimeoutExpired as waiting:
            now, input = time.monotonic(), None
            if ends is not None and now > ends:
                return _text(waiting.output), _text(waiting.stderr), in_time
            if ends is None and process.poll() is not None:
                ends = now + _GRACE
            elif ends is None and timeout is not None and now - started > timeout:
                in_time = False
                _kill(process)
                ends = now + _GRACE
        else:
            return _text(stdout), _text(stderr), in_time


def _kill(process: subprocess.Popen[bytes]) -> None:
    """Kill a program's process group; nothing where the program has been waited for."""
    if process.poll() is None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)


def _text(output: bytes | str | None) -> str:
    """Decode output, with line ends as Python's text files have them."""
    text = output.decode(errors="replace") if isinstance(output, bytes) else output or ""
    return text.replace("\r\n", "\n").replace("\r", "\n")
