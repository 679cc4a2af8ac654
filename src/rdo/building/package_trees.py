"""Trees of unpacked packages: how one is finished, and that it is what it should be.

Packages bring links that point anywhere and scripts that say anything. What changes a tree does so in a
sandbox (``files/layers/finish.py``); outside, only :mod:`rdo.common.trees` reads one.
"""

from __future__ import annotations

import json
import stat
from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path

from rdo.common.errors import RdoError


def finisher(
    merge: Sequence[str], drop: Sequence[str] = (), links: Mapping[str, Sequence[str]] | None = None
) -> list[str]:
    """Return what shell text inside a sandbox gets as arguments, to finish a tree: a program and settings.

    ``python3 -I -S -c "$PROGRAM" TREE SCRIPT "$SETTINGS"`` makes the links that SCRIPT's calls of
    ``alternatives`` or ``update-alternatives`` would make. Scripts themselves don't run for layers.

    :param merge: top folders that belong below ``usr``
    :param drop: folders that are left out
    :param links: a path -> links to it that are made where the package has the path
    """
    program = (files("rdo.building") / "files" / "layers" / "finish.py").read_text()
    settings = {
        "merge": list(merge),
        "drop": list(drop),
        "links": {k: list(v) for k, v in (links or {}).items()},
    }
    return [program, json.dumps(settings)]


def require_tree(folder: Path) -> None:
    """See that a package's folder and the tree in it are folders, and no links to some.

    :raises RdoError: one of them isn't
    """
    for place in (folder, folder / "root"):
        try:
            found = place.lstat().st_mode
        except FileNotFoundError:
            found = 0
        if not stat.S_ISDIR(found):
            raise RdoError(f"Unpacking a package left no folder {place.name}, but something else.")
