"""RPM headers, read outside of the seal from files that hostile code may have written.

The format is rpm's version 4 (docs/manual/format_v4.md of rpm's sources): a lead of 96 bytes, the signature's
header, padding to eight bytes, the header, the payload. rpmbuild writes only one shape of it: each tag once,
in ascending order, all inside the immutable region. Everything else is refused, so that no other reader sees
another value than this one does. Every length is checked before it is used.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import BinaryIO

from rdo.common.errors import RdoError

#: Bytes that a header's data may have. rpm itself takes 256 MiB; the largest of OpenStack's has below 4.
MAX_DATA = 64 << 20
#: Tags that a header may have; rpm itself takes 65,535.
MAX_TAGS = 4096

_SHA256 = 8  # its number in OpenPGP (RFC 4880, 9.4)
_LEAD, _INTRO = 96, 16
_MAGIC = b"\x8e\xad\xe8\x01\0\0\0\0"
_IMMUTABLE, _SIGNATURES = 63, 62
_REGION = struct.Struct(">IIiI")
_INTEGERS = {1: "B", 2: "B", 3: "H", 4: "I", 5: "Q"}
_STRING, _BINARY, _STRINGS, _I18N = 6, 7, 8, 9

# Numbers and, after each, the names of the tags from there on (rpm's include/rpm/rpmtag.h).
_NUMBERED = """
1000 NAME VERSION RELEASE EPOCH
1014 LICENSE
1021 OS ARCH PREIN POSTIN PREUN POSTUN
1028 FILESIZES
1030 FILEMODES
1035 FILEDIGESTS FILELINKTOS FILEFLAGS
1039 FILEUSERNAME FILEGROUPNAME
1044 SOURCERPM
1047 PROVIDENAME REQUIREFLAGS REQUIRENAME REQUIREVERSION
1053 CONFLICTFLAGS CONFLICTNAME CONFLICTVERSION
1065 TRIGGERSCRIPTS TRIGGERNAME TRIGGERVERSION TRIGGERFLAGS TRIGGERINDEX
1079 VERIFYSCRIPT
1085 PREINPROG POSTINPROG PREUNPROG POSTUNPROG
1090 OBSOLETENAME VERIFYSCRIPTPROG TRIGGERSCRIPTPROG
1098 PREFIXES
1106 SOURCEPACKAGE
1112 PROVIDEFLAGS PROVIDEVERSION OBSOLETEFLAGS OBSOLETEVERSION DIRINDEXES BASENAMES DIRNAMES
1151 PRETRANS POSTTRANS PRETRANSPROG POSTTRANSPROG
5010 FILECAPS
5020 PREINFLAGS POSTINFLAGS PREUNFLAGS POSTUNFLAGS PRETRANSFLAGS POSTTRANSFLAGS VERIFYSCRIPTFLAGS
5027 TRIGGERSCRIPTFLAGS
5035 ORDERNAME ORDERVERSION ORDERFLAGS
5046 RECOMMENDNAME RECOMMENDVERSION RECOMMENDFLAGS SUGGESTNAME SUGGESTVERSION SUGGESTFLAGS
5052 SUPPLEMENTNAME SUPPLEMENTVERSION SUPPLEMENTFLAGS ENHANCENAME ENHANCEVERSION ENHANCEFLAGS
5066 FILETRIGGERSCRIPTS FILETRIGGERSCRIPTPROG FILETRIGGERSCRIPTFLAGS
5069 FILETRIGGERNAME FILETRIGGERINDEX FILETRIGGERVERSION FILETRIGGERFLAGS
5076 TRANSFILETRIGGERSCRIPTS TRANSFILETRIGGERSCRIPTPROG TRANSFILETRIGGERSCRIPTFLAGS
5079 TRANSFILETRIGGERNAME TRANSFILETRIGGERINDEX TRANSFILETRIGGERVERSION TRANSFILETRIGGERFLAGS
5084 FILETRIGGERPRIORITIES TRANSFILETRIGGERPRIORITIES
5092 PAYLOADDIGEST PAYLOADDIGESTALGO
5103 PREUNTRANS POSTUNTRANS PREUNTRANSPROG POSTUNTRANSPROG PREUNTRANSFLAGS POSTUNTRANSFLAGS SYSUSERS
"""

#: Those tags that anything here asks for, under rpm's names.
TAGS: Mapping[int, str] = {
    int(first) + number: name
    for first, *names in map(str.split, _NUMBERED.strip().splitlines())
    for number, name in enumerate(names)
}

# What rpmbuild writes besides, and what no host acts on: texts, times, hashes, and what files are made of.
# It doesn't write the older forms of tags (OLDFILENAMES, FILEUIDS), which rpm would still go by.
_INERT = frozenset(
    {
        *(100, *range(1004, 1008), *range(1009, 1012), 1015, 1016, *range(1018, 1021)),  # words, times
        *(1033, 1034, 1045, 1046, *range(1095, 1098), *range(1140, 1146), 5008, 5009, 5011),  # of files
        *(1051, 1052, *range(1059, 1063), *range(1080, 1083), 1089, 5012, 5034, 5099, 5100, 5101),  # of specs
        *(1064, 1094, *range(1122, 1127), 1132, 1146, 1155, 5062, 5097),  # of the build
    }
)

#: What a header says: tag -> its values. Strings that are no UTF-8 keep their bytes as surrogates.
Tags = Mapping[str, Sequence[str | int]]


class RpmHeaderError(RdoError):
    """A file is no RPM as rpmbuild writes it."""


@dataclass(frozen=True)
class _Entry:
    tag: int
    kind: int
    offset: int
    count: int


def read_header(path: Path) -> dict[str, list[str | int]]:
    """Return those values of an RPM's header that :data:`TAGS` names.

    :raises RpmHeaderError: the file is no RPM, or has another shape than rpmbuild gives it
    """
    with path.open("rb") as stream:
        return _tags(stream)


def read_whole(path: Path) -> dict[str, list[str | int]]:
    """Return the same as :func:`read_header`, of an RPM whose payload is the one that its header is of.

    :raises RpmHeaderError: see there; or all that follows the header hasn't got the hash that it says
    """
    with path.open("rb") as stream:
        tags = _tags(stream)
        found = hashlib.file_digest(stream, "sha256").hexdigest()
    if tags.get("PAYLOADDIGEST") != [found] or tags.get("PAYLOADDIGESTALGO") != [_SHA256]:
        raise RpmHeaderError("has a payload that isn't the one of its header")
    return tags


def _tags(stream: BinaryIO) -> dict[str, list[str | int]]:
    """Read up to the payload."""
    try:
        if not _exactly(stream, _LEAD).startswith(b"\xed\xab\xee\xdb"):
            raise RpmHeaderError("is no RPM")
        _, data = _section(stream, _SIGNATURES)
        _exactly(stream, -len(data) % 8)
        entries, data = _section(stream, _IMMUTABLE)
    except (struct.error, ValueError, IndexError, OverflowError) as error:
        raise RpmHeaderError("has a header that can't be read") from error
    if odd := [str(entry.tag) for entry in entries if entry.tag not in TAGS and entry.tag not in _INERT]:
        raise RpmHeaderError(f"has a header with tags that rpmbuild doesn't write: {', '.join(odd[:20])}")
    return {TAGS[entry.tag]: _values(entry, data) for entry in entries if entry.tag in TAGS}


def _exactly(stream: BinaryIO, size: int) -> bytes:
    block = stream.read(size)
    if len(block) != size:
        raise RpmHeaderError("is no RPM, or is cut off")
    return block


def _section(stream: BinaryIO, region: int) -> tuple[list[_Entry], bytes]:
    """Read one header; return its entries but for the region's, and its data."""
    intro = _exactly(stream, _INTRO)
    count, size = struct.unpack(">II", intro[8:])
    if intro[:8] != _MAGIC or not 0 < count <= MAX_TAGS or not _INTRO <= size <= MAX_DATA:
        raise RpmHeaderError("has a header that can't be read")
    index = _exactly(stream, count * 16)
    data = _exactly(stream, size)
    entries = [_Entry(*fields) for fields in struct.iter_unpack(">IIII", index)]
    first, entries = entries[0], entries[1:]
    if region == _SIGNATURES:
        # what it says is rpm's business; its data matters only for where the header begins
        return entries, data
    trailer = _REGION.unpack_from(data, first.offset)
    whole = (region, _BINARY, -16 * count, 16)
    if (first.tag, first.kind, first.count) != (region, _BINARY, 16) or trailer != whole:
        raise RpmHeaderError("has a header that isn't one immutable region")
    if first.offset != size - 16 or any(one.tag >= other.tag for one, other in pairwise(entries)):
        raise RpmHeaderError("has a header with tags out of order, or twice")
    return entries, data


def _values(entry: _Entry, data: bytes) -> list[str | int]:
    name, end = TAGS[entry.tag], len(data)
    if entry.kind in _INTEGERS:
        shape = struct.Struct(f">{entry.count}{_INTEGERS[entry.kind]}") if entry.count <= end else None
        if shape is None or entry.offset + shape.size > end:
            raise RpmHeaderError(f"has a header whose {name} leaves its data")
        return list(shape.unpack_from(data, entry.offset))
    if entry.kind not in (_STRING, _STRINGS, _I18N) or (entry.kind == _STRING and entry.count != 1):
        raise RpmHeaderError(f"has a header whose {name} has an unknown type")
    if not 0 < entry.count <= end:
        raise RpmHeaderError(f"has a header whose {name} leaves its data")
    # one split for all of them: those of files have thousands of strings
    parts = data[entry.offset :].split(b"\0", entry.count)
    if len(parts) <= entry.count:
        raise RpmHeaderError(f"has a header whose {name} leaves its data")
    return [part.decode(errors="surrogateescape") for part in parts[: entry.count]]
