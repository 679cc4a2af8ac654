"""Writes RPM files of any tags by hand: a lead, an empty signature, a header, a payload of no files."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from rdo.building.rpm_header import TAGS

Values = Sequence[str] | Sequence[int]

PAYLOAD = b"payload"
#: What every header says of that.
OF_PAYLOAD: Mapping[str, Values] = {
    "PAYLOADDIGEST": [hashlib.sha256(PAYLOAD).hexdigest()],
    "PAYLOADDIGESTALGO": [8],
}

_NUMBERS = {name: number for number, name in TAGS.items()}
_SINGLE = {"NAME", "VERSION", "RELEASE", "ARCH", "OS", "LICENSE", "SOURCERPM"}


def write(
    path: Path,
    tags: Mapping[str, Values],
    *,
    unknown: Mapping[int, Values] = MappingProxyType({}),
    region: int = 63,
    order: bool = True,
    payload: bytes = PAYLOAD,
) -> Path:
    """Write an RPM; numbers have 32 bits, but for modes. Tags that have no name here go by their number."""
    lead = b"\xed\xab\xee\xdb" + bytes(92)
    tags = {**tags, **OF_PAYLOAD} if order else {**OF_PAYLOAD, **tags}
    rows = [(_NUMBERS[name], name, values) for name, values in tags.items()]
    rows += [(number, "", values) for number, values in unknown.items()]
    rows = sorted(rows) if order else rows
    path.write_bytes(lead + _header([(1000, "", [0])], 62) + _header(rows, region) + payload)
    return path


def _header(rows: Sequence[tuple[int, str, Values]], region: int) -> bytes:
    index, data = b"", b""
    for tag, name, values in rows:
        width = "H" if name == "FILEMODES" else "I"
        if isinstance(values[0], int):
            data += bytes(-len(data) % struct.calcsize(width))
            kind = 3 if width == "H" else 4
            block = struct.pack(f">{len(values)}{width}", *values)
        else:
            kind = 6 if name in _SINGLE or name in ("PREIN", "POSTIN", "VERIFYSCRIPT") else 8
            block = b"".join(str(value).encode(errors="surrogateescape") + b"\0" for value in values)
        index += struct.pack(">IIII", tag, kind, len(data), len(values))
        data += block
    count = len(rows) + 1
    index = struct.pack(">IIII", region, 7, len(data), 16) + index
    data += struct.pack(">IIiI", region, 7, -16 * count, 16)
    whole = b"\x8e\xad\xe8\x01\0\0\0\0" + struct.pack(">II", count, len(data)) + index + data
    return whole + bytes(-len(whole) % 8) if region == 62 else whole
