"""From built artifacts to a published repository: signing, rdo-release, checks, publication in one call."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from rdo.building.models import Artifact
from rdo.building.roots import ensure_tools
from rdo.building.sealed import Sandbox
from rdo.building.state import RunRecord
from rdo.building.store import Store
from rdo.common.errors import InputError
from rdo.common.installation import Installation
from rdo.common.progress import Progress
from rdo.distribution.models import Platform, Release
from rdo.repository.closure import platform_checker
from rdo.repository.contents import Choose, as_it_is, run_beside
from rdo.repository.expected import require_expected
from rdo.repository.keys import Key
from rdo.repository.metadata import RpmFile
from rdo.repository.publish import Published, publish, site_address
from rdo.repository.release_number import release_history, release_rpms
from rdo.repository.release_rpm import ReleasePackage
from rdo.repository.signing import is_signed, sign_rpms
from rdo.repository.snapshot_writer import Content
from rdo.repository.snapshots import folder_of, published_snapshot
from rdo.repository.wanted import canonical


def publish_last_run(
    run: RunRecord | None,
    *,
    release: Release,
    platform: Platform,
    store: Store,
    key: Key,
    installation: Installation,
    address: str | None = None,
    progress: Progress | None = None,
) -> Published:
    """Publish what is there and what the last run made, asked for by both together.

    A run that is published already, or none at all, leaves what is there; the address may be another one.

    :param run: the last one of the release and platform
    :raises InputError: there is nothing to publish, or the run has not got all that it was asked for
    :raises UncleanError: the packages are not closed or conflict; nothing was changed
    """
    if run is None:
        if published_snapshot(folder_of(installation.paths, platform.name, release.series)) is None:
            what = f"Nothing was built of {release.series} for {platform.name} yet."
            raise InputError(what, hint="Build first: rdo build PROJECT")
        artifacts: list[Artifact] = []
        choose = as_it_is(key)
    else:
        artifacts = artifacts_of(run, release, platform)
        choose = run_beside(canonical(run.asked, release, platform), run.started, key, installation.paths)
    return publish_artifacts(
        artifacts,
        choose,
        release=release,
        platform=platform,
        store=store,
        key=key,
        installation=installation,
        address=address,
        progress=progress,
    )


def artifacts_of(run: RunRecord, release: Release, platform: Platform) -> list[Artifact]:
    """Return the RPMs that a run made or found, without those of bootstrap steps.

    :raises InputError: the run was for another release or platform, it has none, or not all that was asked
        for: what a repository has must not go because a build failed
    """
    if (run.release, run.platform) != (release.series, platform.name):
        raise InputError(
            f"The last run was for {run.release} on {run.platform}, not {release.series} on {platform.name}.",
            hint="Build first: rdo build PROJECT",
        )
    if run.outcome != "succeeded":
        raise InputError(
            f"The last run for {run.release} on {run.platform} has not succeeded: it is {run.outcome}.",
            hint="rdo build --status says why.",
        )
    found = {a.filename: a for build in run.builds if build.stage == "full" for a in build.artifacts}
    if not found:
        raise InputError("The last run has no packages to publish.", hint="rdo build --status says why.")
    return [found[name] for name in sorted(found)]


def publish_artifacts(
    artifacts: Sequence[Artifact],
    choose: Choose,
    *,
    release: Release,
    platform: Platform,
    store: Store,
    key: Key,
    installation: Installation,
    address: str | None = None,
    progress: Progress | None = None,
) -> Published:
    """Sign artifacts of the store, add rdo-release, check them against the platform, and publish.

    Nothing is read, signed or checked again for what is published already.

    :param choose: says what of these, and of what is published, the repository shall have
    :param address: public address of the folder of repositories, see :func:`site_address`
    :raises UnexpectedError: some are not what their builds were to make; nothing was signed
    :raises UncleanError: the packages are not closed or conflict; nothing was changed
    :raises OvertakenError: what ``choose`` goes by is not so any more; nothing was changed
    """
    paths = installation.paths
    require_expected(artifacts, store, paths)

    def tools() -> Sandbox:
        return ensure_tools(platform, installation, progress).sandbox(paths)

    unsigned = [
        RpmFile(
            path=Path() if is_signed(one.sha256, key, paths) else store.path(one.sha256),
            filename=one.filename,
            sha256=one.sha256,
            size=one.size,
        )
        for one in artifacts
    ]
    signed = sign_rpms(unsigned, key, paths, tools, progress)

    def compose(snapshot: Path | None) -> Content:
        content = choose(snapshot, signed)
        binaries = [rpm.filename for rpm in content.rpms if not rpm.filename.endswith(".src.rpm")]
        names = {filename.rsplit("-", 2)[0] for filename in binaries}
        package = ReleasePackage(
            series=release.series,
            platform=platform.name,
            dist=platform.dist,
            released=release.released,
            address=site_address(paths, address),
            key=key,
            # A platform that offers less has some of them still.
            obsoletes={name: version for name, version in release.obsoletes.items() if name not in names},
        )
        ours = release_rpms(
            release_history(folder_of(paths, platform.name, release.series)),
            package.content,
            1 + len(release.obsoletes),
            lambda number: sign_rpms(package.build(number, paths, tools), key, paths, tools, progress),
        )
        return replace(content, rpms=[*content.rpms, *ours], release_content=package.content)

    return publish(
        compose,
        series=release.series,
        platform=platform.name,
        paths=paths,
        key=key,
        check=platform_checker(platform, installation, progress),
        address=address,
        progress=progress,
    )
