"""RPMs as overlay layers, ours and the platform's alike: each is unpacked once and named by its hash."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from rdo.building.package_trees import finisher, require_tree
from rdo.building.roots import FORMAT, Layer, Root, temporary
from rdo.building.rpminfo import RpmInfo
from rdo.building.sealed import Bind, Limits
from rdo.common.errors import RdoError
from rdo.common.files import locked
from rdo.common.paths import Paths

#: Enters packages into the rpmdb without touching files.
JUST_DB = (
    "rpm -i --justdb --nodeps --nosignature --nodigest --noscripts --notriggers --noplugins"
    " --oldpackage --replacepkgs"
)


class RpmLayers:
    """The layers of RPMs; each lies beside a copy of its package.

    :param root: a root with rpm, tar (or cpio) and Python, in which packages are unpacked
    """

    def __init__(self, root: Root, paths: Paths) -> None:
        self._root, self._paths = root, paths
        self._folder = paths.layers / "rpm"

    def layer(self, info: RpmInfo) -> Layer:
        """Return a package's layer; it exists once :meth:`unpack` was called for the package."""
        return Layer(f"rpm:{FORMAT}:{info.sha256}", self._folder / info.sha256 / "root")

    def file(self, info: RpmInfo) -> Path:
        """Return the copy of an unpacked RPM that lies beside its layer."""
        return self._folder / info.sha256 / "package.rpm"

    def there(self, info: RpmInfo) -> bool:
        """Say whether a package's layer is there."""
        return (self._folder / info.sha256).exists()

    def unpack(self, infos: Sequence[RpmInfo], rpms: Mapping[str, Path]) -> None:
        """Unpack what is not unpacked yet.

        :param rpms: where the packages lie, by SHA-256; only missing ones are looked at
        :raises RdoError: one of them can't be unpacked
        """
        if all(self.there(info) for info in infos):
            return
        with locked(self._folder / "unpack.lock"), temporary(self._folder) as work:
            missing = [info for info in infos if not self.there(info)]
            for info in missing:
                (work / info.sha256).mkdir()
                shutil.copyfile(rpms[info.sha256], work / info.sha256 / "package.rpm")
            result = self._root.sandbox(self._paths).run(
                ["sh", "-ec", _UNPACK, "unpack", *finisher(_OLD_FOLDERS)],
                user="root",
                cwd="/work",
                binds=[Bind(work, "/work", writable=True)],
                input="".join(f"{info.sha256}\n" for info in missing).encode(),
                limits=Limits(timeout=1800),
            )
            if not result.ok:
                raise RdoError(f"RPMs could not be unpacked: {result.tail.strip()[-1000:]}")
            for info in missing:
                require_tree(work / info.sha256)
                (work / info.sha256).rename(self._folder / info.sha256)


_OLD_FOLDERS = ("bin", "sbin", "lib", "lib64")

# $1 and $2 are what finishes a tree. Links that a package brings are made after everything else by tar, and
# by cpio where absolute names are refused, so that neither writes through them.
_UNPACK = r"""
while read -r sha; do
    mkdir "$sha/root"
    cd "$sha/root"
    if command -v rpm2archive >/dev/null; then
        rpm2archive -n - <../package.rpm | tar -x --no-same-owner
    else
        rpm2cpio ../package.rpm | cpio --quiet --no-absolute-filenames -idm
    fi
    rpm -qp --nosignature --nodigest --qf '%{POSTIN}' ../package.rpm >../post </dev/null
    cd ..
    python3 -I -S -c "$1" root post "$2"
    rm post
    cd ..
done
"""
