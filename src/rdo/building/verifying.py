"""Building a package once more from the same inputs, and showing where what comes out differs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from rdo.building.builder import Builder, identity
from rdo.building.graph import BuildGraph, Step
from rdo.building.models import Artifact, BuildResult, Value
from rdo.building.roots import temporary
from rdo.building.sealed import Bind, Sandbox
from rdo.building.store import Store
from rdo.common.errors import InputError, RdoError
from rdo.common.files import sha256_file

#: Tags that are made of the rest: where something differs, they differ as well and say nothing.
_DERIVED = ("Sha1header", "Sha256header", "Sigmd5", "Payloaddigest", "Payloaddigestalt", "Payloadsize")

#: Tags with one value a file.
_PER_FILE = (
    "Filedigests",
    "Filesizes",
    "Filemtimes",
    "Filemodes",
    "Fileusername",
    "Filegroupname",
    "Fileflags",
)


class Verification(Value):
    """The comparison of one package's two builds; ``differences`` is empty where every bit is the same."""

    package: str
    input_hash: str
    compared: tuple[str, ...]
    differences: tuple[str, ...]

    @property
    def identical(self) -> bool:
        """Whether every RPM came out bit by bit as before."""
        return not self.differences


@dataclass(frozen=True)
class Known:
    """A step that is in the store, and what was at hand when it was built."""

    result: BuildResult
    artifacts: tuple[Artifact, ...]


def known_build(graph: BuildGraph, builder: Builder, store: Store, package: str) -> Known:
    """Return a package's stored build, of the inputs that it has today.

    :raises InputError: nobody builds it in this graph, or it or what it needs has not been built yet
    """
    goal = Step(package)
    if goal not in graph.requests:
        raise InputError(f"{package} is not among what is built.", hint="`rdo build --status` lists it.")
    wanted = _ancestors(graph, goal)
    found: dict[Step, Known] = {}
    for step in graph.order:
        if step in wanted:
            artifacts = tuple(a for need in graph.needs[step] for a in found[need].result.artifacts)
            result = store.recorded(identity(builder, store, graph.requests[step], artifacts))
            if result is None:
                raise InputError(f"{step} has not been built from today's inputs yet.", hint="Run rdo build.")
            found[step] = Known(result, artifacts)
    return found[goal]


def verify(
    graph: BuildGraph,
    builder: Builder,
    store: Store,
    package: str,
    scratch: Path,
    tools: Callable[[], Sandbox],
) -> Verification:
    """Build a package once more and compare it with the stored build, bit by bit.

    :param scratch: where a temporary folder is made
    :param tools: makes a sandbox that has rpm, to show differences with
    :raises InputError: it has not been built yet
    :raises RdoError: the second build failed
    """
    known = known_build(graph, builder, store, package)
    with temporary(scratch) as folder:
        raw = builder.build(graph.requests[Step(package)], known.artifacts, store, folder)
        if raw.reason is not None:
            raise RdoError(f"The second build of {package} failed: {raw.reason}", hint=raw.hint)
        again = {path.name: path for path in raw.rpms}
        before = {artifact.filename: artifact for artifact in known.result.artifacts}
        differences = [f"{name}: only the first build made it" for name in sorted(before.keys() - again)]
        differences += [f"{name}: only the second build made it" for name in sorted(again.keys() - before)]
        for name in sorted(before.keys() & again):
            if sha256_file(again[name]) != before[name].sha256:
                pair = (store.path(before[name].sha256), again[name])
                differences += [f"{name}: {line}" for line in differing(*pair, tools(), folder)]
    return Verification(
        package=package,
        input_hash=known.result.input_hash,
        compared=tuple(sorted(before.keys() | again)),
        differences=tuple(differences),
    )


def differing(one: Path, other: Path, sandbox: Sandbox, folder: Path) -> list[str]:
    """Return a line for each header tag and each file in which two RPMs differ.

    :param folder: where the headers are put meanwhile
    """
    headers = []
    for number, rpm in enumerate((one, other)):
        out = folder / f"header-{number}"
        out.mkdir(exist_ok=True)
        result = sandbox.run(
            ["sh", "-c", "rpm -qp --nosignature --xml /run/one.rpm >/run/out/header.xml"],
            user="root",
            binds=[Bind(rpm, "/run/one.rpm"), Bind(out, "/run/out", writable=True)],
        )
        if not result.ok:
            raise RdoError(f"rpm can't read {rpm.name}: {result.tail.strip()[-500:]}")
        headers.append(_header((out / "header.xml").read_bytes()))
    return compare_headers(*headers) or ["the headers say the same; the payload's compression differs"]


def compare_headers(one: Mapping[str, Sequence[str]], other: Mapping[str, Sequence[str]]) -> list[str]:
    """Return a line for each tag, and for each file, in which two headers (tag -> values) differ."""
    lines = []
    for tag in sorted((one.keys() | other.keys()) - {*_DERIVED, *_PER_FILE}):
        left, right = one.get(tag, ()), other.get(tag, ())
        if left != right:
            lines.append(f"{tag}: {_short(left, right)} / {_short(right, left)}")
    files, others = _files(one), _files(other)
    for path in sorted(files.keys() & others.keys()):
        for tag, left_value in files[path].items():
            right_value = others[path].get(tag, "")
            if left_value != right_value:
                lines.append(f"{path}: {tag} {left_value} / {right_value}")
    return lines


def _ancestors(graph: BuildGraph, goal: Step) -> set[Step]:
    reached = {goal}
    for step in reversed(graph.order):
        if step in reached:
            reached.update(graph.needs[step])
    return reached


def _header(xml: bytes) -> dict[str, list[str]]:
    root: Any = ElementTree.fromstring(xml)
    return {tag.get("name"): [child.text or "" for child in tag] for tag in root.iter("rpmTag")}


def _files(header: Mapping[str, Sequence[str]]) -> dict[str, dict[str, str]]:
    folders = header.get("Dirnames", ())
    indexes = header.get("Dirindexes", ())
    names = header.get("Basenames", ())
    paths = [folders[int(index)] + name for index, name in zip(indexes, names, strict=True)]
    found: dict[str, dict[str, str]] = {path: {} for path in paths}
    for tag in _PER_FILE:
        for path, value in zip(paths, header.get(tag, ()), strict=False):
            found[path][tag] = value
    return found


def _short(values: Sequence[str], others: Iterable[str]) -> str:
    unlike = set(others)
    own = [value for value in values if value not in unlike] or list(values)
    text = ", ".join(own[:5]) or "nothing"
    return text if len(text) <= 200 else f"{text[:200]}…"
