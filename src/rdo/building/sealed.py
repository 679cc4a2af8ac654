"""Sealed sandboxes: an overlay of read-only layers in which one command runs, cut off from everything.

The chain of processes is ours -> ``unshare`` (private mount and PID namespaces) -> ``bwrap`` (network, IPC
and UTS namespaces, no host files) -> the command. Each link dies with the one before it, by the kernel's
parent-death signal, and the mounts live only in the private mount namespace: a ``kill -9`` of our process
leaves neither processes nor mounts, only a folder of symbolic links that :mod:`rdo.building.cleanup` removes.
"""

from __future__ import annotations

import itertools
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Literal

from rdo.building.enforcement import Enforcer, enforcer
from rdo.building.limits import Limits, SandboxError, SealedResult
from rdo.building.owner import owner_mark, start_time
from rdo.building.supervision import Chain, supervise
from rdo.common.paths import Paths

__all__ = [
    "Bind",
    "Limits",
    "Sandbox",
    "SandboxError",
    "SealedResult",
    "missing_tools",
    "owner_mark",
    "probe",
    "scratch_folder",
    "start_time",
]

BUILD_USER = "mockbuild"
BUILD_HOME = "/builddir"

# overlayfs takes at most 500 lower layers (OVL_MAX_STACK in the kernel's sources).
MAX_LAYERS = 480

_TOOLS = ("setpriv", "prlimit", "unshare", "mount", "bwrap")
_HOST_PATH = "/usr/sbin:/usr/bin:/sbin:/bin"
_counter = itertools.count()

# Runs outside all namespaces, in the groups that limit it. Standard error becomes the channel of the verdict,
# number 9, which programs inside never get. The user id is made from this process's own id, so no two
# sandboxes share one: the limit on processes may count by user id, and must meet one of them alone.
_OUTER = r"""
exec 9>&2 2>&1
[ "$PPID" = "$1" ] || { echo "its owner is gone"; exit 125; }
shift
umask 022
IFS='
'
for group in $LIMIT_GROUPS; do echo $$ >"$group/cgroup.procs" || exit 125; done
unset IFS
echo 500 >/proc/self/oom_score_adj
exec unshare --mount --pid --fork --kill-child --propagation private --mount-proc -- \
    sh -ec "$INNER" sealed $((200000 + $$)) "$@"
"""

# Runs as PID 1 of the private namespaces. Arguments: uid, work folder, tmpfs options, lowerdir, "keep" where
# the upper layer is a folder on disk that stays, the places that bwrap mounts on (one a line; folders end
# with a slash), then the command.
#
# This is the machine's root, and what lies below m/r comes out of packages. Nothing here follows a path
# through it: a link in it (`etc/passwd`, `run`) may lead anywhere on the machine. bwrap follows such links
# when it makes mount points, so these are made before, in the upper layer, which hides what is below.
#
# Preparations, command and collection have a sandbox each, over the same files. So nothing that the command
# started is alive when its results are collected, and only this shell tells the three apart: once the first
# sandbox was set up, the same for the command doesn't fail, so bwrap's exit status is the command's. As
# nothing inside is alive between two of them, it can look for certain whether a mount point became a link.
_INNER = r"""
uid=$1 work=$2 size=$3 lower=$4 keep=$5 points=$6
shift 6
look_for_links() {
    printf '%s\n' "$points" | while IFS= read -r point; do
        place=m/r rest=${point#/}
        while [ -n "$rest" ]; do
            place=$place/${rest%%/*}
            [ ! -L "$place" ] || { echo "the mount point $point was replaced by a link"; exit 125; }
            case $rest in */*) rest=${rest#*/} ;; *) rest= ;; esac
        done
    done
}
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
bwrap --args 8 -- /bin/sh -c "$BEFORE" before 8<arguments 9>&- </dev/null
[ -n "$keep" ] || look_for_links
echo prepared >&9
status=0
bwrap --args 8 -- /bin/sh -c 'exec "$@"' command "$@" 8<arguments 9>&- || status=$?
echo "status $status" >&9
if [ -n "$AFTER" ]; then
    look_for_links
    bwrap --args 8 -- /bin/sh -c 'status=$1; eval "$2"' after "$status" "$AFTER" 8<arguments 9>&- </dev/null
fi
echo collected >&9
"""

# Runs inside before the preparations: the build user is known by the owner of its home.
_ACCOUNT = """
if [ -d /etc ]; then
    uid=$(stat -c %u /builddir) || exit
    echo "mockbuild:x:$uid:$uid::/builddir:/bin/bash" >>/etc/passwd || exit
    echo "mockbuild:x:$uid:" >>/etc/group || exit
fi
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


@dataclass(frozen=True)
class Bind:
    """A host path that is visible inside, read-only unless ``writable``."""

    source: Path
    target: str
    writable: bool = False


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
        elif before or after:
            raise SandboxError("A sandbox whose changes are kept has no preparations and collects nothing.")
        points = "\n".join(_mount_points(binds))
        with self._work() as work, closing(enforcer(limits, self.scratch)) as enforced:
            if keep is not None:
                (keep / "root").mkdir(parents=True, exist_ok=True)
                (keep / "work").mkdir(exist_ok=True)
                (work / "k").symlink_to(keep.resolve())
            words = _sandbox(work, binds, env or {}, cwd, network)
            (work / "arguments").write_bytes(b"".join(os.fsencode(word) + b"\0" for word in words))
            inside = [*(_DROP if user == "build" else ()), *command]
            chain = Chain(
                [*self._command(work, limits, enforced, keep is not None), points, *inside],
                _outside(enforced, before, after),
                work / "m",
                [*([] if keep is None else [keep]), *(bind.source for bind in binds if bind.writable)],
            )
            return supervise(chain, enforced, limits, log=log, input=input)

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

    def _command(self, work: Path, limits: Limits, enforced: Enforcer, keep: bool) -> list[str]:
        lower = ":".join(_short(number) for number in range(len(self.layers)))
        size = f"size={limits.files},nr_inodes={limits.inodes}"
        command = ["setpriv", "--pdeathsig=KILL", "--", "prlimit", "--core=0", f"--fsize={limits.file_size}"]
        command += [f"--nproc={limits.processes}"] if enforced.rlimit else []
        command += ["--", "sh", "-c", _OUTER, "sealed", str(os.getpid())]
        return [*command, str(work), size, lower, "keep" if keep else ""]


def _sandbox(work: Path, binds: Sequence[Bind], env: Mapping[str, str], cwd: str, network: bool) -> list[str]:
    """Return bwrap's options."""
    words = ["--bind", f"{work}/m/r", "/", "--proc", "/proc", "--dev", "/dev"]
    words += ["--bind", f"{work}/m/s", "/dev/shm"]
    for bind in binds:
        words += ["--bind" if bind.writable else "--ro-bind", str(bind.source.absolute()), bind.target]
    words += ["--unshare-pid", "--unshare-ipc", "--unshare-uts", "--hostname", "buildhost"]
    words += [] if network else ["--unshare-net"]
    words += ["--die-with-parent", "--new-session", "--clearenv", "--chdir", cwd]
    words += ["--cap-drop", "ALL", *(word for name in _CAPABILITIES for word in ("--cap-add", name))]
    for name, value in {**_environment(), **env}.items():
        words += ["--setenv", name, value]
    return words


def _outside(enforced: Enforcer, before: str, after: str) -> dict[str, str]:
    """Return the environment of the programs around the sandbox."""
    return {
        "PATH": _HOST_PATH,
        "LANG": "C.UTF-8",
        # newer versions of mount(8) hand options over in pieces of 256 bytes at most
        "LIBMOUNT_FORCE_MOUNT2": "always",
        "LIMIT_GROUPS": "\n".join(map(str, enforced.groups)),
        "INNER": _INNER,
        "BEFORE": before,
        "AFTER": after,
    }


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
