"""What must hold on this machine before building can begin; looked at before any work, and by the doctor."""

from __future__ import annotations

import os
import shlex
import shutil
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rdo.building.sealed import missing_tools
from rdo.common.errors import RdoError
from rdo.common.paths import Paths

GIB = 1 << 30

#: Free space that a first run of Keystone's closure needs, base roots and layers included (bytes).
CACHE_SPACE = 4 * GIB
STATE_SPACE = GIB // 2


@dataclass(frozen=True)
class Shortcoming:
    """One thing that this machine lacks: what, and how it is mended."""

    what: str
    mend: str

    def __str__(self) -> str:
        return f"{self.what} {self.mend}"


class NotReadyError(RdoError):
    """This machine can't build; says everything it lacks."""

    def __init__(self, shortcomings: Sequence[Shortcoming]) -> None:
        lines = "\n".join(f"  {one}" for one in shortcomings)
        super().__init__(f"This machine can't build packages yet:\n{lines}", hint="`rdo doctor` looks again.")
        self.shortcomings = tuple(shortcomings)


def preflight(paths: Paths) -> list[Shortcoming]:
    """Return what keeps this machine from building. It makes nothing and takes milliseconds."""
    return [*_rights(), *_kernel(), *_programs(), *_space(paths)]


def open_folders(paths: Paths) -> list[Shortcoming]:
    """Return folders of the installation in which other users can put things, two levels deep.

    Earlier versions made folders as the operator's umask said. What lies in them is run and signed by root.
    """
    tops = [top for top in (paths.state, paths.cache) if top.is_dir()]
    folders = [*tops, *(place for top in tops for place in sorted(top.iterdir()) if place.is_dir())]
    open_ones = [folder for folder in folders if _is_open(folder.stat().st_mode)]
    return [
        Shortcoming(
            f"{folder} can be written by every user.",
            f"chmod -R o-w {shlex.quote(str(folder))}, and think about who may have written there.",
        )
        for folder in open_ones
    ]


def _is_open(mode: int) -> bool:
    return bool(mode & stat.S_IWOTH) and not mode & stat.S_ISVTX


def require_ready(paths: Paths) -> None:
    """Do nothing where this machine can build.

    :raises NotReadyError: it can't; with everything it lacks
    """
    if found := preflight(paths):
        raise NotReadyError(found)


def _rights() -> list[Shortcoming]:
    if os.geteuid() == 0:
        return []
    return [Shortcoming("Sealed roots need root's rights.", "Run it as root, or with sudo.")]


def _kernel() -> list[Shortcoming]:
    found = []
    known = Path("/proc/filesystems")
    if known.exists() and "overlay" not in known.read_text().split():
        modules = Path("/lib/modules") / os.uname().release / "modules.builtin"
        loadable = modules.parent.is_dir() and any(modules.parent.rglob("overlay.ko*"))
        mend = "Load it: modprobe overlay" if loadable else "Use a kernel that has it."
        found.append(Shortcoming("The kernel has no overlayfs.", mend))
    for name in ("mnt", "pid", "net", "ipc", "uts"):
        if not Path("/proc/self/ns", name).exists():
            found.append(Shortcoming(f"The kernel has no {name} namespaces.", "Use a kernel that has them."))
    return found


def _programs() -> list[Shortcoming]:
    packages = {"bwrap": "bubblewrap", "setpriv": "util-linux", "prlimit": "util-linux"}
    missing = missing_tools()
    if shutil.which("debootstrap", path="/usr/sbin:/usr/bin:/sbin:/bin") is None:
        missing.append("debootstrap")
    names = sorted({packages.get(tool, "util-linux" if tool in _UTIL else tool) for tool in missing})
    if not missing:
        return []
    installer = "apt-get" if shutil.which("apt-get") or not shutil.which("dnf") else "dnf"
    return [Shortcoming(f"Missing: {', '.join(missing)}.", f"Install: {installer} install {' '.join(names)}")]


_UTIL = ("unshare", "mount")


def _space(paths: Paths) -> list[Shortcoming]:
    """Look at the free space of each file system once; what two folders on one need adds up."""
    needed: dict[int, tuple[Path, int, int]] = {}
    for folder, space in ((paths.cache, CACHE_SPACE), (paths.state, STATE_SPACE)):
        place = next(parent for parent in (folder, *folder.parents) if parent.exists())
        if folder == paths.cache and (paths.cache / "roots").is_dir():
            space = GIB  # the roots, most of it, are there already
        device = place.stat().st_dev
        usage = os.statvfs(place)
        _, before, _ = needed.get(device, (place, 0, 0))
        needed[device] = (place, before + space, usage.f_bavail * usage.f_frsize)
    return [
        Shortcoming(
            f"{place} has {free / GIB:.1f} GiB free; building needs about {space / GIB:.1f} GiB.",
            "Make room, or move it with RDO_HOME or RDO_CACHE.",
        )
        for place, space, free in needed.values()
        if free < space
    ]
