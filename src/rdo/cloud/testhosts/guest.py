"""From a forked process to a host's init: namespaces, mounts, devices, and systemd as PID 1.

A host is kept apart so that it behaves like a machine, not to hold an attacker: without a user namespace its
root, who may mount, can become the machine's. Run there what you would run as root here.
"""

from __future__ import annotations

import errno
import os
import shutil
import signal
import socket
import stat
import time
from pathlib import Path
from typing import NoReturn

from rdo.cloud.testhosts import syscalls
from rdo.cloud.testhosts.records import HostDescription

_INIT = "/lib/systemd/systemd"
_NO_PROGRAMS = syscalls.MS_NOSUID | syscalls.MS_NODEV | syscalls.MS_NOEXEC
_DEVICES = ("null", "zero", "full", "random", "urandom", "tty", "fuse", "net/tun")
# What belongs to the machine as a whole, and what an ordinary service on a host (chronyd) would change.
_RENOUNCED = (
    syscalls.CAP_SYS_MODULE,
    syscalls.CAP_SYS_RAWIO,
    syscalls.CAP_SYS_TIME,
    syscalls.CAP_MAC_OVERRIDE,
    syscalls.CAP_MAC_ADMIN,
    syscalls.CAP_WAKE_ALARM,
    syscalls.CAP_BLOCK_SUSPEND,
)
_LINKS = {"fd": "/proc/self/fd", "stdin": "fd/0", "stdout": "fd/1", "stderr": "fd/2", "ptmx": "pts/ptmx"}


def become_init(host: HostDescription, mount_point: Path) -> NoReturn:
    """Turn this process, the first of a new PID namespace, into the host's init.

    :raises OSError: a namespace or mount could not be made
    """
    syscalls.die_with_parent(signal.SIGKILL)
    os.setsid()
    os.umask(0o022)
    Path(host.cgroup, "cgroup.procs").write_text("0")
    syscalls.enter_namespace(Path("/run/netns", host.namespace), syscalls.CLONE_NEWNET)
    syscalls.unshare(
        syscalls.CLONE_NEWNS | syscalls.CLONE_NEWUTS | syscalls.CLONE_NEWIPC | syscalls.CLONE_NEWCGROUP
    )
    socket.sethostname(host.name)
    syscalls.mount("none", Path("/"), flags=syscalls.MS_REC | syscalls.MS_PRIVATE)
    _mount_disk(host, mount_point)
    _mount_kernel_interfaces(mount_point)
    _mount_devices(mount_point / "dev")
    _mount_memory(mount_point / "run", "0755", "512m")
    _mount_memory(mount_point / "tmp", "1777", "1g")
    _change_root(mount_point)
    for capability in _RENOUNCED:
        syscalls.renounce_capability(capability)
    for number in (signal.SIGPIPE, signal.SIGXFSZ, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    os.execve(
        _INIT,
        [_INIT, "--log-target=console", "--show-status=false"],
        {"container": "rdo", "PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8"},
    )


def _mount_disk(host: HostDescription, mount_point: Path) -> None:
    disk = Path(host.disk)
    # `volatile` leaves a mark that forbids the next mount, for fear of a machine that went down before the
    # page cache was written. Test hosts take that risk and are quick instead.
    shutil.rmtree(disk / "work/work/incompat", ignore_errors=True)
    options = {
        "lowerdir": ":".join(host.layers),
        "upperdir": str(disk / "upper"),
        "workdir": str(disk / "work"),
        "volatile": "",
    }
    deadline = time.monotonic() + 5
    while True:
        try:
            syscalls.mount("overlay", mount_point, "overlay", options=options)
            return
        except OSError as error:
            # After a reboot the kernel may still be taking the former mount down.
            if error.errno != errno.EBUSY or time.monotonic() > deadline:
                raise
        time.sleep(0.02)


def _mount_kernel_interfaces(root: Path) -> None:
    proc = root / "proc"
    syscalls.mount("proc", proc, "proc", _NO_PROGRAMS)
    # The kernel's settings are the machine's and stay read-only; the network's are the namespace's own.
    syscalls.bind(proc / "sys", proc / "sys")
    syscalls.bind(proc / "sys/net", proc / "sys/net")
    syscalls.mount(
        "none",
        proc / "sys",
        flags=syscalls.MS_BIND | syscalls.MS_REMOUNT | syscalls.MS_RDONLY | _NO_PROGRAMS,
    )
    trigger = proc / "sysrq-trigger"  # not every kernel has it
    if trigger.exists():
        syscalls.bind(trigger, trigger, syscalls.MS_RDONLY | _NO_PROGRAMS)
    syscalls.mount("sysfs", root / "sys", "sysfs", _NO_PROGRAMS | syscalls.MS_RDONLY)
    syscalls.mount("cgroup2", root / "sys/fs/cgroup", "cgroup2", _NO_PROGRAMS)


def _mount_memory(target: Path, mode: str, size: str) -> None:
    syscalls.mount(
        "tmpfs", target, "tmpfs", syscalls.MS_NOSUID | syscalls.MS_NODEV, {"mode": mode, "size": size}
    )


def _mount_devices(dev: Path) -> None:
    syscalls.mount("tmpfs", dev, "tmpfs", syscalls.MS_NOSUID, {"mode": "0755", "size": "64m"})
    for name in _DEVICES:
        try:
            found = Path("/dev", name).stat()
        except FileNotFoundError:
            continue
        device = dev / name
        device.parent.mkdir(exist_ok=True)
        os.mknod(device, stat.S_IFCHR, found.st_rdev)
        device.chmod(stat.S_IMODE(found.st_mode))
    for name, target in _LINKS.items():
        (dev / name).symlink_to(target)
    for name in ("pts", "shm", "mqueue"):
        (dev / name).mkdir()
    pts_options = {"newinstance": "", "mode": "620", "ptmxmode": "666", "gid": "5"}
    syscalls.mount("devpts", dev / "pts", "devpts", syscalls.MS_NOSUID | syscalls.MS_NOEXEC, pts_options)
    _mount_memory(dev / "shm", "1777", "1g")


def _change_root(root: Path) -> None:
    os.chdir(root)
    old = Path("run")
    syscalls.pivot_root(Path("."), old)
    os.chdir("/")
    syscalls.unmount_lazily(Path("/run"))
