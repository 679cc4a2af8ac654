"""Debs as overlay layers: which ones some debs need beyond the base root, fetched and unpacked once each.

Dependencies are followed over the archive's own index as it was when the base root was made; within one suite
of one moment they hold by name, so version conditions are not looked at again. Files come through apt, which
checks them against the signed index.
"""

from __future__ import annotations

import json
import os
import re
import sqlite3
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rdo.building.package_trees import finisher, require_tree
from rdo.building.roots import FORMAT, Layer, Root, installed, network_binds, temporary
from rdo.building.sealed import Bind, Limits
from rdo.common.errors import RdoError, UnknownNameError
from rdo.common.files import locked, sha256_file
from rdo.common.installation import Installation
from rdo.common.progress import Progress, SilentProgress

# Count up when the database below is filled in another way.
_INDEX = 2
_FIELDS = re.compile(
    r"^(Package|Version|Architecture|Depends|Pre-Depends|Provides|Size|SHA256): (.*)$", re.MULTILINE
)


@dataclass(frozen=True)
class Deb:
    """One deb of the archive; ``depends`` has a group of alternatives a dependency, ``size`` is in bytes."""

    name: str
    version: str
    sha256: str
    size: int
    depends: tuple[tuple[str, ...], ...]


class DebPool:
    """The archive's debs over one base root.

    :param root: a build root whose last layer is the base
    """

    def __init__(self, root: Root, installation: Installation) -> None:
        self.root = root
        self.paths, self._proxies = installation.paths, installation.settings.proxies
        self.base = installed(root.layers[-1])
        self._folder = installation.paths.layers / "deb"
        self._lists = root.layers[-1].path.parent / "lists"
        self._known: dict[str, Deb | None] = {}
        self._providers: dict[str, tuple[str, ...]] = {}
        self._closures: dict[tuple[str, ...], tuple[Deb, ...]] = {}
        self._connection: sqlite3.Connection | None = None

    def get(self, name: str) -> Deb | None:
        """Return a deb of the archive by name, None where there is none."""
        if name not in self._known:
            row = self._query("SELECT name, version, sha256, size, depends FROM deb WHERE name = ?", name)
            self._known[name] = _deb(row[0]) if row else None
        return self._known[name]

    def all_fetched(self) -> list[Deb]:
        """Return the archive's debs whose layers are there."""
        hashes = [entry.name for entry in self._folder.iterdir()] if self._folder.exists() else []
        found = []
        for begin in range(0, len(hashes), 500):
            part = hashes[begin : begin + 500]
            marks = ",".join("?" * len(part))
            query = f"SELECT name, version, sha256, size, depends FROM deb WHERE sha256 IN ({marks})"
            found += [_deb(row) for row in self._query(query, *part)]
        return sorted(found, key=lambda deb: deb.name)

    def closure(self, wanted: Iterable[str]) -> tuple[Deb, ...]:
        """Return the debs that must be added to the base so that the wanted ones work, by name.

        :raises UnknownNameError: a wanted deb is not in the archive
        """
        key = tuple(sorted(set(wanted)))
        if key not in self._closures:
            self._closures[key] = self._close(key)
        return self._closures[key]

    def layer(self, deb: Deb) -> Layer:
        """Return a deb's layer; it exists once :meth:`fetch` was called for the deb."""
        return Layer(f"deb:{FORMAT}:{deb.sha256}", self._folder / deb.sha256 / "root")

    def fetched(self, deb: Deb) -> bool:
        """Say whether a deb's layer is there."""
        return (self._folder / deb.sha256).exists()

    def facts(self, deb: Deb) -> Path:
        """Return the file of capabilities that were read from a fetched deb's libraries (``path cap``)."""
        return self._folder / deb.sha256 / "sonames"

    def fetch(self, debs: Iterable[Deb], progress: Progress | None = None) -> None:
        """Download what is missing of the debs in one call of apt and unpack each as a layer of its own.

        :raises RdoError: the download failed, or a file is not what the index says
        """
        if all(self.fetched(deb) for deb in debs):
            return
        with locked(self._folder / "fetch.lock"):
            missing = [deb for deb in debs if not self.fetched(deb)]
            if not missing:
                return
            report = progress or SilentProgress()
            with (
                report.task(f"{len(missing)} packages of the platform", len(missing)) as task,
                temporary(self._folder) as folder,
            ):
                self._download(missing, folder)
                self._unpack(missing, folder)
                for deb in missing:
                    require_tree(folder / "x" / deb.sha256)
                    (folder / "x" / deb.sha256).rename(self._folder / deb.sha256)
                    task.advance()

    def _close(self, wanted: Sequence[str]) -> tuple[Deb, ...]:
        chosen: dict[str, Deb] = {}
        queue: deque[str] = deque()

        def choose(name: str) -> bool:
            if name in self.base or name in chosen:
                return True
            deb = self.get(name)
            if deb is None:
                return False
            chosen[name] = deb
            queue.append(name)
            return True

        for name in wanted:
            if not choose(name):
                raise UnknownNameError("deb", name, [r[0] for r in self._query("SELECT name FROM deb")])
        while queue:
            for group in chosen[queue.popleft()].depends:
                self._choose_of(group, chosen, choose)
        return tuple(chosen[name] for name in sorted(chosen))

    def _choose_of(
        self, group: Sequence[str], chosen: Mapping[str, Deb], choose: Callable[[str], bool]
    ) -> None:
        there = {*self.base, *chosen}
        real = [[name, *self._provided_by(name)] for name in group]
        if any(name in there for names in real for name in names):
            return
        any(choose(name) for names in real for name in names)

    def _provided_by(self, virtual: str) -> tuple[str, ...]:
        if virtual not in self._providers:
            rows = self._query("SELECT name FROM provides WHERE virtual = ? ORDER BY name", virtual)
            self._providers[virtual] = tuple(row[0] for row in rows)
        return self._providers[virtual]

    def _query(self, text: str, *values: str) -> list[tuple[Any, ...]]:
        if self._connection is None:
            path = self._lists.parent / f"index-{FORMAT}-{_INDEX}.sqlite"
            if not path.exists():
                with locked(self._lists.parent / "index.lock"):
                    if not path.exists():
                        _write_index(self._lists, path)
            self._connection = sqlite3.connect(f"file:{path}?immutable=1", uri=True, check_same_thread=False)
        return self._connection.execute(text, values).fetchall()

    def _download(self, debs: Sequence[Deb], folder: Path) -> None:
        target = folder / "debs"
        target.mkdir()
        names = [f"{deb.name}={deb.version}" for deb in debs]
        binds = [Bind(target, "/debs", writable=True), Bind(self._lists, "/var/lib/apt/lists")]
        result = self.root.sandbox(self.paths).run(
            ["apt-get", "-q", "-o", "APT::Sandbox::User=root", "download", *names],
            user="root",
            cwd="/debs",
            network=True,
            env=self._proxies,
            binds=[*network_binds(), *binds],
            limits=Limits(timeout=1800),
        )
        if not result.ok:
            raise RdoError(
                f"Packages of the platform could not be downloaded: {result.tail.strip()[-1500:]}",
                hint=f"If the mirror has newer ones by now, remove {self._lists.parent} and start again.",
            )
        got = {sha256_file(file): file for file in target.iterdir()}
        for deb in debs:
            if deb.sha256 not in got:
                raise RdoError(f"The mirror gave another {deb.name} {deb.version} than its index promises.")
            got[deb.sha256].rename(target / f"{deb.sha256}.deb")

    def _unpack(self, debs: Sequence[Deb], folder: Path) -> None:
        (folder / "x").mkdir()
        names = "\n".join(deb.sha256 for deb in debs)
        result = self.root.sandbox(self.paths).run(
            [
                *("sh", "-c", f'xargs -n 1 -P {os.cpu_count() or 1} sh -ec "$0" "$1" "$2"', _UNPACK),
                *finisher(_OLD_FOLDERS, _LEFT_OUT, _LINKS),
            ],
            user="root",
            cwd="/work",
            binds=[Bind(folder, "/work", writable=True)],
            input=names.encode(),
        )
        if not result.ok:
            raise RdoError(f"Packages of the platform could not be unpacked: {result.tail.strip()[-1500:]}")


_OLD_FOLDERS = ("bin", "sbin", "lib", "lib32", "lib64", "libx32")
_LEFT_OUT = ("usr/share/doc", "usr/share/man", "usr/share/info", "usr/share/lintian")
# Links that maintainer scripts make by update-alternatives under conditions that can't be read from them.
_LINKS = {
    "/usr/bin/gcc": ("/usr/bin/cc", "/usr/bin/c89", "/usr/bin/c99"),
    "/usr/bin/g++": ("/usr/bin/c++",),
}

# Unpacks one deb below /work/x. $0 and $1 are what finishes a tree, $2 is the deb's hash. Python's modules
# are compiled only in folders that are the package's own: a link could lead to another package's.
_UNPACK = r"""
deb=/work/debs/$2.deb to=/work/x/$2
mkdir -p "$to/root"
dpkg-deb -x "$deb" "$to/root"
dpkg-deb -e "$deb" "$to/control"
rm "$deb"
python3 -I -S -c "$0" "$to/root" "$to/control/postinst" "$1"
rm -rf "$to/control"
: >"$to/sonames"
cd "$to/root"
own() { [ -d "$1" ] && [ "$(cd "$1" && pwd -P)" = "$to/root/$1" ]; }
for place in usr/lib/python3/dist-packages usr/lib/python3.[0-9]*; do
    own "$place" && [ -z "$(find "$place" -name __pycache__ -type l)" ] || continue
    python3 -I -m compileall -q -s "$to/root" -p / "$place" >/dev/null 2>&1 || true
done
own usr/lib && [ -x /usr/lib/rpm/elfdeps ] || exit 0
find usr/lib -maxdepth 2 -name '*.so*' -type f | while read -r file; do
    echo "$file" | /usr/lib/rpm/elfdeps --provides | sed "s|^|/$file |" >>"$to/sonames"
done
"""


def _deb(row: tuple[Any, ...]) -> Deb:
    name, version, sha256, size, depends = row
    return Deb(name, version, sha256, size, tuple(tuple(group) for group in json.loads(depends)))


def parse_packages(text: str) -> Iterator[dict[str, str]]:
    """Yield the needed fields of each stanza of an archive's ``Packages`` index."""
    for stanza in text.split("\n\n"):
        fields = dict(_FIELDS.findall(stanza))
        if "Package" in fields:
            yield fields


def parse_depends(text: str) -> tuple[tuple[str, ...], ...]:
    """Return the groups of alternatives of a dependency field, names only: ``a (>= 1) | b:any, c``.

    Within one release of Debian only an upper bound can fail: ``a | b (<< 2)`` is written for upgrades from
    the release that still had b 1. Such an alternative is left out where there is another.
    """
    groups = [[alt.strip() for alt in part.split("|")] for part in text.split(",") if part.strip()]
    lasting = [[alt for alt in group if "(<" not in alt] or group for group in groups]
    return tuple(tuple(re.split(r"[\s:(\[]", alt, maxsplit=1)[0] for alt in group) for group in lasting)


def _write_index(lists: Path, target: Path) -> None:
    """Write the archive's index as a database that is quick to open; whole or not at all."""
    part = target.with_suffix(f".{os.getpid()}")
    part.unlink(missing_ok=True)
    with sqlite3.connect(part) as connection:
        connection.execute(
            "CREATE TABLE deb (name PRIMARY KEY, version, sha256, size INT, depends) WITHOUT ROWID"
        )
        connection.execute("CREATE TABLE provides (virtual, name)")
        for file in sorted(lists.glob("*_Packages")):
            for fields in parse_packages(file.read_text(errors="replace")):
                depends = parse_depends(f"{fields.get('Pre-Depends', '')},{fields.get('Depends', '')}")
                connection.execute(
                    "INSERT OR IGNORE INTO deb VALUES (?, ?, ?, ?, ?)",
                    (
                        fields["Package"],
                        fields["Version"],
                        fields["SHA256"],
                        fields["Size"],
                        json.dumps(depends),
                    ),
                )
                for group in parse_depends(fields.get("Provides", "")):
                    connection.execute("INSERT INTO provides VALUES (?, ?)", (group[0], fields["Package"]))
        connection.execute("CREATE INDEX by_virtual ON provides (virtual)")
        connection.execute("CREATE INDEX by_hash ON deb (sha256)")
    connection.close()
    part.rename(target)
