"""The parts of a CycloneDX document, as JSON values, and the document itself.

Written here rather than by a library: documents of a few thousand packages take that seconds, and each
publication makes one. A test holds what is written against CycloneDX's own schema. Equal content gives equal
bytes: the serial number is made from the content, and the time is that of what is described.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote
from uuid import UUID

from packaging.utils import InvalidSdistFilename, parse_sdist_filename

Component = dict[str, Any]

_VERSION = "1.6"


def purl(
    kind: str, namespace: str | None, name: str, version: str, qualifiers: Mapping[str, str] | None = None
) -> str:
    """Return a package URL; qualifiers without a value are left out."""
    parts = [kind, *([namespace] if namespace else []), name]
    path = "/".join(quote(part, safe=":") for part in parts)
    pairs = sorted((key, value) for key, value in (qualifiers or {}).items() if value)
    query = "&".join(f"{key}={quote(value, safe=':')}" for key, value in pairs)
    return f"pkg:{path}@{quote(version, safe=':')}" + (f"?{query}" if query else "")


def component(
    kind: str,
    name: str,
    *,
    ref: str | None = None,
    version: str | None = None,
    purl: str | None = None,
    sha256: str | None = None,
    licence: str | None = None,
    scope: str | None = None,
    ancestors: Sequence[Component] = (),
    components: Sequence[Component] = (),
) -> Component:
    """Return a component; what is not said is left out.

    :param kind: one of CycloneDX's types: library, file, platform
    :param licence: an SPDX expression
    :param ancestors: what it was made from
    :param components: what it consists of
    """
    values: Component = {
        "type": kind,
        "bom-ref": ref,
        "name": name,
        "version": version,
        "scope": scope,
        "hashes": [{"alg": "SHA-256", "content": sha256}] if sha256 else None,
        "licenses": [{"expression": licence}] if licence else None,
        "purl": purl,
        "pedigree": {"ancestors": list(ancestors)} if ancestors else None,
        "components": list(components) or None,
    }
    return {key: value for key, value in values.items() if value is not None}


def sdist(filename: str, sha256: str) -> Component | None:
    """Return the component of a file with the name of a Python source distribution, None for any other."""
    try:
        name, version = parse_sdist_filename(filename)
    except InvalidSdistFilename:
        return None
    where = purl("pypi", None, name, str(version))
    return component("library", name, ref=where, version=str(version), purl=where, sha256=sha256)


def document(
    subject: Component,
    components: Iterable[Component],
    depends: Mapping[str, Iterable[str]],
    when: datetime | None,
) -> str:
    """Return the text of a document.

    :param subject: what it is about
    :param depends: reference of a component -> references of those that it needs
    :param when: the time of what is described
    """
    metadata: dict[str, Any] = {"component": subject}
    if when is not None:
        metadata["timestamp"] = when.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    value: dict[str, Any] = {
        "$schema": f"http://cyclonedx.org/schema/bom-{_VERSION}.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": _VERSION,
        "serialNumber": "",
        "version": 1,
        "metadata": metadata,
        "components": sorted(components, key=lambda one: str(one["bom-ref"])),
        "dependencies": [{"ref": ref, "dependsOn": sorted(set(depends[ref]))} for ref in sorted(depends)],
    }
    digest = hashlib.sha256(json.dumps(value, sort_keys=True).encode()).digest()
    value["serialNumber"] = UUID(bytes=digest[:16], version=5).urn
    return json.dumps(value, indent=1) + "\n"
