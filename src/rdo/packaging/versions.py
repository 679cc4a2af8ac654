"""Versions: from PEP 440 to RPM, so that RPM sorts them as Python does.

RPM sorts ``~`` before everything, the end of the version included, and ``^`` after the end but before
anything else. ``1.0.post1`` lies between ``1.0`` and ``1.0.1`` for Python, as ``1.0^post1`` does for RPM.
"""

from __future__ import annotations

from typing import NamedTuple

from packaging.version import Version


class RpmVersion(NamedTuple):
    """An RPM version. ``epoch`` 0 is the same as none."""

    epoch: int
    version: str

    def __str__(self) -> str:
        return f"{self.epoch}:{self.version}" if self.epoch else self.version


def rpm_version(version: str | Version) -> RpmVersion:
    """Return the version of a package.

    A final release keeps its zeros (``29.0.0``). The parts in their order: pre-release ``~rc1``, post-release
    ``^post1``, development release ``~dev1`` (``~~dev1`` straight after the release, to sort before ``~a1``),
    local part ``^local.x``, which sorts before ``^post``.

    :raises packaging.version.InvalidVersion: no version by PEP 440
    """
    parsed = Version(version) if isinstance(version, str) else version
    text = ".".join(str(part) for part in parsed.release)
    if parsed.pre is not None:
        text += f"~{parsed.pre[0]}{parsed.pre[1]}"
    if parsed.post is not None:
        text += f"^post{parsed.post}"
    if parsed.dev is not None:
        text += (
            f"~dev{parsed.dev}" if parsed.pre is not None or parsed.post is not None else f"~~dev{parsed.dev}"
        )
    if parsed.local is not None:
        text += f"^local.{parsed.local}"
    return RpmVersion(parsed.epoch, text)


def dependency_version(version: str | Version, *, release: tuple[int, ...] | None = None) -> str:
    """Return a version as RPM's generator of ``python3dist(x) = v`` writes it, so that both compare.

    It drops the release's trailing zeros and keeps only one of pre-, development and post-release
    (pythondistdeps.py of RPM's python generators).

    :param release: take this release segment instead, with nothing after it
    """
    parsed = Version(version) if isinstance(version, str) else version
    parts = list(parsed.release if release is None else release)
    while len(parts) > 1 and parts[-1] == 0:
        parts.pop()
    text = ".".join(str(part) for part in parts)
    if parsed.epoch:
        text = f"{parsed.epoch}:{text}"
    if release is not None:
        return text
    if parsed.pre is not None:
        return f"{text}~{parsed.pre[0]}{parsed.pre[1]}"
    if parsed.dev is not None:
        # written apart by the generator, too: "~~dev1" is before every pre-release
        return f"{text}~~dev{parsed.dev}"
    if parsed.post is not None:
        return f"{text}^post{parsed.post}"
    return text
