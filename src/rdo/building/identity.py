"""The identity of a build: one hash over everything that goes into it. Same hash, same RPMs."""

from __future__ import annotations

import json
from collections.abc import Sequence

from rdo.building.models import BuildRequest
from rdo.common.files import sha256_bytes

#: Raised when the tool's way of building changes what comes out of the same inputs.
BUILD_FORMAT = 1


def input_hash(request: BuildRequest, layers: Sequence[str], *, platform: str, macros: str) -> str:
    """Return the input hash of a build, 64 hexadecimal digits.

    The order of sources plays no part, that of layers does (an upper one hides what is below). Time limits
    and the names of packages built before play none: they do not go into the root.

    :param layers: ids of everything in the root, in overlay order; each names its layer's content
    :param platform: the platform's name
    :param macros: digest of the RPM macros that the root gets
    """
    parts = {
        "format": BUILD_FORMAT,
        "platform": platform,
        "macros": macros,
        "spec": sha256_bytes(request.spec.encode()),
        "sources": sorted([source.filename, source.sha256] for source in request.sources),
        "root": list(layers),
        "check": request.with_check,
    }
    canonical = json.dumps(parts, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return sha256_bytes(canonical.encode())
