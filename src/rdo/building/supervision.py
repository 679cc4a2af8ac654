"""Watching over one sealed command: its input and output, its limits, and a verdict that it can't forge."""

from __future__ import annotations

import contextlib
import os
import selectors
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from rdo.building.enforcement import Enforcer
from rdo.building.limits import Limits, SandboxError, SealedResult, size

_TAIL = 64 << 10
_LOOK = 0.25  # seconds between two looks at what a command uses
_PATIENCE = 30.0  # seconds that a killed sandbox may take to end
_SHORT_OF_MEMORY = "Run it again with fewer --jobs, or on a machine with more memory."


@dataclass(frozen=True)
class Chain:
    """The processes of a sandbox, to be started.

    Its standard output is the command's. Its standard error is the channel of the verdict: the lines
    ``prepared`` when the command's time comes, ``status N`` when it has ended, and ``collected`` at the end.
    Only programs of this machine have that channel; nothing inside gets it.

    :param mount: where the private tmpfs is mounted, in the mount namespace of the first process's child
    :param folders: folders of the machine's disk that it can write to
    """

    command: Sequence[str]
    environment: Mapping[str, str]
    mount: Path
    folders: Sequence[Path] = ()


def supervise(
    chain: Chain, enforcer: Enforcer, limits: Limits, *, log: Path | None = None, input: bytes | None = None
) -> SealedResult:
    """Run a sandbox to its end; kill all of it at the first limit that it meets.

    :param log: file that gets the command's output
    :raises SandboxError: the sandbox or the machine failed, not the command
    """
    try:
        process = subprocess.Popen(
            list(chain.command),
            env=dict(chain.environment),
            cwd="/",
            stdin=subprocess.DEVNULL if input is None else subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
    except FileNotFoundError as error:
        raise SandboxError(
            f"{error.filename} is not installed.", hint="`rdo doctor` says what to install."
        ) from error
    try:
        with contextlib.ExitStack() as stack:
            sink = None
            if log is not None:
                log.parent.mkdir(parents=True, exist_ok=True)
                sink = stack.enter_context(log.open("wb"))
            watch = _Watch(process, chain, enforcer, limits, sink, input or b"")
            watch.go()
        process.wait(_PATIENCE)
    finally:
        if process.poll() is None:
            process.kill()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(_PATIENCE)
        for pipe in (process.stdin, process.stdout, process.stderr):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()
    return watch.verdict()


@dataclass
class _Watch:
    """One command while it runs."""

    process: subprocess.Popen[bytes]
    chain: Chain
    enforcer: Enforcer
    limits: Limits
    sink: IO[bytes] | None
    input: bytes
    began: float = field(default_factory=time.monotonic)
    tail: bytearray = field(default_factory=bytearray)
    channel: bytearray = field(default_factory=bytearray)
    written: int = 0
    timed_out: bool = False
    flooded: bool = False
    limit: str | None = None
    give_up: float = 0.0
    next_measure: float = 0.0
    there: int = 0

    def __post_init__(self) -> None:
        # what other commands have put into the folders doesn't count
        self.there = sum(map(_disk_usage, self.chain.folders))

    def go(self) -> None:
        """Write its input, read its output until all of it has ended, and kill it at a limit.

        Killing ``unshare`` kills PID 1 of the namespace and so everything in it; the end of both streams then
        says that all of them are gone.
        """
        next_look = self.began
        with selectors.DefaultSelector() as selector:
            self._register(selector)
            while selector.get_map().keys() - {self._stdin()}:
                for key, _ in selector.select(max(next_look - time.monotonic(), 0)):
                    if key.data(key.fd):
                        selector.unregister(key.fileobj)
                        key.fileobj.close()  # type: ignore[union-attr]
                if (now := time.monotonic()) >= next_look:
                    self._look(now)
                    next_look = now + _LOOK
        self.limit = self.limit or self.enforcer.met(self.process.pid, 0) or self._too_much_on_disk()
        if self.limit is not None:
            line = f"\nsandbox: {self.limit}\n".encode()
            self.tail += line
            if self.sink is not None:
                self.sink.write(line)

    def verdict(self) -> SealedResult:
        """Return how the command ended.

        :raises SandboxError: it wasn't the command that ended the sandbox
        """
        text = bytes(self.tail[-_TAIL:]).decode(errors="replace")
        lines = self.channel.decode(errors="replace").splitlines()
        statuses = [int(line.removeprefix("status ")) for line in lines if line.startswith("status ")]
        status = statuses[0] if statuses else None
        said = text.strip()[-2000:] or "no program said why"
        if "prepared" not in lines:
            words = self.channel.decode(errors="replace").strip()
            what = "\n".join(filter(None, (words, said)))
            raise SandboxError(f"A sandbox can't be set up here: {what}", hint=self._memory_hint())
        if self.limit is None and status != 0 and self.enforcer.machine_short():
            raise SandboxError(
                "The machine ran out of memory, and the kernel ended processes, while this ran.",
                hint=_SHORT_OF_MEMORY,
            )
        if self.limit is None and status is None:
            raise SandboxError(f"Something ended a sandbox in the middle of its work: {said}")
        if self.limit is None and "collected" not in lines:
            raise SandboxError(f"What was made in a sandbox can't be copied out: {said}")
        return SealedResult(
            status=137 if status is None else status,
            seconds=time.monotonic() - self.began,
            timed_out=self.timed_out,
            flooded=self.flooded,
            tail=text,
            limit=self.limit,
        )

    def _memory_hint(self) -> str | None:
        return _SHORT_OF_MEMORY if self.enforcer.machine_short() else None

    def _stdin(self) -> int:
        return -1 if self.process.stdin is None or self.process.stdin.closed else self.process.stdin.fileno()

    def _register(self, selector: selectors.BaseSelector) -> None:
        process = self.process
        assert process.stdout is not None and process.stderr is not None
        selector.register(process.stdout, selectors.EVENT_READ, self._read)
        selector.register(process.stderr, selectors.EVENT_READ, self._read_channel)
        if process.stdin is not None:
            os.set_blocking(process.stdin.fileno(), False)
            selector.register(process.stdin, selectors.EVENT_WRITE, self._write)

    def _read(self, descriptor: int) -> bool:
        """Take some output; return whether it has ended."""
        block = os.read(descriptor, 1 << 16)
        self.tail += block
        if len(self.tail) > 4 * _TAIL:
            del self.tail[:-_TAIL]
        if self.written < self.limits.log:
            self.written += len(block)
            if self.sink is not None:
                self.sink.write(block)
        elif block and self.limit is None:
            self.flooded = True
            self._kill(f"It wrote more than {size(self.limits.log)} of log and was killed.")
        return not block

    def _read_channel(self, descriptor: int) -> bool:
        """Take some of the verdict's channel; return whether it has ended."""
        block = os.read(descriptor, 1 << 16)
        self.channel += block[: max(0, _TAIL - len(self.channel))]
        return not block

    def _write(self, descriptor: int) -> bool:
        """Write some input; return whether it is all written, or nobody reads it any more."""
        try:
            self.input = self.input[os.write(descriptor, self.input[: 1 << 16]) :]
        except BlockingIOError:
            return False
        except BrokenPipeError:
            return True
        return not self.input

    def _look(self, now: float) -> None:
        """Look at the limits, and kill everything at the first that is met."""
        if self.limit is not None:
            if now > self.give_up and self.process.poll() is None:
                raise SandboxError(f"A sandbox did not end within {_PATIENCE:g} seconds of being killed.")
            return
        if now - self.began > self.limits.timeout:
            self.timed_out = True
            self._kill(f"No end after {self.limits.timeout:g} s; it was killed.")
        elif met := self._met(now):
            self._kill(met)

    def _met(self, now: float) -> str | None:
        files = self._files()
        used = 0 if files is None else (files.f_blocks - files.f_bfree) * files.f_frsize
        if met := self.enforcer.met(self.process.pid, used):
            return met
        if files is not None and b"prepared" in self.channel and not (files.f_bfree and files.f_ffree):
            what = size(self.limits.files) if not files.f_bfree else f"{self.limits.inodes} files"
            return f"It filled its space of {what} (No space left on device) and was killed."
        if self.chain.folders and now >= self.next_measure:
            too_much = self._too_much_on_disk()
            self.next_measure = now + max(2.0, 20 * (time.monotonic() - now))
            return too_much
        return None

    def _too_much_on_disk(self) -> str | None:
        if sum(map(_disk_usage, self.chain.folders)) - self.there > self.limits.disk:
            return f"It wrote more than {size(self.limits.disk)} to the disk and was killed."
        return None

    def _files(self) -> os.statvfs_result | None:
        """Return the state of the sandbox's memory-backed file system, None where it isn't mounted (yet)."""
        pid, mount = self.process.pid, self.chain.mount
        with contextlib.suppress(OSError):
            for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
                inside = Path(f"/proc/{child}/root{mount}")
                if inside.stat().st_dev != mount.stat().st_dev:
                    return os.statvfs(inside)
        return None

    def _kill(self, limit: str) -> None:
        self.limit, self.give_up = limit, time.monotonic() + _PATIENCE
        self.process.kill()


def _disk_usage(folder: Path) -> int:
    """Return the bytes that a folder's files take on the disk, as far as they can be read meanwhile.

    Holes count as if they were filled: a copy of the file, in the store for example, may have none.
    """
    total, waiting = 0, [os.fspath(folder)]
    while waiting:
        with contextlib.suppress(OSError), os.scandir(waiting.pop()) as entries:
            for entry in entries:
                with contextlib.suppress(OSError):
                    stat = entry.stat(follow_symlinks=False)
                    total += max(stat.st_size, stat.st_blocks * 512)
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(entry.path)
    return total
