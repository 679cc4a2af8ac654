"""Sealed sandboxes: an overlay of read-only layers in which one command runs, cut off from everything.

The chain of processes is ours -> ``unshare`` (private mount and PID namespaces) -> ``bwrap`` (network, IPC
and UTS namespaces, no host files) -> the command. Each link dies with the one before it, by the kernel's
parent-death signal, and the mounts live only in the private mount namespace: a ``kill -9`` of our process
leaves neither processes nor mounts, only a folder of symbolic links that :mod:`rdo.building.cleanup` removes.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import selectors
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Literal

from rdo.common.errors import RdoError
from rdo.common.paths import Paths

BUILD_USER = "mockbuild"
BUILD_HOME = "/builddir"

# overlayfs takes at most 500 lower layers (OVL_MAX_STACK in the kernel's sources).
MAX_LAYERS = 480

_TOOLS = ("setpriv", "prlimit", "unshare", "mount", "bwrap")
_HOST_PATH = "/usr/sbin:/usr/bin:/sbin:/bin"
_counter = itertools.count()

# Runs outside all namespaces. The user id is made from this process's own id, so no two sandboxes share one:
# the limit on the number of processes counts per user id, and a fork bomb must fail alone.
_OUTER = r"""
[ "$PPID" = "$1" ] || { echo "its owner is gone"; echo "sandbox: set-up failed"; exit 125; }
shift
umask 022
exec unshare --mount --pid --fork --kill-child --propagation private --mount-proc -- \
    sh -ec "$INNER" sealed $((200000 + $$)) "$@"
"""

# Runs as PID 1 of the private namespaces. Arguments: uid, work folder, tmpfs options, lowerdir, "keep" where
# the upper layer is a folder on disk that stays, the places that bwrap mounts on (one a line; folders end
# with a slash), then bwrap's.
#
# This is the machine's root, and what lies below m/r comes out of packages. Nothing here follows a path
# through it: a link in it (`etc/passwd`, `run`) may lead anywhere on the machine. bwrap follows such links
# when it makes mount points, so these are made before, in the upper layer, which hides what is below.
_INNER = r"""
uid=$1 work=$2 size=$3 lower=$4 keep=$5 points=$6
shift 6
trap 'echo "sandbox: set-up failed" >&2; exit 125' EXIT
cd "$work"
mount -t tmpfs -o "$size,mode=755" tmpfs m
if [ -n "$keep" ]; then
    mkdir m/r m/s
    mount -t overlay -o "lowerdir=$lower,upperdir=k/root,workdir=k/work" overlay m/r
else
    mkdir m/u m/w m/r m/s m/u/builddir m/u/tmp
    chmod 1777 m/u/tmp m/s
    chown "$uid:$uid" m/u/builddir
    printf '%s\n' "$points" | while IFS= read -r point; do
        mkdir -p "m/u${point%/*}"
        [ -d "m/u$point" ] || : >"m/u$point"
    done
    mount -t overlay -o "lowerdir=$lower,upperdir=m/u,workdir=m/w,volatile" overlay m/r
fi
exec bwrap --bind "$work/m/r" / --proc /proc --dev /dev --bind "$work/m/s" /dev/shm "$@"
"""

# Runs inside before the preparations: the build user is known by the owner of its home.
_ACCOUNT = """
if [ -d /etc ]; then
    uid=$(stat -c %u /builddir) || exit
    echo "mockbuild:x:$uid:$uid::/builddir:/bin/bash" >>/etc/passwd || exit
    echo "mockbuild:x:$uid:" >>/etc/group || exit
fi
"""

# Runs as root inside; $1 is a script of preparations, $2 one for afterwards, the rest is the command.
_WRAPPER = r"""
before=$1 after=$2
shift 2
trap 'echo "sandbox: set-up failed"; exit 125' EXIT
if [ -n "$before" ]; then eval "$before" || exit; fi
trap - EXIT
"$@"
status=$?
trap 'echo "sandbox: results were lost"; exit 125' EXIT
if [ -n "$after" ]; then eval "$after" || exit; fi
trap - EXIT
exit $status
"""

# What root inside may do. It runs programs of the root, which a package that was built before may have put
# there (`/usr/bin/find` as an entry point), so it must not be the machine's root: it can't mount, load
# modules, make devices, trace processes or open files by their handles.
_CAPABILITIES = (
    "CAP_AUDIT_WRITE",
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_FOWNER",
    "CAP_FSETID",
    "CAP_KILL",
    "CAP_SETFCAP",
    "CAP_SETGID",
    "CAP_SETPCAP",
    "CAP_SETUID",
    "CAP_SYS_CHROOT",
)

_DROP = (
    "setpriv",
    f"--reuid={BUILD_USER}",
    f"--regid={BUILD_USER}",
    "--clear-groups",
    "--bounding-set=-all",
    "--inh-caps=-all",
    "--ambient-caps=-all",
    "--no-new-privs",
    "--",
)


class SandboxError(RdoError):
    """The sandbox or the machine failed, not the command in it.

    A mount failed, a program is missing, preparations inside failed, results could not be copied out, or the
    kernel ran out of memory.
    """


@dataclass(frozen=True)
class Bind:
    """A host path that is visible inside, read-only unless ``writable``."""

    source: Path
    target: str
    writable: bool = False


@dataclass(frozen=True)
class Limits:
    """What one command may use. Sizes are bytes; ``space`` covers everything it writes."""

    space: int = 6 << 30
    inodes: int = 1_000_000
    processes: int = 4096
    file_size: int = 4 << 30
    log: int = 64 << 20
    timeout: float = 900.0


@dataclass(frozen=True)
class SealedResult:
    """How a command ended. ``status`` is its exit status; 128 + n where signal n ended it.

    ``tail`` is the end of what it wrote (both streams together, at most 64 KiB). ``flooded`` says that it was
    stopped since its output passed the limit.
    """

    status: int
    seconds: float
    timed_out: bool
    flooded: bool
    tail: str

    @property
    def ok(self) -> bool:
        """Whether the command ended by itself with exit status 0."""
        return self.status == 0 and not self.timed_out and not self.flooded


def missing_tools() -> list[str]:
    """Return the names of host programs that sandboxes need and that are not there."""
    return [tool for tool in _TOOLS if shutil.which(tool, path=_HOST_PATH) is None]


def probe(paths: Paths) -> str | None:
    """Try a sandbox over this machine's own root; return why none can be had, None if it works."""
    if missing := missing_tools():
        return f"not installed: {', '.join(missing)}"
    try:
        result = Sandbox([Path("/")], scratch_folder(paths)).run(["true"], user="root")
    except (SandboxError, OSError) as error:
        return str(error)
    return None if result.ok else result.tail.strip() or f"exit {result.status}"


def start_time(pid: int) -> int | None:
    """Return the kernel's start time of a process in clock ticks since boot, None where there is none."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return int(stat.rpartition(")")[2].split()[19])


def owner_mark() -> str:
    """Return ``PID-STARTTIME`` of this process: the name under which its temporary things lie."""
    return f"{os.getpid()}-{start_time(os.getpid())}"


def scratch_folder(paths: Paths) -> Path:
    """Return where sandboxes keep their folders of links."""
    return paths.cache / "sandboxes"


class Sandbox:
    """An overlay of layers, topmost first, in which commands run one at a time or side by side.

    :param layers: folders, topmost first; the last one is the base root
    :param scratch: where its small folder of links is made (see :func:`scratch_folder`)
    """

    def __init__(self, layers: Sequence[Path], scratch: Path) -> None:
        if not 0 < len(layers) <= MAX_LAYERS:
            raise SandboxError(f"A sandbox takes 1 to {MAX_LAYERS} layers, not {len(layers)}.")
        self.layers = [layer.resolve() for layer in layers]
        self.scratch = scratch

    def run(
        self,
        command: Sequence[str],
        *,
        binds: Sequence[Bind] = (),
        env: Mapping[str, str] | None = None,
        user: Literal["build", "root"] = "build",
        cwd: str = "/",
        log: Path | None = None,
        limits: Limits | None = None,
        before: str = "",
        after: str = "",
        network: bool = False,
        input: bytes | None = None,
        keep: Path | None = None,
    ) -> SealedResult:
        """Run a command inside; what it changes in the layers is thrown away at its end, but for ``keep``.

        :param user: ``build`` has no privileges at all, ``root`` those that files and users inside need
        :param log: file that gets both output streams
        :param before: shell text that root runs inside before the command
        :param after: shell text that root runs inside after the command, however that ended
        :param network: keep the host's network (for the package manager's downloads, never for builds)
        :param input: bytes for its standard input, which is empty otherwise
        :param keep: folder whose ``root`` collects the changes, as a layer for later; with it there is no
            build user. Its ``work`` is of no use afterwards
        :raises SandboxError: the sandbox failed, ``before`` or ``after`` did, or memory ran out
        """
        limits = limits or Limits()
        if keep is None:
            before = _ACCOUNT + before
        inside = ["/bin/sh", "-c", _WRAPPER, "sealed", before, after]
        inside += [*(_DROP if user == "build" else ()), *command]
        with self._work() as work:
            if keep is not None:
                (keep / "root").mkdir(parents=True, exist_ok=True)
                (keep / "work").mkdir(exist_ok=True)
                (work / "k").symlink_to(keep.resolve())
            arguments = self._command(work, inside, binds, env or {}, cwd, limits, network, keep is not None)
            return _supervise(arguments, log, limits, input)

    @contextmanager
    def _work(self) -> Iterator[Path]:
        folder = self.scratch.resolve() / f"{owner_mark()}-{next(_counter)}"
        (folder / "m").mkdir(parents=True)
        try:
            for number, layer in enumerate(self.layers):
                (folder / _short(number)).symlink_to(layer)
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _command(
        self,
        work: Path,
        inside: Sequence[str],
        binds: Sequence[Bind],
        env: Mapping[str, str],
        cwd: str,
        limits: Limits,
        network: bool,
        keep: bool,
    ) -> list[str]:
        lower = ":".join(_short(number) for number in range(len(self.layers)))
        size = f"size={limits.space},nr_inodes={limits.inodes}"
        command = ["setpriv", "--pdeathsig=KILL", "--", "prlimit", f"--nproc={limits.processes}", "--core=0"]
        command += [f"--fsize={limits.file_size}", "--", "sh", "-c", _OUTER, "sealed", str(os.getpid())]
        command += [str(work), size, lower, "keep" if keep else "", "\n".join(_mount_points(binds))]
        for bind in binds:
            command += ["--bind" if bind.writable else "--ro-bind", str(bind.source.absolute()), bind.target]
        command += ["--unshare-pid", "--unshare-ipc", "--unshare-uts", "--hostname", "buildhost"]
        command += [] if network else ["--unshare-net"]
        command += ["--die-with-parent", "--new-session", "--clearenv", "--chdir", cwd]
        command += ["--cap-drop", "ALL", *(word for name in _CAPABILITIES for word in ("--cap-add", name))]
        for name, value in {**_environment(), **env}.items():
            command += ["--setenv", name, value]
        return [*command, "--", *inside]


def _mount_points(binds: Sequence[Bind]) -> list[str]:
    """Return where bwrap mounts something; folders end with a slash.

    :raises SandboxError: nothing can be mounted there
    """
    found = ["/proc/", "/dev/"]
    for bind in binds:
        target = PurePosixPath(bind.target)
        if not target.is_absolute() or ".." in target.parts or len(target.parts) < 2 or "\n" in bind.target:
            raise SandboxError(f"Nothing can be bound to {bind.target!r} in a sandbox.")
        found.append(f"{target}/" if bind.source.is_dir() else str(target))
    return found


def _environment() -> dict[str, str]:
    return {
        "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
        "LANG": "C.UTF-8",
        "TZ": "UTC",
        "HOME": BUILD_HOME,
        "USER": BUILD_USER,
        "SHELL": "/bin/bash",
    }


def _short(number: int) -> str:
    # One page of mount options holds 480 names of two or three characters; "m" alone is the mount point.
    return f"{number:x}"


def _supervise(command: Sequence[str], log: Path | None, limits: Limits, input: bytes | None) -> SealedResult:
    # LIBMOUNT_FORCE_MOUNT2: newer versions of mount(8) hand options over in pieces of 256 bytes at most.
    env = {"PATH": _HOST_PATH, "LANG": "C.UTF-8", "LIBMOUNT_FORCE_MOUNT2": "always", "INNER": _INNER}
    began, victims = time.monotonic(), _out_of_memory()
    try:
        process = subprocess.Popen(
            list(command),
            env=env,
            cwd="/",
            stdin=subprocess.DEVNULL if input is None else subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    except FileNotFoundError as error:
        raise SandboxError(
            f"{error.filename} is not installed.", hint="`rdo doctor` says what to install."
        ) from error
    try:
        if input is not None and process.stdin is not None:
            # A chain that died at once says why in its output; the broken pipe says nothing.
            with contextlib.suppress(BrokenPipeError):
                process.stdin.write(input)
                process.stdin.close()
        assert process.stdout is not None
        with process.stdout as stream:
            if log is None:
                timed_out, flooded, tail = _drain(process, stream, None, limits, began)
            else:
                log.parent.mkdir(parents=True, exist_ok=True)
                with log.open("wb") as sink:
                    timed_out, flooded, tail = _drain(process, stream, sink, limits, began)
        status = process.wait()
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
    text = tail.decode(errors="replace")
    last = text.rstrip().rpartition("\n")[2]
    if status == 125 and last == "sandbox: set-up failed":
        raise SandboxError(f"A sandbox can't be set up here: {text.strip()[-2000:]}")
    if status == 125 and last == "sandbox: results were lost":
        raise SandboxError(f"What was made in a sandbox can't be copied out: {text.strip()[-2000:]}")
    if status == 1 and last.startswith("bwrap: "):
        raise SandboxError(f"A sandbox can't be set up here: {last}")
    if status != 0 and not timed_out and not flooded and _out_of_memory() > victims:
        raise SandboxError(
            "The machine ran out of memory, and the kernel ended processes, while this ran.",
            hint="Run it again with fewer --jobs, or on a machine with more memory.",
        )
    return SealedResult(
        status=128 - status if status < 0 else status,
        seconds=time.monotonic() - began,
        timed_out=timed_out,
        flooded=flooded,
        tail=text,
    )


def _out_of_memory() -> int:
    """Return how many processes the kernel has ended for want of memory; 0 where it doesn't say."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/vmstat").read_text().splitlines():
            if line.startswith("oom_kill "):
                return int(line.split()[1])
    return 0


def _drain(
    process: subprocess.Popen[bytes], stream: IO[bytes], sink: IO[bytes] | None, limits: Limits, began: float
) -> tuple[bool, bool, bytes]:
    """Copy the output until its end; kill at the time limit and at the output limit.

    Killing ``unshare`` kills PID 1 of the namespace and so everything in it; the end of the stream then says
    that all of them are gone.
    """
    keep, tail, written = 64 << 10, bytearray(), 0
    timed_out = flooded = False
    deadline = began + limits.timeout
    with selectors.DefaultSelector() as selector:
        selector.register(stream, selectors.EVENT_READ)
        while True:
            left = deadline - time.monotonic()
            if not selector.select(max(left, 0)) and not (timed_out or flooded):
                timed_out = True
                process.kill()
                deadline = time.monotonic() + 30
                continue
            if (timed_out or flooded) and time.monotonic() > deadline:
                raise SandboxError("A sandbox did not die within 30 seconds of being killed.")
            block = os.read(stream.fileno(), 1 << 16)
            if not block:
                return timed_out, flooded, bytes(tail[-keep:])
            tail += block
            if len(tail) > 4 * keep:
                del tail[:-keep]
            if written < limits.log:
                written += len(block)
                if sink is not None:
                    sink.write(block)
            elif not flooded and not timed_out:
                flooded = True
                process.kill()
                deadline = time.monotonic() + 30
