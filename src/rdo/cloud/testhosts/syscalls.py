"""The few Linux system calls that Python 3.11 has no function for: namespaces, mounts, pivot_root, prctl."""

from __future__ import annotations

import ctypes
import os
import platform
from collections.abc import Mapping
from pathlib import Path

CLONE_NEWNS = 0x00020000
CLONE_NEWCGROUP = 0x02000000
CLONE_NEWUTS = 0x04000000
CLONE_NEWIPC = 0x08000000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000

MS_RDONLY = 0x1
MS_NOSUID = 0x2
MS_NODEV = 0x4
MS_NOEXEC = 0x8
MS_REMOUNT = 0x20
MS_BIND = 0x1000
MS_REC = 0x4000
MS_PRIVATE = 0x40000

CAP_SYS_MODULE = 16
CAP_SYS_RAWIO = 17
CAP_SYS_TIME = 25
CAP_MAC_OVERRIDE = 32
CAP_MAC_ADMIN = 33
CAP_WAKE_ALARM = 35
CAP_BLOCK_SUSPEND = 36

_MNT_DETACH = 0x2
_PR_SET_PDEATHSIG = 1
_PR_CAPBSET_DROP = 24
_PIVOT_ROOT = {"x86_64": 155, "aarch64": 41, "ppc64le": 203, "s390x": 217}

_libc = ctypes.CDLL(None, use_errno=True)


def _call(what: str, result: int) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def unshare(flags: int) -> None:
    """Move this process (for CLONE_NEWPID: its next children) into new namespaces."""
    _call("unshare", _libc.unshare(flags))


def enter_namespace(path: Path, kind: int) -> None:
    """Move this process into the namespace that a file stands for, such as ``/run/netns/NAME``."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        _call(f"setns {path}", _libc.setns(descriptor, kind))
    finally:
        os.close(descriptor)


def mount(
    source: str, target: Path, kind: str = "", flags: int = 0, options: Mapping[str, str] | None = None
) -> None:
    """Mount ``source`` at ``target``; an option with an empty value is a flag of the file system."""
    data = ",".join(name if value == "" else f"{name}={value}" for name, value in (options or {}).items())
    _call(
        f"mount {kind or source} at {target}",
        _libc.mount(
            source.encode(), os.fsencode(target), kind.encode() or None, ctypes.c_ulong(flags), data.encode()
        ),
    )


def bind(source: Path, target: Path, flags: int = 0) -> None:
    """Show ``source`` at ``target`` too; ``flags`` such as MS_RDONLY hold for the new place only."""
    mount(str(source), target, flags=MS_BIND)
    if flags:
        mount("none", target, flags=MS_BIND | MS_REMOUNT | flags)


def unmount_lazily(target: Path) -> None:
    """Take a mount out of the tree at once; it ends when nothing uses it any more."""
    _call(f"umount {target}", _libc.umount2(os.fsencode(target), _MNT_DETACH))


def pivot_root(new: Path, old: Path) -> None:
    """Make ``new`` the root of this mount namespace and move the former root to ``old``."""
    number = _PIVOT_ROOT[platform.machine()]
    _call("pivot_root", _libc.syscall(ctypes.c_long(number), os.fsencode(new), os.fsencode(old)))


def die_with_parent(signal_number: int) -> None:
    """Have the kernel send this process a signal when the thread that made it ends."""
    _call("prctl", _libc.prctl(_PR_SET_PDEATHSIG, ctypes.c_ulong(signal_number), 0, 0, 0))


def renounce_capability(number: int) -> None:
    """Take a capability from every program that this process and its children will execute."""
    _call("prctl", _libc.prctl(_PR_CAPBSET_DROP, ctypes.c_ulong(number), 0, 0, 0))
