"""Whether two builds of the same packages are the same: files, attributes, dependencies, contents."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from benchmarks.places import Bench, installation_of
from rdo.building.roots import ensure_build_root
from rdo.building.sealed import Bind, Limits
from rdo.common.errors import RdoError

_DEPENDENCIES = (
    "Provide",
    "Require",
    "Recommend",
    "Suggest",
    "Supplement",
    "Enhance",
    "Conflict",
    "Obsolete",
)
_ATTRIBUTES = ("Filemodes", "Fileflags", "Filelangs", "Fileusername", "Filegroupname", "Filelinktos")
_HEADER = ("Name", "Epoch", "Version", "Release", "Arch", "Summary", "Description", "License")
_SCRIPTS = ("Prein", "Postin", "Preun", "Postun", "Pretrans", "Posttrans")

_ASK = """
for side in one other; do
    cd /run/bench/$side
    for file in *.rpm; do
        printf '%s\\t%s\\t' $side "$file"
        rpm --dbpath /tmp/db -qp --nosignature --json "$file" 2>/dev/null | tr -d '\\n'
        echo
    done
done >/run/bench/out/said
"""


@dataclass
class Comparison:
    """What differs between two folders of RPMs.

    ``differences`` are in names, attributes of files, dependencies and scripts: there should be none.
    ``contents`` counts files whose content differs, by kind, of ``files`` files altogether; those of
    byte-code are named in ``bytecode``.
    """

    packages: int = 0
    files: int = 0
    dependencies: int = 0
    differences: list[str] = field(default_factory=list)
    contents: Counter[str] = field(default_factory=Counter)
    bytecode: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        """The finding in one line."""
        kinds = ", ".join(f"{number} {kind}" for kind, number in self.contents.most_common())
        return (
            f"{self.packages} packages, {self.files} files, {self.dependencies} dependencies compared: "
            f"{len(self.differences)} differences; contents differ in {kinds or 'none'}"
        )


def compare(bench: Bench, one: Path, other: Path, folder: Path) -> Comparison:
    """Compare two folders of RPMs by what rpm says of them.

    :param folder: an empty one for the answers
    :raises RdoError: rpm can't read them
    """
    folder.mkdir(parents=True, exist_ok=True)
    root = ensure_build_root(bench.platform, installation_of(bench.paths))
    binds = [Bind(one, "/run/bench/one"), Bind(other, "/run/bench/other")]
    binds += [Bind(folder, "/run/bench/out", writable=True)]
    result = root.sandbox(bench.paths).run(
        ["bash", "-ec", _ASK], user="root", binds=binds, limits=Limits(timeout=300)
    )
    if not result.ok:
        raise RdoError(f"rpm can't read what was built: {result.tail.strip()[-1000:]}")
    sides: dict[str, dict[str, dict[str, Any]]] = {"one": {}, "other": {}}
    for line in (folder / "said").read_text().splitlines():
        side, name, text = line.split("\t", 2)
        sides[side][name] = json.loads(text)
    return _compared(sides["one"], sides["other"])


def _compared(one: dict[str, dict[str, Any]], other: dict[str, dict[str, Any]]) -> Comparison:
    found = Comparison(packages=len(one))
    for name in sorted(one.keys() ^ other.keys()):
        found.differences.append(f"{name}: on one side only")
    for name in sorted(one.keys() & other.keys()):
        for tag in (*_HEADER, *_SCRIPTS):
            if one[name].get(tag) != other[name].get(tag):
                found.differences.append(f"{name}: {tag}")
        for kind in _DEPENDENCIES:
            mine, theirs = _dependencies(one[name], kind), _dependencies(other[name], kind)
            found.dependencies += len(mine)
            found.differences += [f"{name}: {kind}s {text}" for text in sorted(mine ^ theirs)]
        _compare_files(name, one[name], other[name], found)
    return found


def _compare_files(name: str, one: dict[str, Any], other: dict[str, Any], found: Comparison) -> None:
    mine, theirs = _files(one), _files(other)
    found.files += len(mine)
    for path in sorted(mine.keys() ^ theirs.keys()):
        found.differences.append(f"{name}: {path} on one side only")
    for path in sorted(mine.keys() & theirs.keys()):
        attributes, digest = mine[path]
        if attributes != theirs[path][0]:
            found.differences.append(f"{name}: {path}: {attributes} and {theirs[path][0]}")
        if digest != theirs[path][1]:
            found.contents[_kind(path)] += 1
            found.bytecode += [path] if path.endswith(".pyc") else []


def _kind(path: str) -> str:
    """Return what files of this kind are called: their suffix, or their name where that says more."""
    pure = PurePosixPath(path)
    return pure.name if ".dist-info/" in path or not pure.suffix else f"*{pure.suffix}"


def _files(tags: dict[str, Any]) -> dict[str, tuple[tuple[Any, ...], Any]]:
    folders = _listed(tags, "Dirnames")
    names = list(zip(_listed(tags, "Dirindexes"), _listed(tags, "Basenames"), strict=True))
    attributes = [_listed(tags, tag) or [None] * len(names) for tag in _ATTRIBUTES]
    digests = _listed(tags, "Filedigests") or [None] * len(names)
    return {
        folders[folder] + base: (tuple(row[number] for row in attributes), digests[number])
        for number, (folder, base) in enumerate(names)
    }


def _dependencies(tags: dict[str, Any], kind: str) -> set[str]:
    names, versions = _listed(tags, f"{kind}name"), _listed(tags, f"{kind}version")
    flags = _listed(tags, f"{kind}flags")
    rows = zip(names, flags or [0] * len(names), versions or [""] * len(names), strict=True)
    return {f"{name} [{flag}] {version}".strip() for name, flag, version in rows}


def _listed(tags: dict[str, Any], tag: str) -> list[Any]:
    value = tags.get(tag, [])
    return value if isinstance(value, list) else [value]
