"""The factory in one call: from names to a signed, closed, published repository."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rdo.building.pipeline import Prepared, prepare
from rdo.building.platform_packages import require_configured
from rdo.building.rpmbuild import RootBuilder
from rdo.building.run import RunContext, RunSummary, build_all
from rdo.building.session import default_jobs, make_engine, run_session
from rdo.building.state import State
from rdo.building.store import open_store
from rdo.common.installation import Installation
from rdo.common.progress import Progress
from rdo.distribution.load import Distribution
from rdo.distribution.models import Platform, Release
from rdo.repository import keys
from rdo.repository.contents import all_of_run, repeated
from rdo.repository.publication import publish_artifacts
from rdo.repository.publish import Published
from rdo.repository.snapshots import folder_of
from rdo.repository.wanted import Wanted, wanted


@dataclass(frozen=True)
class Made:
    """What a run of the factory made; ``published`` is None where not everything could be built."""

    prepared: Prepared
    summary: RunSummary
    published: Published | None


def make_repository(
    distribution: Distribution,
    release: Release,
    platform: Platform,
    asked: Sequence[str],
    installation: Installation,
    progress: Progress,
    *,
    jobs: int | None = None,
    scheduler: str | None = None,
    publish: bool = True,
    only: bool = False,
    address: str | None = None,
) -> Made:
    """Resolve, fetch, generate, build in sealed roots, sign, check and publish.

    What was done before from the same inputs is not done again. A package that fails stops only those that
    need it; nothing is published then.

    A repository grows: what earlier publications of it were asked for is asked for again, at the versions and
    descriptions of today. Most of that is in the store, and the whole stays closed. Where somebody else
    changes what it is asked for meanwhile, all of that is gone through once more.

    :param asked: names as users write them
    :param jobs: builds at once, one a processor by default
    :param scheduler: address of a dask scheduler; an embedded cluster by default
    :param only: publish what is asked for now and drop the rest
    :param address: what clients reach the folder of repositories by
    :raises InputError: it is not said where the platform's packages are; nothing was begun
    :raises RdoError: as the rooms do, before or between builds; a failed build is in the summary instead
    """
    paths = installation.paths
    require_configured(platform, installation)
    folder = folder_of(paths, platform.name, release.series)

    def attempt() -> Made:
        names = wanted(folder, asked, release, platform, only=only) if publish else None
        if names is not None:
            _say_what_goes(names, release, progress)
        return make(names)

    def make(names: Wanted | None) -> Made:
        built = tuple(asked) if names is None else names.built
        prepared = prepare(distribution, release, platform, built, installation, progress)
        builder = RootBuilder.make(platform, installation, progress)
        store, state = installation.part(open_store), installation.part(State.open)
        engine = make_engine(jobs or default_jobs(), scheduler, paths)
        context = RunContext(release.series, built, paths)
        summary = build_all(prepared.requests, builder, store, state, engine, progress, context)
        published = None
        if names is not None and summary.ok and summary.results:
            published = publish_artifacts(
                summary.artifacts,
                all_of_run(names.requested, names.seen),
                release=release,
                platform=platform,
                store=store,
                key=keys.ensure(paths),
                installation=installation,
                address=address,
                progress=progress,
            )
        return Made(prepared, summary, published)

    with run_session(paths, platform.name, release.series, progress):
        return repeated(attempt)


def _say_what_goes(names: Wanted, release: Release, progress: Progress) -> None:
    if names.dropped:
        progress.message(f"No longer in the repository: {', '.join(names.dropped)}")
    if names.unshipped:
        progress.message(f"Not shipped any more in {release.series}: {', '.join(names.unshipped)}")
