"""Runs inside a sandbox: finishes the tree of one unpacked package; its paths resolve within that tree only.

A package decides what its links point to and what its scripts say, so this process makes the tree its root
before it looks at any path in it. It runs isolated (``python3 -I -S``) with any Python since 3.9, and imports
nothing once it is in there.

Arguments: the tree, the file of the package's installation script, and settings as JSON: ``merge`` (old top
folders whose content belongs below ``usr``), ``drop`` (folders that are left out) and ``links`` (a path ->
links to it that a script makes under conditions that can't be read from it).
"""

from __future__ import annotations

import json
import os
import re
import shutil
import stat
import sys

# Of `alternatives` and `update-alternatives`: link, name, target.
_ALTERNATIVE = re.compile(r"--(?:install|slave|follower)\s+(/\S+)\s+\S+\s+(/\S+)")
_LONGEST = 16 << 20


def _main(tree: str, script: str, settings: str) -> None:
    said = json.loads(settings)
    wanted = _ALTERNATIVE.findall(_text(script).replace("\\\n", " "))
    os.umask(0o022)
    sys.meta_path.clear()
    if not stat.S_ISDIR(_kind(tree)):
        sys.exit(f"{tree} is no folder any more")
    os.chroot(tree)
    os.chdir("/")
    os.chmod("/", 0o755)  # noqa: PTH101
    for top in said["merge"]:
        if stat.S_ISDIR(_kind(f"/{top}")):
            os.makedirs(f"/usr/{top}", exist_ok=True)  # noqa: PTH103
            _move(f"/{top}", f"/usr/{top}")
    for place in said["drop"]:
        shutil.rmtree(f"/{place}", ignore_errors=True)
    for link, target in wanted:
        _link(link, target, target)
    for target, links in said["links"].items():
        for link in links:
            _link(link, target, os.path.basename(target))  # noqa: PTH119


def _text(script: str) -> str:
    """Return a script, or nothing where there is none or it is no plain file."""
    try:
        descriptor = os.open(script, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return ""
    with open(descriptor, "rb") as stream:  # noqa: PTH123
        plain = stat.S_ISREG(os.fstat(descriptor).st_mode)
        return stream.read(_LONGEST).decode(errors="replace") if plain else ""


def _kind(path: str) -> int:
    """Return the mode of a path itself, 0 where there is none."""
    try:
        return os.lstat(path).st_mode
    except OSError:
        return 0


def _move(folder: str, target: str) -> None:
    for name in os.listdir(folder):  # noqa: PTH208
        source, place = f"{folder}/{name}", f"{target}/{name}"
        if stat.S_ISDIR(_kind(source)) and stat.S_ISDIR(_kind(place)):
            _move(source, place)
        else:
            os.replace(source, place)  # noqa: PTH105
    os.rmdir(folder)  # noqa: PTH106


def _link(link: str, target: str, content: str) -> None:
    """Make a link that a script would make, where the package has its target and not the link.

    One whose folder is a link out of the package is left out: another package has that place.
    """
    if "$" in link + target or ".." in link.split("/") or "/man/" in link:
        return
    if not os.path.lexists(target) or os.path.lexists(link):
        return
    try:
        os.makedirs(os.path.dirname(link), exist_ok=True)  # noqa: PTH103, PTH120
        os.symlink(content, link)  # noqa: PTH211
    except OSError as error:
        print(f"the alternative {link} -> {content} is left out: {error.strerror}")


try:
    _main(*sys.argv[1:])
except OSError as error:
    sys.exit(f"The package's tree can't be finished: {error}")
