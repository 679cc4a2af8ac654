"""The steps that give a host our repository: key and address, both checked by dnf from then on."""

from __future__ import annotations

from rdo.cloud.plan import AnyStep, File, Script, Stage
from rdo.cloud.shell import sh
from rdo.cloud.texts import Text
from rdo.cloud.topology import Repository
from rdo.repository.release_rpm import KEY_PATH, NAME, VARIABLE, repo_file

#: Steps of files that the package owns once it is there.
REPOSITORY_FILES = ("repository-key", "repository-server", "repository")


def steps(repository: Repository) -> tuple[AnyStep, ...]:
    """Return the steps that make ``dnf install`` find our packages and trust nothing unsigned.

    The files are those of the ``rdo-release`` package, which then owns them: the package itself is already
    installed with its signature checked.
    """
    return (
        File(
            id="repository-key",
            title="Key of the repository",
            stage=Stage.REPOSITORY,
            group="repository",
            path=KEY_PATH,
            content=Text(repository.public_key),
        ),
        File(
            id="repository-server",
            title=f"Repository server {repository.server}",
            stage=Stage.REPOSITORY,
            group="repository",
            path=f"/etc/dnf/vars/{VARIABLE}",
            content=Text(repository.server + "\n"),
        ),
        File(
            id="repository",
            title=f"Repository of {repository.series}",
            stage=Stage.REPOSITORY,
            group="repository",
            path=f"/etc/yum.repos.d/rdo-{repository.series}.repo",
            content=Text(repo_file(repository.series, repository.platform)),
        ),
        # before all others, so that they come from a repository whose package says which one it is
        Script(
            id="release-package",
            title=f"Package {NAME}",
            stage=Stage.REPOSITORY,
            group="repository",
            unless=sh("rpm -q %(name)s", name=NAME),
            script=sh("dnf -y -q install %(name)s", name=NAME),
        ),
    )
