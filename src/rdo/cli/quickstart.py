"""``rdo quickstart``: the main job in one command."""

from __future__ import annotations

from typing import Annotated

import typer

from rdo.cli.output import print

app = typer.Typer()


@app.command()
def quickstart(
    release: Annotated[
        str | None, typer.Option("--release", help="The series; the newest by default.")
    ] = None,
    platform: Annotated[
        str | None, typer.Option("--platform", help="The platform to build for; debian13 by default.")
    ] = None,
    host: Annotated[str, typer.Option("--host", help="Name of the test host.")] = "keystone",
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Destroy an existing host of that name first.")
    ] = False,
    jobs: Annotated[
        int | None, typer.Option("--jobs", "-j", min=1, help="Builds at once; all processors by default.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """From OpenStack's sources to a running Keystone on a fresh test host.

    Builds what Keystone and the client need beyond the platform, signs and publishes it, boots a host, adds
    the repository there, installs and configures Keystone, and has the client issue a token. A second run
    builds nothing again and changes nothing.

    Examples: rdo quickstart; rdo quickstart --fresh; rdo quickstart --release 2025.2 --host old
    """
    from rdo.cli.defaults import choose_platform, choose_release, open_distribution
    from rdo.cli.installation import open_installation
    from rdo.cli.show import print_json, progress
    from rdo.cloud import quickstart as job

    installation = open_installation()
    distribution = open_distribution(installation)
    series = choose_release(release, installation, distribution)
    # Also on EL: it is what test hosts can be made of.
    base = choose_platform(platform or "debian13", series, distribution)
    with progress() as report:
        outcome = job.run(distribution, series, base, installation, report, name=host, fresh=fresh, jobs=jobs)
    counts = outcome.made.summary.counts()
    if as_json:
        print_json(
            {
                "packages": counts,
                "changed": outcome.report.changed,
                "host": outcome.host.name,
                "address": outcome.host.address,
                "repository": outcome.repository,
                "passwords": str(outcome.passwords),
                "seconds": outcome.seconds,
                "proofs": [proof.model_dump() for proof in outcome.proofs],
            }
        )
        return
    _show(outcome, counts)


def _show(outcome: object, counts: dict[str, int]) -> None:
    from rdo.cloud.quickstart import Outcome, stages

    assert isinstance(outcome, Outcome)
    packages = ", ".join(f"{count} {status}" for status, count in counts.items() if count)
    changed = len(outcome.report.changed)
    print(f"Packages       {packages}")
    print(f"Repository     {outcome.repository}")
    print(f"Host           {outcome.host.name} at {outcome.host.address}")
    print(f"Keystone       {changed} of {len(outcome.report.steps)} steps changed something")
    print(f"Credentials    {outcome.rc_file} and /etc/openstack/clouds.yaml on the host")
    print(f"               {outcome.passwords} here")
    for proof in outcome.proofs:
        print(f"\n# {proof.command}\n{proof.output.rstrip()}")
    print()
    print("\n".join(stages(outcome.seconds)))
    print(f"\nLook around: rdo host shell {outcome.host.name}")
