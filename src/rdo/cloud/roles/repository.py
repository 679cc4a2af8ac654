"""The steps that give a host our repository: key and address, both checked by dnf from then on."""

from __future__ import annotations

from pydantic import SecretStr

from rdo.cloud.plan import AnyStep, File, Packages
from rdo.cloud.topology import Topology
from rdo.repository.release_rpm import KEY_PATH, NAME, VARIABLE, repo_file


def steps(topology: Topology) -> tuple[AnyStep, ...]:
    """Return the steps that make ``dnf install`` find our packages and trust nothing unsigned.

    The files are those of the ``rdo-release`` package, which then owns them: the package itself is already
    installed with its signature checked.
    """
    repository = topology.repository
    return (
        File(
            id="repository-key",
            title="Key of the repository",
            path=KEY_PATH,
            content=SecretStr(repository.public_key),
        ),
        File(
            id="repository-server",
            title=f"Repository server {repository.server}",
            path=f"/etc/dnf/vars/{VARIABLE}",
            content=SecretStr(repository.server + "\n"),
        ),
        File(
            id="repository",
            title=f"Repository of {repository.series}",
            path=f"/etc/yum.repos.d/rdo-{repository.series}.repo",
            content=SecretStr(repo_file(repository.series, repository.platform)),
        ),
        Packages(id="release-package", title=f"Package {NAME}", names=(NAME,)),
    )
