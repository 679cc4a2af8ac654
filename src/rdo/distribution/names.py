"""Checked strings of the data files: versions, markers, canonical index names."""

from __future__ import annotations

import re
from typing import Annotated

from packaging.markers import InvalidMarker, Marker
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version
from pydantic import AfterValidator

_COMMIT = re.compile(r"[0-9a-f]{40}\Z")
_SHA256 = re.compile(r"[0-9a-f]{64}\Z")
_FILENAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+!~-]*")


def check_version(text: str) -> str:
    """Return ``text`` when it is a version by PEP 440.

    :raises ValueError: it is not
    """
    try:
        Version(text)
    except InvalidVersion as error:
        raise ValueError(f"{text!r} is no version") from error
    if text != text.strip():
        raise ValueError(f"{text!r} has blanks around the version")
    return text


def check_marker(text: str) -> str:
    """Return ``text`` when it is an environment marker by PEP 508.

    :raises ValueError: it is not
    """
    try:
        Marker(text)
    except InvalidMarker as error:
        reason = str(error).splitlines()[0]
        raise ValueError(f"{text!r} is no marker: {reason}") from error
    return text


def check_dist(text: str) -> str:
    """Return ``text`` when it is a canonical index name: lower case, runs of ``-_.`` as one dash.

    :raises ValueError: it is not
    """
    canonical = canonicalize_name(text)
    if canonical != text:
        raise ValueError(f"{text!r} is no canonical index name; it would be {canonical!r}")
    if not re.fullmatch(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?", text):
        raise ValueError(f"{text!r} is no index name")
    return text


def check_commit(text: str) -> str:
    """Return ``text`` when it is the full hash of a git commit.

    :raises ValueError: it is not
    """
    if not _COMMIT.match(text):
        raise ValueError(f"{text!r} is no commit: 40 hexadecimal digits are expected")
    return text


def check_sha256(text: str) -> str:
    """Return ``text`` when it is 64 hexadecimal digits.

    :raises ValueError: it is not
    """
    if not _SHA256.match(text):
        raise ValueError(f"{text!r} is no SHA-256: 64 hexadecimal digits are expected")
    return text


def check_filename(text: str) -> str:
    """Return ``text`` when it is a file name that is one word in a lock, a spec and a shell.

    :raises ValueError: it is not
    """
    if not is_filename(text):
        raise ValueError(f"{text!r} isn't a plain file name")
    return text


def is_filename(text: str) -> bool:
    """Return True for a file name of letters, digits and ``_.+!~-``."""
    return _FILENAME.fullmatch(text) is not None


VersionText = Annotated[str, AfterValidator(check_version)]
MarkerText = Annotated[str, AfterValidator(check_marker)]
DistName = Annotated[str, AfterValidator(check_dist)]
FileName = Annotated[str, AfterValidator(check_filename)]
CommitHash = Annotated[str, AfterValidator(check_commit)]
