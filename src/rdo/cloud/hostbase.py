"""The base of hosts that are to run our packages: what these take from the platform is on it already.

On EL a host gets it from the platform's own repositories. Test hosts have no way out, and Debian's packages
are not RPMs, so it is laid into the base that they boot from.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rdo.cloud.roles.keystone import DRIVERS
from rdo.cloud.testhosts import image
from rdo.common.paths import Paths
from rdo.common.progress import Progress
from rdo.distribution.load import Distribution
from rdo.distribution.models import Platform, Release
from rdo.packaging.closure import resolve_closure
from rdo.packaging.resolution_model import Resolution
from rdo.repository.asked import names_asked
from rdo.repository.snapshots import folder_of


def debs_for(resolution: Resolution) -> list[str]:
    """Return what a host needs of the platform to run a resolution's packages."""
    return sorted(
        {
            node.package
            for node in resolution.provided
            if any(reason.kind != "build" for reason in node.reasons)
        }
    )


def ensure_base(
    distribution: Distribution,
    release: Release,
    platform: Platform,
    paths: Paths,
    progress: Progress,
    *,
    debs: Sequence[str] = (),
) -> list[Path]:
    """Return the layers of hosts that can install everything in the published repository, topmost first.

    :param debs: further packages of the platform
    :raises InputError: hosts of this platform can't be made, or not root
    """
    wanted = set(debs)
    if names := names_asked(folder_of(paths, platform.name, release.series)):
        asked = dict.fromkeys((*names, *DRIVERS))
        wanted |= set(debs_for(resolve_closure(distribution, release, platform, [*asked], paths, progress)))
    return image.ensure_host_base(platform, paths, sorted(wanted), progress)
