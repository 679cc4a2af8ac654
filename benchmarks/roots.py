"""Roots: making the base against debootstrap alone, and starting a sealed one against plain chroot."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from benchmarks.measure import Row, Sample, measured, repeated, row
from benchmarks.places import Bench, installation_of
from rdo.building.roots import Root, ensure_base, ensure_build_root, mirror, private
from rdo.building.sealed import Sandbox, scratch_folder
from rdo.common.errors import RdoError
from rdo.common.progress import Progress
from rdo.distribution.models import DebootstrapRoot

TITLE = "Roots: the base, and the start of a command in a sealed root"

# In mount and PID namespaces that end with it: debootstrap leaves mounts behind when it is stopped.
_DEBOOTSTRAP = """
debootstrap --variant=minbase --include="$4" "$2" "$1" "$3" >&2
chroot "$1" apt-get clean
"""
_STARTS = 30


def run(bench: Bench, rounds: int, progress: Progress) -> tuple[list[Row], list[str]]:
    """Make the base and its equivalent by turns; then start ``true`` in both kinds of root by turns."""
    description = bench.platform.root
    if not isinstance(description, DebootstrapRoot):
        raise RdoError(f"{bench.platform.name} is not made by debootstrap.")
    mine: list[Sample] = []
    theirs: list[Sample] = []
    for number in range(rounds):
        progress.message(f"round {number + 1} of {rounds}: debootstrap alone")
        with bench.folder() as folder, measured() as sample:
            packages = ",".join(sorted(description.packages))
            settings = installation_of(bench.paths).settings
            arguments = [str(folder / "root"), description.suite, mirror(settings), packages]
            private(_DEBOOTSTRAP, arguments, settings.proxies)
        theirs.append(sample)
        progress.message(f"round {number + 1} of {rounds}: our base root")
        with bench.apart(()) as paths:
            with measured() as sample:
                ensure_base(bench.platform, installation_of(paths))
            mine.append(sample)
            shutil.rmtree(paths.cache)
    progress.message("starts")
    root = ensure_build_root(bench.platform, installation_of(bench.paths))
    layers, plain, bare = _starts(bench, root)
    return [
        row("debootstrap alone, the same packages", theirs, note="to the disk"),
        row("our base root", mine, base=theirs, against="debootstrap", note="on a tmpfs first"),
        row("chroot … true", plain),
        row("sealed … true, 2 layers", bare, base=plain, against="chroot"),
        row("sealed … true, 102 layers", layers, base=plain, against="chroot"),
    ], ["Sealed: overlay over a tmpfs, five namespaces, an unprivileged user, limits."]


def _starts(bench: Bench, root: Root) -> tuple[list[Sample], list[Sample], list[Sample]]:
    base = root.layers[-1].path
    bare = root.sandbox(bench.paths)
    with bench.folder() as folder:
        extra = [folder / str(number) for number in range(100)]
        for place in extra:
            place.mkdir()
        deep = Sandbox([*extra, *(layer.path for layer in root.layers)], scratch_folder(bench.paths))
        samples: tuple[list[Sample], list[Sample], list[Sample]] = ([], [], [])
        for _ in range(_STARTS):
            samples[0].extend(repeated(lambda: _true(deep), 1))
            samples[1].extend(repeated(lambda: _chroot(base), 1))
            samples[2].extend(repeated(lambda: _true(bare), 1))
    return samples


def _true(sandbox: Sandbox) -> None:
    if not (result := sandbox.run(["true"])).ok:
        raise RdoError(f"A sealed root does not start: {result.tail}")


def _chroot(base: Path) -> None:
    subprocess.run(["chroot", str(base), "true"], check=True)
