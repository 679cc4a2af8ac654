"""Control groups of this machine: where this process's own ones lie, and groups made for one command.

Facts are from the kernel's ``cgroup-v1/pids``, ``cgroup-v1/memory`` and ``cgroup-v2`` documents, and from
systemd.resource-control(5).
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from rdo.building.limits import Limits, size
from rdo.building.owner import owner_mark
from rdo.common.files import sha256_bytes

_NEEDED, _WISHED = ("pids", "memory"), "cpu"
_SLACK = 4 << 20  # the kernel charges memory ahead, in batches for each processor
_PATIENCE = 5.0  # seconds that killed processes may take to leave their group

_NAME = re.compile(r"^rdo-([0-9a-f]+)-(\d+)-(\d+-\d+)-\d+$")


class CgroupV1:
    """Child groups of the hierarchies ``pids``, ``memory`` and ``cpu``, below this process's own groups.

    :param parents: this process's own group in each hierarchy (see :func:`own_groups`)
    :raises OSError: a group can't be made
    """

    rlimit = False

    def __init__(self, limits: Limits, name: str, parents: dict[str, Path]) -> None:
        self._limits = limits
        self._folders = {kind: parent / name for kind, parent in parents.items()}
        try:
            for folder in self._folders.values():
                folder.mkdir()
            self._write("pids", "pids.max", limits.processes)
            self._write("memory", "memory.limit_in_bytes", limits.memory)
            with contextlib.suppress(OSError):  # absent where the kernel doesn't count swap
                self._write("memory", "memory.memsw.limit_in_bytes", limits.memory)
            if _WISHED in self._folders:
                self._write(_WISHED, "cpu.shares", 1024)
        except OSError:
            self.close()
            raise

    @property
    def groups(self) -> tuple[Path, ...]:
        """Folders whose ``cgroup.procs`` the first process of the command writes its id to."""
        return tuple(self._folders.values())

    def met(self, _pid: int, _files: int) -> str | None:
        """Return a sentence that says which limit was met, or None if none was."""
        if _counter(self._folders["pids"] / "pids.events", "max"):
            return too_many(self._limits)
        if self._killed() and self._full():
            return too_much(self._limits)
        return None

    def machine_short(self) -> bool:
        """Return whether the kernel ended a process of the command since the whole machine had no memory."""
        return self._killed() > 0 and not self._full()

    def close(self) -> None:
        """Remove the groups and end what is left in them."""
        for folder in self._folders.values():
            remove_group(folder)

    def _killed(self) -> int:
        return _counter(self._folders["memory"] / "memory.oom_control", "oom_kill")

    def _full(self) -> bool:
        most = int((self._folders["memory"] / "memory.max_usage_in_bytes").read_text())
        return most + _SLACK >= self._limits.memory

    def _write(self, kind: str, file: str, value: int) -> None:
        (self._folders[kind] / file).write_text(f"{value}\n")


class SystemdScope:
    """A transient scope of systemd on cgroup v2. A process that waits on our pipe keeps it alive.

    Without that process systemd would remove the scope, and its counters, with the command's last process.

    :raises OSError: systemd doesn't make the scope
    """

    rlimit = False

    def __init__(self, limits: Limits, name: str, mount: Path) -> None:
        self._limits = limits
        # Delegate=yes: systemd leaves a scope alone in which the kernel ended a process for its memory.
        properties = [f"MemoryMax={limits.memory}", "MemorySwapMax=0", f"TasksMax={limits.processes + 1}"]
        words = [word for one in (*properties, "CPUWeight=100", "Delegate=yes") for word in ("-p", one)]
        command = ["systemd-run", "--scope", "--quiet", "--collect", f"--unit={name}", *words]
        self._holder = subprocess.Popen(
            [*command, "--", "sh", "-c", "echo; exec cat"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        assert self._holder.stdout is not None
        try:
            if not _readable(self._holder.stdout.fileno(), 30) or not self._holder.stdout.readline():
                raise OSError("systemd-run made no scope")
            path = Path(f"/proc/{self._holder.pid}/cgroup").read_text().rpartition("0::/")[2].strip()
            self._folder = mount / path
            if name not in path:
                raise OSError(f"systemd-run left the process in {path}")
        except OSError:
            self.close()
            raise

    @property
    def groups(self) -> tuple[Path, ...]:
        """Folders whose ``cgroup.procs`` the first process of the command writes its id to."""
        return (self._folder,)

    def met(self, _pid: int, _files: int) -> str | None:
        """Return a sentence that says which limit was met, or None if none was."""
        if _counter(self._folder / "pids.events", "max"):
            return too_many(self._limits)
        if self._killed() and self._full():
            return too_much(self._limits)
        return None

    def machine_short(self) -> bool:
        """Return whether the kernel ended a process of the command since the whole machine had no memory."""
        return self._killed() > 0 and not self._full()

    def close(self) -> None:
        """End the process that keeps the scope; systemd then removes it."""
        self._holder.kill()
        with self._holder:
            pass

    def _killed(self) -> int:
        return _counter(self._folder / "memory.events", "oom_kill")

    def _full(self) -> bool:
        return _counter(self._folder / "memory.events", "oom") > 0


def too_many(limits: Limits) -> str:
    """Return the sentence for a command that wanted more processes than it may have."""
    return f"It reached its limit of {limits.processes} processes and was killed."


def too_much(limits: Limits) -> str:
    """Return the sentence for a command that wanted more memory than it may have."""
    return f"It reached its limit of {size(limits.memory)} of memory, its files included, and was killed."


def own_groups() -> dict[str, Path] | None:
    """Return this process's groups of cgroup v1 by hierarchy; None unless pids and memory can be limited."""
    own: dict[str, str] = {}
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        _, kinds, path = line.split(":", 2)
        own |= dict.fromkeys(kinds.split(","), path)
    found = {}
    for root, point, options in _mounts("cgroup"):
        for kind in options & {*_NEEDED, _WISHED} & own.keys():
            if Path(own[kind]).is_relative_to(root):
                found[kind] = Path(point) / Path(own[kind]).relative_to(root)
    return found if all(kind in found for kind in _NEEDED) else None


def unified_mount() -> Path | None:
    """Return where cgroup v2 is mounted, None unless systemd runs here and can limit processes and memory."""
    if not Path("/run/systemd/system").is_dir():
        return None
    for _, point, _ in _mounts("cgroup2"):
        with contextlib.suppress(OSError):
            if set(_NEEDED) <= set((Path(point) / "cgroup.controllers").read_text().split()):
                return Path(point)
    return None


def group_name(scratch: Path, number: int) -> str:
    """Return the name of a group: it has this process's mark, which counts within one PID namespace only.

    :param scratch: the installation's folder of sandboxes, for which a hash stands in the name
    """
    return f"rdo-{_hash(scratch)}-{_pid_namespace()}-{owner_mark()}-{number}"


def leftover_groups(scratch: Path) -> Iterator[tuple[Path, str]]:
    """Yield an installation's groups of cgroup v1, made in this PID namespace, with their owner's mark."""
    own = (_hash(scratch), _pid_namespace())
    for _, point, kinds in _mounts("cgroup"):
        if kinds & {*_NEEDED, _WISHED}:
            # groups come and go meanwhile: walk() passes over those that are gone, rglob() doesn't
            for folder, _, _ in os.walk(point):
                match = _NAME.match(Path(folder).name)
                if match and match.groups()[:2] == own:
                    yield Path(folder), match[3]


def remove_group(folder: Path) -> bool:
    """Remove a group of cgroup v1; kill what is still in it. Return whether it is gone."""
    deadline = time.monotonic() + _PATIENCE
    while True:
        try:
            folder.rmdir()
        except FileNotFoundError:
            return True
        except OSError:
            if time.monotonic() > deadline:
                return False
            with contextlib.suppress(OSError, ValueError):
                for line in (folder / "cgroup.procs").read_text().split():
                    os.kill(int(line), signal.SIGKILL)
            time.sleep(0.02)
        else:
            return True


def _mounts(filesystem: str) -> Iterator[tuple[str, str, set[str]]]:
    """Yield root, mount point and options of each mount of a file system; see proc(5) on mountinfo."""
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        place, _, kind = line.partition(" - ")
        if kind.split()[0] == filesystem:
            yield place.split()[3], place.split()[4], set(kind.split()[2].split(","))


def _hash(scratch: Path) -> str:
    return sha256_bytes(os.fsencode(scratch.resolve()))[:8]


def _pid_namespace() -> str:
    return Path("/proc/self/ns/pid").readlink().name.strip("pid:[]")


def _readable(descriptor: int, seconds: float) -> bool:
    import select

    return bool(select.select([descriptor], [], [], seconds)[0])


def _counter(file: Path, name: str) -> int:
    """Return a counter of a flat-keyed file; 0 where the kernel has none, or its group is gone."""
    with contextlib.suppress(OSError):
        for line in file.read_text().splitlines():
            key, _, value = line.partition(" ")
            if key == name:
                return int(value)
    return 0
