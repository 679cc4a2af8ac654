"""The base of hosts that are to run our packages: what these take from the platform is on it already.

On EL a host gets it from the platform's own repositories. Test hosts have no way out, and Debian's packages
are not RPMs, so it is laid into the base that they boot from.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

from rdo.building.planner import RootPlanner, UnsatisfiedError
from rdo.building.rpminfo import RpmInfo
from rdo.cloud.credentials import Credentials
from rdo.cloud.deployment import DRIVERS, TEMPEST, asked_for
from rdo.cloud.pki import Authority
from rdo.cloud.plan import Packages
from rdo.cloud.roles import plans
from rdo.cloud.testhosts import image
from rdo.cloud.topology import Cloud, Repository, Site
from rdo.common.errors import InputError, RdoError
from rdo.common.installation import Installation
from rdo.common.paths import Paths
from rdo.common.progress import Progress
from rdo.distribution.load import Distribution
from rdo.distribution.models import Platform, Release
from rdo.packaging.closure import resolve_closure
from rdo.packaging.resolution_model import Resolution
from rdo.repository.closure import published_infos
from rdo.repository.factory import make_repository
from rdo.repository.publish import show
from rdo.repository.snapshots import folder_of
from rdo.repository.wanted import shipped_names


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
    installation: Installation,
    progress: Progress,
    *,
    debs: Sequence[str] = (),
) -> list[Path]:
    """Return the layers of hosts that can install everything in the published repository, topmost first.

    :param debs: further packages of the platform
    :raises InputError: hosts of this platform can't be made, or not root
    """
    wanted = set(debs)
    if names := shipped_names(
        folder_of(installation.paths, platform.name, release.series), release, platform
    ):
        asked = dict.fromkeys((*names, *DRIVERS))
        wanted |= set(
            debs_for(resolve_closure(distribution, release, platform, [*asked], installation, progress))
        )
    return image.ensure_host_base(platform, installation, sorted(wanted), progress)


def ensure_cloud_base(
    distribution: Distribution,
    release: Release,
    platform: Platform,
    installation: Installation,
    progress: Progress,
    cloud: Cloud,
) -> list[Path]:
    """Return the layers of hosts that a cloud can be put up on, building what the repository lacks for it.

    :raises InputError: hosts of this platform can't be made, or not root
    :raises UnsatisfiedError: the packages can't be installed together
    """
    paths = installation.paths
    image.require_hosts(platform)
    # what tries a cloud runs on its controller as well, and test hosts get nothing of the platform later on
    names = [*_packages_of(cloud), TEMPEST]
    planner = RootPlanner(platform, installation, progress)
    with progress.task("Packages of the cloud"):
        try:
            infos = _published(release, platform, paths)
            plan = planner.plan(names, infos, what=f"the cloud {cloud.name}")
        except (UnsatisfiedError, InputError):
            made = make_repository(
                distribution,
                release,
                platform,
                [*asked_for(cloud.services), "tempest"],
                installation,
                progress,
            )
            if made.published is None:
                failed = "; ".join(f"{r.package}: {r.reason or 'failed'}" for r in made.summary.of("failed"))
                raise RdoError(
                    f"Not everything could be built: {failed}", hint="rdo build --status"
                ) from None
            infos = _published(release, platform, paths)
            plan = planner.plan(names, infos, what=f"the cloud {cloud.name}")
    return image.ensure_host_base(platform, installation, sorted({deb.name for deb in plan.debs}), progress)


def _published(release: Release, platform: Platform, paths: Paths) -> list[RpmInfo]:
    return published_infos(show(paths, platform.name, release.series).path, paths)


def _packages_of(cloud: Cloud) -> list[str]:
    """Return the packages that the plans of a cloud would install, on all hosts."""
    repository = Repository(series="", platform="", server="", public_key="")
    with tempfile.TemporaryDirectory() as folder:
        # only names are asked for here: what these plans have of secrets is thrown away
        site = Site(cloud=cloud, repository=repository)
        made = plans(site, Credentials(Path(folder, "passwords.json")), Authority(Path(folder, "pki")))
    return sorted(
        {name for plan in made for step in plan.steps if isinstance(step, Packages) for name in step.names}
    )
