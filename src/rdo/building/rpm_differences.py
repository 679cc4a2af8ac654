"""Where two RPMs differ: by header tag and by file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from rdo.building.sealed import Bind, Sandbox
from rdo.common.errors import RdoError

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
