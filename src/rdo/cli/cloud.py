"""``rdo cloud``: plan, put up and verify. Today a cloud is Keystone on one test host."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rdo.cloud.identity import Deployment
    from rdo.cloud.plan import ApplyReport, StepResult

app = typer.Typer(
    no_args_is_help=True, help="Clouds: plan, put up, verify. Today: Keystone on one test host."
)

_Host = Annotated[str, typer.Argument(help="A running test host.")]
_Release = Annotated[str | None, typer.Option("--release", help="The series; the newest by default.")]
_Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command()
def plan(host: _Host, release: _Release = None, as_json: _Json = False) -> None:
    """Show the steps and which of them would change something; touches nothing on the host.

    What follows from a step that has not run can't be looked at yet and counts as a change.

    Example: rdo cloud plan keystone
    """
    deployment = _deployment(host, release)
    _print(_apply(deployment, dry_run=True), as_json, "would change")


@app.command()
def up(host: _Host, release: _Release = None, as_json: _Json = False) -> None:
    """Put Keystone up on a test host from the published repository; run again, it changes nothing.

    An interrupted run is finished by running it again.

    Examples: rdo host create keystone; rdo cloud up keystone
    """
    deployment = _deployment(host, release)
    _print(_apply(deployment, dry_run=False), as_json, "changed")


@app.command()
def verify(host: _Host, as_json: _Json = False) -> None:
    """Have the real client on the host issue a token and list the catalog.

    Example: rdo cloud verify keystone
    """
    from rdo.cli.show import print_json
    from rdo.cloud.identity import prove
    from rdo.common.paths import Paths

    proofs = prove(Paths.from_environment(), host)
    if as_json:
        print_json(proofs)
        return
    for proof in proofs:
        print(f"# {proof.command}\n{proof.output}")


def _deployment(name: str, release: str | None) -> Deployment:
    from rdo.cli.defaults import choose_release, open_distribution
    from rdo.cloud import identity
    from rdo.cloud.testhosts import hosts
    from rdo.common.paths import Paths

    hosts.require_root()
    paths = Paths.from_environment()
    distribution = open_distribution(paths)
    host = hosts.get(paths, name)
    series = choose_release(release, distribution)
    return identity.describe(paths, series, distribution.platform(host.platform), host)


def _apply(deployment: Deployment, *, dry_run: bool) -> ApplyReport:
    from rdo.cli.show import progress
    from rdo.cloud import identity

    with progress() as report, report.task(deployment.host.name, len(deployment.plan.steps)) as task:

        def tell(step: StepResult) -> None:
            task.advance()
            task.describe(step.title)

        return identity.put_up(deployment, dry_run=dry_run, report=tell)


def _print(report: ApplyReport, as_json: bool, word: str) -> None:
    from rdo.cli.show import OUT, print_json, table

    if as_json:
        print_json(report)
        return
    shown = table(None, "step", "", "seconds")
    for step in report.steps:
        shown.add_row(step.title, word if step.changed else "", f"{step.seconds:.1f}")
    OUT.print(shown)
    print(f"{len(report.changed)} of {len(report.steps)} steps {word} something on {report.host}.")
