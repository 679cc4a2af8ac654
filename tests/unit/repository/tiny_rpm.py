"""Writes RPM files by hand, for tests of machines without rpmbuild: headers, and no payload."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from pathlib import Path

from rdo.common.files import sha256_bytes
from rdo.repository.metadata import RpmFile

_INT16, _INT32, _STRING, _ARRAY, _I18N = 3, 4, 6, 8, 9
_EQUAL = 8


def write_rpm(
    folder: Path,
    name: str,
    version: str = "1",
    *,
    requires: Sequence[str] = (),
    files: Mapping[str, bytes] | None = None,
    built: int = 1_700_000_000,
    source: bool = False,
    arch: str = "noarch",
    note: str = "",
    release: str = "1",
    made_from: str | None = None,
) -> RpmFile:
    """Write a package; files are given by absolute path.

    :param made_from: its source package's name; its own by default
    """
    names = sorted(files or {})
    folders = sorted({path.rpartition("/")[0] + "/" for path in names})
    contents = [(files or {})[path] for path in names]
    tags: list[tuple[int, int, Sequence[str] | Sequence[int]]] = [
        (1000, _STRING, [name]),
        (1001, _STRING, [version]),
        (1002, _STRING, [release]),
        (1004, _I18N, ["tiny"]),
        (1005, _I18N, [note or "tiny"]),
        (1006, _INT32, [built]),
        (1009, _INT32, [sum(map(len, contents))]),
        (1014, _STRING, ["MIT"]),
        (1021, _STRING, ["linux"]),
        (1022, _STRING, [arch]),
        (1047, _ARRAY, [name]),
        (1112, _INT32, [_EQUAL]),
        (1113, _ARRAY, [f"{version}-{release}"]),
    ]
    if source:
        tags.append((1106, _INT32, [1]))
    else:
        tags.append((1044, _STRING, [f"{made_from or name}-{version}-{release}.src.rpm"]))
    if requires:
        parts = [requirement.split(" ") for requirement in requires]
        tags += [
            (1049, _ARRAY, [p[0] for p in parts]),
            (1048, _INT32, [{"=": 8, ">=": 12, "<": 2}[p[1]] if len(p) > 1 else 0 for p in parts]),
            (1050, _ARRAY, [p[2] if len(p) > 1 else "" for p in parts]),
        ]
    if names:
        tags += [
            (1028, _INT32, [len(content) for content in contents]),
            (1030, _INT16, [0o100644] * len(names)),
            (1035, _ARRAY, [sha256_bytes(content) for content in contents]),
            (1037, _INT32, [0] * len(names)),
            (1116, _INT32, [folders.index(path.rpartition("/")[0] + "/") for path in names]),
            (1117, _ARRAY, [path.rpartition("/")[2] for path in names]),
            (1118, _ARRAY, folders),
            (5011, _INT32, [8]),
        ]
    lead = struct.pack(">IBBHH66sHH16s", 0xEDABEEDB, 3, 0, int(source), 1, name.encode(), 1, 5, b"")
    signature = _header([(1000, _INT32, [0])], 62)
    path = folder / f"{name}-{version}-{release}.{'src' if source else arch}.rpm"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(lead + signature + b"\0" * (-len(signature) % 8) + _header(tags, 63))
    return RpmFile.of(path)


def _header(tags: Sequence[tuple[int, int, Sequence[str] | Sequence[int]]], region: int) -> bytes:
    index, data = b"", b""
    for tag, kind, values in sorted(tags):
        size = {_INT16: 2, _INT32: 4}.get(kind, 1)
        data += b"\0" * (-len(data) % size)
        index += struct.pack(">IIII", tag, kind, len(data), len(values))
        for value in values:
            if isinstance(value, int):
                data += struct.pack(">H" if kind == _INT16 else ">I", value)
            else:
                data += value.encode() + b"\0"
    count = len(tags) + 1
    index = struct.pack(">IIII", region, 7, len(data), 16) + index
    data += struct.pack(">IIiI", region, 7, -16 * count, 16)
    return b"\x8e\xad\xe8\x01\0\0\0\0" + struct.pack(">II", count, len(data)) + index + data
