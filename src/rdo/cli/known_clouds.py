"""The clouds that commands name, and what several of those commands do alike."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rdo.cli.output import print

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from rdo.cloud.apply import Applier
    from rdo.cloud.deployment import Deployment
    from rdo.cloud.given import Given
    from rdo.cloud.plan import ApplyReport, StepResult
    from rdo.cloud.topology import Cloud
    from rdo.common.installation import Installation
    from rdo.common.paths import Paths
    from rdo.common.progress import Progress
    from rdo.distribution.load import Distribution
    from rdo.distribution.models import Platform, Release

CloudName = Annotated[
    str | None, typer.Argument(help="The cloud's file, or the name of a cloud that was put up from here.")
]
Checks = Annotated[
    bool,
    typer.Option("--checks/--no-checks", help="Look at options and hosts first."),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do it; without, it is only shown.")]


def deployment_of(
    name: str | None,
    release: str | None,
    *,
    all_run: bool = True,
    given: Mapping[str, Given] | None = None,
    adopt: bool = False,
) -> Deployment:
    """Return the plans of the cloud that an operator has named; ``given`` are passwords of theirs."""
    from rdo.cli.installation import open_installation

    installation = open_installation()
    described = cloud_named(installation.paths, name, adopt=adopt)
    return describe(installation, described, release, all_run=all_run, given=given)


def describe(
    installation: Installation,
    described: Cloud,
    release: str | None,
    *,
    all_run: bool = True,
    given: Mapping[str, Given] | None = None,
) -> Deployment:
    """Return the plans of a cloud, on the series and the platform that it, or ``release``, says."""
    from rdo.cloud import deployment, records, repositorykey

    paths = installation.paths

    _, series, platform = base_of(installation, release or described.series, described.platform)
    if (told := repositorykey.ensure(paths, described, platform.name, series.series)) is not None:
        print(told, file=sys.stderr)
    known = records.test_hosts_of(paths, described)
    return deployment.describe(
        paths, described, series, platform, test_hosts=known, all_run=all_run, given=given
    )


def base_of(
    installation: Installation, release: str | None, platform: str | None
) -> tuple[Distribution, Release, Platform]:
    """Return the distribution, and of it a series and a platform: those named, or else the usual ones."""
    from rdo.cli.defaults import choose_platform, choose_release, open_distribution

    distribution = open_distribution(installation)
    series = choose_release(release, installation, distribution)
    return distribution, series, choose_platform(platform, series, distribution)


def cloud_named(paths: Paths, name: str | None, *, adopt: bool = False) -> Cloud:
    """Return the cloud of an operator's file, or one that was put up from here.

    :param adopt: the file's cloud is the one that is kept under its name
    :raises InputError: there is none of that name, or the file has mistakes, or its name is another cloud's
    """
    from rdo.cloud.records import described, recall
    from rdo.common.errors import InputError

    if name is None:
        raise InputError("Which cloud?", hint="Its file, or the name of one that was put up from here.")
    file = file_of(name)
    return recall(paths, name) if file is None else described(paths, file, adopt=adopt)


@contextmanager
def changing(paths: Paths, name: str | None, command: str) -> Iterator[Cloud]:
    """Hold the lock of the cloud that an operator has named, and yield it as it is then.

    :param command: the command's name below ``rdo cloud``
    :raises BusyError: another command changes it just now
    """
    from rdo.cloud import busy

    with busy.changing(paths, cloud_named(paths, name).name, f"rdo cloud {command}"):
        # another command may have changed it before this one had the lock
        yield cloud_named(paths, name)


def file_of(name: str | None) -> Path | None:
    """Return the operator's file that a cloud was named by; None where its name is one that we keep."""
    if name is not None and (Path(name).suffix in (".yaml", ".yml") or Path(name).is_file()):
        return Path(name)
    return None


def look_first(
    deployment: Deployment, file: Path | None, report: Progress, *, taking_over: bool = False
) -> None:
    """Look at options and hosts before anything is done.

    :param file: the operator's, if there is one
    :param taking_over: the hosts may have a cloud with other secrets
    """
    from rdo.cli.installation import open_installation
    from rdo.cloud.optionschema import check_options
    from rdo.cloud.preflight import check
    from rdo.distribution.rpm_repositories import UnreachableError

    try:
        check_options(
            deployment.plans,
            deployment.site.cloud,
            deployment.site.repository.series,
            deployment.platform,
            open_installation(),
            report,
            file=file,
        )
    except UnreachableError as error:
        # hosts may know the repository by an address that only they reach
        print(f"{error} Options are not checked.", file=sys.stderr)
    check(deployment, taking_over=taking_over)


def apply_plans(
    deployment: Deployment,
    *,
    dry_run: bool,
    checks: bool,
    file: Path | None = None,
    applier: Applier | None = None,
    taking_over: bool = False,
) -> ApplyReport:
    """Apply plans, or look what they would change, and show how it goes."""
    from rdo.cli.show import progress
    from rdo.cloud.looking import look
    from rdo.cloud.rollout import put_up

    def first() -> None:
        look_first(deployment, file, report, taking_over=taking_over)

    with progress() as report, ThreadPoolExecutor(max_workers=1) as pool:
        looked = pool.submit(first) if checks else None
        # where nothing is changed, both can be looked at side by side
        if looked is not None and not dry_run:
            looked.result()
        with report.task(deployment.name, deployment.steps) as task:

            def tell(step: StepResult) -> None:
                task.advance()
                task.describe(f"{step.host}: {step.title}")
                if step.changed and not dry_run:
                    report.message(f"{step.host}: {step.title} ({step.seconds:.1f} s)")

            try:
                if dry_run:
                    values = deployment.credentials.values()
                    return look(deployment.plans, deployment.targets, secrets=values, report=tell)
                return put_up(deployment, taking_over=taking_over, report=tell, applier=applier)
            finally:
                # what is wrong with options and hosts says more than what came of it
                if looked is not None:
                    looked.result()


def print_report(report: ApplyReport, as_json: bool, word: str, *, diff: bool = False) -> None:
    """Print what plans changed, or would; ``word`` says which of the two."""
    from rdo.cli.show import OUT, print_json, table

    if as_json:
        print_json(report)
        return
    shown = table(None, "host", "step", "", "seconds")
    for step in report.steps:
        if step.changed:
            shown.add_row(step.host, step.title, word, f"{step.seconds:.1f}")
    if report.changed:
        OUT.print(shown)
    for step in report.steps if diff else ():
        if step.difference:
            print(f"\n# {step.host}: {step.title}\n{step.difference}")
    print(f"{len(report.changed)} of {len(report.steps)} steps {word} something.")
