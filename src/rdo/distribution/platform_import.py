"""Finds out which Python distributions a platform's own packages offer, whatever kind of platform it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rdo.distribution.models import DebootstrapRoot, Platform, Provided


@dataclass(frozen=True)
class ImportedPlatform:
    """What a platform offers, by canonical index name, where that is known from, and notes for people."""

    provides: dict[str, Provided]
    origin: str
    notes: tuple[str, ...]


def import_platform(
    platform: Platform,
    cache: Path,
    *,
    repositories: Sequence[str] = (),
    mirror: str | None = None,
    el_mirror: str | None = None,
    el_key: str | None = None,
) -> ImportedPlatform:
    """Find out what a platform offers.

    :param cache: folder for what is fetched on the way
    :param repositories: RPM repositories (folders or addresses) instead of the platform's own
    :param mirror: Debian archive instead of the host's
    :param el_mirror: folder or address of EL's mirror, for the platform's own repositories
    :param el_key: their key, instead of the one that the data names
    :raises RdoError: nothing to read from, or it can't be read
    """
    if isinstance(platform.root, DebootstrapRoot):
        from rdo.distribution.debian import import_provides, mirror_of_host

        suite = platform.root.suite
        found, origin, notes = import_provides(cache / "apt" / suite, suite, mirror or mirror_of_host())
        words = f"Written by `rdo platform import {platform.name}` from {origin} of Debian {suite}."
        return ImportedPlatform(found, words, tuple(notes))

    from rdo.distribution.rpm_repositories import import_provides as import_rpm_provides

    found, notes = import_rpm_provides(platform, repositories, el_mirror, el_key)
    words = f"Written by `rdo platform import {platform.name}` from the metadata of its RPM repositories."
    return ImportedPlatform(found, words, tuple(notes))
