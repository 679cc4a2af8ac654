"""What the commands take where the user says nothing: the data's place, the release, the platform."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rdo.common.errors import InputError
from rdo.common.installation import Installation
from rdo.distribution.load import Distribution
from rdo.distribution.models import Platform, Release

_OS_RELEASE = Path("/etc/os-release")


def open_distribution(installation: Installation) -> Distribution:
    """Open the distribution's data of an installation, and check all of it; that takes 0.1 s.

    :raises DataError: all mistakes in all files
    """
    distribution = Distribution.load(installation.paths.distribution)
    distribution.check()
    return distribution


def choose_release(option: str | None, installation: Installation, distribution: Distribution) -> Release:
    """Return the release of a series: the option's, the settings', or the newest maintained one.

    :param option: what the user said with ``--release``
    :raises UnknownNameError: there is no such series
    :raises InputError: none is said and none is maintained
    """
    if series := option or installation.settings.release:
        return distribution.release(series)
    for name in reversed(distribution.series()):
        release = distribution.release(name)
        if release.phase == "maintained":
            return release
    raise InputError("No release in the data is maintained.", hint="Say which one: --release SERIES.")


def choose_platform(
    option: str | None,
    release: Release,
    distribution: Distribution,
    *,
    os_release: Path = _OS_RELEASE,
) -> Platform:
    """Return a platform: the option's, or the one that this machine is nearest to.

    Enterprise Linux 10 and 9 mean ``el10`` and ``el9`` where the release is for them; any other system means
    ``debian13``, whose roots can be made everywhere.

    :param option: what the user said with ``--platform``
    :raises UnknownNameError: there is no such platform
    :raises InputError: the release is not for it
    """
    name = option or _platform_of_machine(os_release, release)
    platform = distribution.platform(name)
    if name not in release.platforms:
        raise InputError(
            f"{release.series} is not made for {name}.", hint=f"It is for {', '.join(release.platforms)}."
        )
    return platform


def choose_projects(names: Sequence[str] | None, everything: bool, release: Release) -> list[str]:
    """Return what a command is about: the names that the user said, or with ``--all`` what a release ships.

    :raises InputError: both are said, or neither
    """
    if names and everything:
        raise InputError(
            f"--all is everything that {release.series} ships; names beside it add nothing.",
            hint="Say either names or --all.",
        )
    if not names and not everything:
        raise InputError("Which projects?", hint="Say their names (keystone), or --all for everything.")
    return list(names or release.shipped)


def _platform_of_machine(os_release: Path, release: Release) -> str:
    fields: dict[str, str] = {}
    if os_release.is_file():
        for line in os_release.read_text(errors="replace").splitlines():
            key, separator, value = line.partition("=")
            if separator:
                fields[key] = value.strip("\"'")
    likeness = {fields.get("ID", ""), *fields.get("ID_LIKE", "").split()}
    if likeness & {"rhel", "centos"}:
        name = "el" + fields.get("VERSION_ID", "").partition(".")[0]
        if name in release.platforms:
            return name
    return "debian13"
