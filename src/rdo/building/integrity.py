"""Whether layers are what they were when they were made: the cache is shared, and anybody may clear it.

A layer that is gone, or half gone, gives a build that fails for no fault of the package's, or worse, one that
succeeds without something. So beside each layer lies the number of its entries. It is compared before a
process first builds on the layer, and once more after a build that failed; that the layer is still there at
all is looked at after every build.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from rdo.building.roots import Layer
from rdo.building.sealed import SandboxError, owner_mark
from rdo.common.files import write_atomically


class CacheError(SandboxError):
    """The cache changed under a build: it says nothing about the package, and a second try may succeed."""

    def __init__(self, layers: Sequence[Layer]) -> None:
        shown = ", ".join(str(layer.path.parent) for layer in layers[:3])
        more = f" and {len(layers) - 3} more" if len(layers) > 3 else ""
        super().__init__(
            f"The cache changed under the build; gone or damaged: {shown}{more}.",
            hint="Run it again. While it runs, nothing else may remove files from the cache.",
        )
        self.layers = tuple(layers)


class Inspector:
    """Looks at layers; remembers in this process which ones were in order."""

    def __init__(self) -> None:
        self._good: set[Path] = set()

    def damaged(self, layers: Iterable[Layer], *, again: bool = False) -> list[Layer]:
        """Return the layers that are gone or have lost or gained entries.

        :param again: count also what was counted before; without it, such layers need only be there
        """
        found = []
        for layer in layers:
            known = layer.path in self._good and not again
            good = layer.path.is_dir() if known else _is_whole(layer)
            (self._good.add if good else self._good.discard)(layer.path)
            if not good:
                found.append(layer)
        return found


def set_aside(layers: Iterable[Layer]) -> None:
    """Move damaged layers out of the way, so that they are made anew; the next clean-up removes them."""
    for layer in layers:
        folder = layer.path.parent
        aside = folder.with_name(f"tmp-{owner_mark()}-{os.urandom(4).hex()}")
        with contextlib.suppress(FileNotFoundError):
            folder.rename(aside)


def _is_whole(layer: Layer) -> bool:
    """Compare a layer with its count; a layer without one gets it."""
    kept = layer.path.parent / "entries"
    if not layer.path.is_dir():
        return False
    count = sum(len(folders) + len(files) for _, folders, files in os.walk(layer.path))
    try:
        return kept.read_text() == str(count)
    except FileNotFoundError:
        # Layers are whole when they get their name, so the first look says how many entries there are.
        with contextlib.suppress(OSError):
            write_atomically(kept, str(count), durable=False)
        return True
