"""The steps that give a host our repository: key and address, both checked by dnf from then on."""

from __future__ import annotations

from pydantic import SecretStr

from rdo.cloud.plan import AnyStep, File, Packages
from rdo.cloud.topology import Topology
from rdo.repository.release_rpm import KEY_PATH, repo_file, repo_file_path


def steps(topology: Topology) -> tuple[AnyStep, ...]:
    """Return the steps that make ``dnf install`` find our packages and trust nothing unsigned."""
    repository = topology.repository
    return (
        File(
            id="repository-key",
            title="Key of the repository",
            path=KEY_PATH,
            content=SecretStr(repository.public_key),
        ),
        File(
            id="repository",
            title=f"Repository {repository.url}",
            path=repo_file_path(repository.series),
            content=SecretStr(repo_file(repository.series, repository.url)),
        ),
        Packages(id="release-package", title="Package rdo-release", names=("rdo-release",)),
    )
