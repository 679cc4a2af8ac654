"""Reading files of foreign trees: what a package or a sandbox has left, whose links may point anywhere.

Links are followed as a process inside would follow them, with the tree as its root, so that nothing outside
is ever read. The trees must not change meanwhile.
"""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

from rdo.common.errors import RdoError

_MOST_LINKS = 40  # as the kernel has it


def find_within(tree: Path, path: str) -> Path | None:
    """Return where a path of a tree lies, links resolved within the tree; None if nothing is there.

    The answer is below ``tree`` and isn't a link.
    """
    waiting = [part for part in reversed(path.split("/")) if part not in ("", ".")]
    here: list[str] = []
    links = 0
    while waiting:
        part = waiting.pop()
        if part == "..":
            here = here[:-1]
            continue
        place = tree.joinpath(*here, part)
        try:
            kind = place.lstat().st_mode
        except OSError as error:
            if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG):
                return None
            raise
        if not stat.S_ISLNK(kind):
            here.append(part)
            continue
        links += 1
        if links > _MOST_LINKS:
            return None
        target = str(place.readlink())
        if target.startswith("/"):
            here = []
        waiting += [part for part in reversed(target.split("/")) if part not in ("", ".")]
    return tree.joinpath(*here)


def read_within(tree: Path, path: str, *, most: int = 64 << 20) -> bytes | None:
    """Return the content of a tree's file; None if it isn't a plain file (a device, a pipe, nothing).

    :param most: bytes
    :raises RdoError: it is longer than that
    """
    place = find_within(tree, path)
    if place is None:
        return None
    descriptor = os.open(place, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return None
        with os.fdopen(descriptor, "rb", closefd=False) as stream:
            content = stream.read(most + 1)
    finally:
        os.close(descriptor)
    if len(content) > most:
        raise RdoError(f"{path} has more than {most >> 20} MB, which nothing of its kind needs.")
    return content
