"""Removing what a killed process of ours left: temporary folders, and what can't normally be left at all.

Everything temporary lies under the cache in a folder named after its owner (process id and start time), and
control groups have such names too, so that what is ours and what is abandoned can be told for certain.
Sandboxes die with their owner by the kernel's hand; processes and mounts are looked for all the same.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

from rdo.building.cgroups import leftover_groups, remove_group
from rdo.building.sealed import scratch_folder, start_time
from rdo.common.paths import Paths
from rdo.common.process import run

# The programs that a sandbox's chain consists of outside of its namespaces.
_LAUNCHERS = {b"setpriv", b"prlimit", b"sh", b"unshare", b"bwrap"}
_MARK = re.compile(r"^(?:tmp-)?(\d+)-(\d+)-[0-9a-f]+$")


def clean_up(paths: Paths) -> list[str]:
    """Remove what dead processes left and return a line for each thing removed."""
    if not paths.cache.is_dir():
        return []
    done = [f"ended process {pid}" for pid in _end_processes(paths)]
    done += [f"removed the control group {folder}" for folder in _remove_groups(paths)]
    done += [f"unmounted {mount}" for mount in _unmount(paths)]
    for folder in _folders(paths):
        if abandoned(folder.name):
            shutil.rmtree(folder, ignore_errors=True)
            done.append(f"removed {folder}")
    return done


def abandoned(name: str) -> bool:
    """Say whether a name is an owner's mark, and the owner is dead."""
    match = _MARK.match(name)
    return match is not None and start_time(int(match[1])) != int(match[2])


def _remove_groups(paths: Paths) -> list[Path]:
    groups = leftover_groups(scratch_folder(paths))
    return [folder for folder, mark in groups if abandoned(f"{mark}-0") and remove_group(folder)]


def _folders(paths: Paths) -> Iterator[Path]:
    """Yield the folders in which temporary ones are made, as far as they exist, at most two levels deep."""
    scratch = scratch_folder(paths)
    if scratch.is_dir():
        yield from scratch.iterdir()
    for parent in (paths.cache, *(entry for entry in paths.cache.iterdir() if entry.is_dir())):
        yield from parent.glob("tmp-*-*-*")
        if parent != paths.cache:
            yield from parent.glob("*/tmp-*-*-*")


def _is_abandoned_below(path: str, cache: Path) -> bool:
    """Say whether a path leads through an abandoned folder of this cache."""
    if not path.startswith(f"{cache}/"):
        return False
    return any(abandoned(part) for part in path[len(str(cache)) + 1 :].split("/"))


def _end_processes(paths: Paths) -> list[int]:
    """Kill sandboxes' launchers whose owner is dead: they have the sandbox's folder among their arguments.

    Others may have it too, such as the pager of somebody who looks at what was left.
    """
    scratch = scratch_folder(paths).resolve()
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            arguments = (entry / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if arguments[0].rpartition(b"/")[2] not in _LAUNCHERS:
            continue
        if any(_is_abandoned_below(argument.decode(errors="replace"), scratch) for argument in arguments):
            try:
                os.kill(int(entry.name), signal.SIGKILL)
            except (ProcessLookupError, PermissionError):
                continue
            found.append(int(entry.name))
    return found


def _unmount(paths: Paths) -> list[str]:
    cache = paths.cache.resolve()
    lines = Path("/proc/self/mountinfo").read_text().splitlines()
    points = [line.split()[4].replace("\\040", " ") for line in lines]
    found = [point for point in points if _is_abandoned_below(point, cache)]
    for point in sorted(found, key=len, reverse=True):
        run(["umount", "--lazy", point], check=False, timeout=60)
    return found
