"""``rdo cloud``: plan, put up and verify clouds."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rdo.cli import cloud_operations
from rdo.cli.known_clouds import (
    Checks,
    CloudName,
    Json,
    apply_plans,
    base_of,
    cloud_named,
    deployment_of,
    describe,
    file_of,
    print_report,
)
from rdo.cli.output import print

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rdo.cloud.deployment import Deployment
    from rdo.cloud.given import Given
    from rdo.cloud.status import Status
    from rdo.cloud.topology import Cloud
    from rdo.cloud.verify import Check
    from rdo.common.installation import Installation
    from rdo.common.paths import Paths

app = typer.Typer(no_args_is_help=True, help="Clouds: plan, put up, verify, look after.")

_Allinone = Annotated[bool, typer.Option("--allinone", help="Everything on one host; no file is needed.")]
_OnTestHost = Annotated[
    bool, typer.Option("--on-test-host", help="On test hosts of this machine, made for it.")
]
_Nodes = Annotated[
    int, typer.Option("--nodes", min=1, max=20, help="How many test hosts: controller, compute, network, …")
]
_Host = Annotated[
    str | None, typer.Option("--host", help="The one host, [user@]address; this one by default.")
]
_Name = Annotated[str, typer.Option("--name", help="Name of a cloud without a file.")]
_With = Annotated[
    list[str] | None,
    typer.Option("--with", help="Without a file: a further service: swift, barbican, ironic, heat."),
]
_Only = Annotated[
    list[str] | None,
    typer.Option("--only", help="Without a file: this service instead of the usual ones, and what it needs."),
]
_Release = Annotated[str | None, typer.Option("--release", help="The series; the newest by default.")]
_AnswerFile = Annotated[
    Path | None, typer.Option("--answer-file", help="Instead of a cloud's file: one of Packstack's.")
]
_Repository = Annotated[
    str | None, typer.Option("--repository", help="URL above the repositories, for hosts without a file.")
]


@app.command()
def init(path: Annotated[Path, typer.Argument(help="The file to write.")] = Path("cloud.yaml")) -> None:
    """Write a cloud's file to begin with: one host, and every other setting as a comment.

    Example: rdo cloud init cloud.yaml
    """
    from rdo.cloud.cloudfile import EXAMPLE
    from rdo.common.errors import InputError

    try:
        with path.open("x") as file:
            file.write(EXAMPLE)
    except FileExistsError as error:
        raise InputError(f"{path} is there already.", hint="Another name, or edit that one.") from error
    print(f"{path} is written. Next: edit it, then rdo cloud plan {path}")


@app.command()
def plan(
    cloud: CloudName = None,
    release: _Release = None,
    diff: Annotated[bool, typer.Option("--diff/--no-diff", help="Show what changes in files.")] = True,
    answer_file: _AnswerFile = None,
    name: _Name = "demo",
    repository: _Repository = None,
    checks: Checks = True,
    as_json: Json = False,
) -> None:
    """Show the steps that would change something, and how files would; touches nothing on the hosts.

    What follows from a step that has not run can't be looked at yet and counts as a change. Secrets are
    masked.

    Examples: rdo cloud plan cloud.yaml; rdo cloud plan demo --no-diff
    """
    from rdo.cli.installation import open_installation
    from rdo.common.errors import InputError

    if answer_file is not None and cloud is not None:
        raise InputError("A cloud's file and an answer file both say what the cloud is; one is enough.")
    if answer_file is not None:
        installation = open_installation()
        described, given = _from_answers(installation.paths, answer_file, name, repository)
        deployment = describe(installation, described, release, given=given)
    else:
        deployment = deployment_of(cloud, release)
    done = apply_plans(deployment, dry_run=True, checks=checks, file=file_of(cloud))
    print_report(done, as_json, "would change", diff=diff)


@app.command()
def up(
    cloud: CloudName = None,
    allinone: _Allinone = False,
    on_test_host: _OnTestHost = False,
    nodes: _Nodes = 1,
    host: _Host = None,
    name: _Name = "demo",
    further: _With = None,
    only: _Only = None,
    passwords: Annotated[
        Path | None,
        typer.Option("--passwords", help="File of NAME: PASSWORD; RDO_PASSWORD_<NAME> does it too."),
    ] = None,
    repository: _Repository = None,
    answer_file: _AnswerFile = None,
    release: _Release = None,
    adopt: Annotated[
        bool,
        typer.Option(
            "--adopt", help="This is the cloud that is kept under this name; its address has changed."
        ),
    ] = False,
    take_over: Annotated[
        bool,
        typer.Option(
            "--take-over",
            help="This machine has lost its records of the cloud: keep the cloud's data, make new passwords "
            "and a new authority.",
        ),
    ] = False,
    checks: Checks = True,
    as_json: Json = False,
) -> None:
    """Put a cloud up from the published repository; run again, it changes nothing.

    An interrupted run is finished by running it again.

    The first run makes passwords and keeps them. Passwords of a file, or of the environment
    (RDO_PASSWORD_ADMIN), replace them; the names are those in the cloud's passwords.json.

    With --on-test-host, a file's cloud is rehearsed as NAME-try, on test hosts instead of its own hosts.

    Examples:
        rdo cloud up --allinone --on-test-host
        rdo cloud up --on-test-host --nodes 3 --name trio
        rdo cloud up --allinone --on-test-host --with heat --with barbican
        rdo cloud up --allinone --on-test-host --only swift --name objects
        rdo cloud up cloud.yaml
        rdo cloud up cloud.yaml --on-test-host
        rdo cloud up cloud.yaml --passwords passwords.yaml
        rdo cloud up cloud.yaml --take-over
        rdo cloud up --allinone --host root@192.0.2.7 --repository http://packages.example.org
        rdo cloud up --answer-file packstack.txt --name prod --repository http://packages.example.org
    """
    from rdo.cli.installation import open_installation
    from rdo.cli.show import progress
    from rdo.cloud import allinone as simple
    from rdo.cloud import busy
    from rdo.cloud.apply import Applier
    from rdo.cloud.given import passwords as given_passwords
    from rdo.cloud.records import require_same
    from rdo.cloud.testhosts import hosts
    from rdo.cloud.topology import CORE
    from rdo.common.errors import InputError

    installation = open_installation()
    paths = installation.paths
    given = given_passwords(passwords, os.environ)
    described: Cloud | None = None
    if answer_file is not None:
        if cloud is not None or allinone or on_test_host or host is not None or nodes != 1:
            raise InputError("An answer file says where the cloud is; it goes without another cloud's.")
        if further or only:
            raise InputError(
                "An answer file says which services the cloud has; --with and --only go without one."
            )
        described, answers = _from_answers(paths, answer_file, name, repository, adopt)
        given = {**answers, **given}
    elif cloud is None and not (allinone or on_test_host):
        raise InputError("Which cloud?", hint="rdo cloud up FILE, or rdo cloud up --allinone --on-test-host")
    if cloud is not None and allinone:
        raise InputError("A file says where the cloud is; --allinone goes without one.")
    services = simple.chosen_services(further=further or (), only=only or ())
    if services and cloud is not None:
        raise InputError("A cloud's file says which services it has; --with and --only go without one.")
    file = file_of(cloud)
    if on_test_host and cloud is not None and file is None:
        raise InputError(f"{cloud} is there already; --on-test-host goes with a file, or without.")
    if cloud is not None:
        name = cloud_named(paths, cloud, adopt=adopt).name + ("-try" if on_test_host else "")
    with busy.changing(paths, name, "rdo cloud up"):
        if on_test_host and file is not None:
            cloud = _rehearse(installation, file, release)
        elif on_test_host:
            hosts.require_root()
            distribution, series, base = base_of(installation, release, "debian13")
            with progress() as report:
                made = simple.make_test_hosts(
                    distribution,
                    series,
                    base,
                    installation,
                    report,
                    name=name,
                    nodes=nodes,
                    services=services,
                )
            cloud = made.name
        elif allinone:
            described = simple.on_host(name, host, repository, services=services or CORE)
            require_same(paths, described, None, adopt=adopt)
        with Applier() as applier:
            described = described or cloud_named(paths, cloud, adopt=adopt)
            deployment = describe(installation, described, release, given=given)
            if take_over:
                deployment = _taken_over(installation, deployment, release, given)
            deployment = replace(deployment, origin=None if on_test_host else file or answer_file)
            done = apply_plans(
                deployment, dry_run=False, checks=checks, file=file, applier=applier, taking_over=take_over
            )
    print_report(done, as_json, "changed")


@app.command()
def verify(
    cloud: CloudName,
    tempest: Annotated[
        bool, typer.Option("--tempest", help="Run tempest's smoke set instead, from our own package.")
    ] = False,
    regex: Annotated[
        str | None, typer.Option("--regex", help="With --tempest: the tests whose names this finds.")
    ] = None,
    concurrency: Annotated[
        int, typer.Option("--concurrency", min=1, max=64, help="With --tempest: tests at once.")
    ] = 2,
    image: Annotated[
        str | None,
        typer.Option("--image", help="Of machines: a file or an address, instead of a small one of ours."),
    ] = None,
    sha256: Annotated[
        str | None, typer.Option("--image-sha256", help="Its hash; an address needs it.")
    ] = None,
    login: Annotated[
        str, typer.Option("--image-login", help="Whom it lets in by SSH; may use sudo.")
    ] = "root",
    ram: Annotated[
        int, typer.Option("--image-ram", min=64, help="MiB of memory that its machines need.")
    ] = 512,
    as_json: Json = False,
) -> None:
    """Have a real client use the cloud. Exit status 1 where something doesn't work.

    It makes a user, boots a machine from an image of its own, reaches it through a floating IP, moves a
    volume from one machine to another, and removes all of it again. A cloud of Keystone alone is asked for a
    token and its catalog.

    The image is made here from Debian's packages. Where these can't be had, --image takes one of a
    distribution, with cloud-init or alike; what is downloaded is checked against --image-sha256 and kept.

    With --tempest, upstream's own tests are run. Their package is installed on the controller and stays
    there; what they make is removed, by its names, as is an image and two flavors for them. The results are
    kept in the cloud's folder. Ctrl-C ends them early.

    Examples:
        rdo cloud verify demo
        rdo cloud verify cloud.yaml --json
        rdo cloud verify cloud.yaml --image https://images.example.org/small.qcow2 --image-sha256 0123… \\
            --image-login cirros
        rdo cloud verify demo --tempest
        rdo cloud verify demo --tempest --regex 'tempest.api.network.*test_routers'
    """
    from rdo.cli.cloud_tempest import require_regex, run
    from rdo.cli.defaults import open_distribution
    from rdo.cli.installation import open_installation
    from rdo.cli.show import OUT, print_json, progress, table
    from rdo.cloud.guests import given_guest, small_guest
    from rdo.cloud.verify import use
    from rdo.cloud.verify import verify as prove
    from rdo.common.errors import InputError

    if regex is not None and not tempest:
        raise InputError("--regex chooses among tempest's tests.", hint="Add --tempest.")
    if image is not None and tempest:
        raise InputError("Tempest's tests know their image; --image goes without --tempest.")
    if image is None and sha256 is not None:
        raise InputError("--image-sha256 is the hash of what --image names.", hint="Add --image.")
    require_regex(regex or "")
    if tempest:
        run(deployment_of(cloud, None), regex=regex, concurrency=concurrency, as_json=as_json)
        return
    deployment = deployment_of(cloud, None)
    services = deployment.site.cloud.services
    if services == ("keystone",):
        proofs = prove(deployment.controller)
        if as_json:
            print_json(proofs)
            return
        for proof in proofs:
            print(f"# {proof.command}\n{proof.output}")
        return
    installation = open_installation()
    paths = installation.paths
    with progress() as report:
        guest = None
        if image is not None and "glance" not in services:
            raise InputError(f"{deployment.name} has no Glance, which would keep the image.")
        if image is not None:
            guest = given_guest(image, paths, report, sha256=sha256, login=login, ram=ram)
        elif "glance" in services:
            guest = small_guest(open_distribution(installation), installation, report)
        with report.task(f"Using {deployment.name}") as task:

            def tell(check: Check) -> None:
                task.describe(check.title)
                report.message(f"{check.title}: {_word(check)} ({check.seconds:.1f} s)")

            checks = use(deployment.site.cloud, deployment.controller, guest, report=tell)
    if as_json:
        print_json(checks)
    else:
        shown = table(None, "check", "", "seconds", "")
        for check in checks:
            shown.add_row(check.title, _word(check), f"{check.seconds:.1f}", check.error or check.detail)
        OUT.print(shown)
    if not all(check.ok for check in checks):
        raise typer.Exit(1)


@app.command()
def status(cloud: CloudName, as_json: Json = False) -> None:
    """Show which hosts answer, which units run, which parts the APIs see. Exit status 1 if any is down.

    Examples: rdo cloud status demo; rdo cloud status cloud.yaml --json
    """
    from rdo.cli.show import OUT, print_json, table
    from rdo.cloud.status import status as look

    found = look(deployment_of(cloud, None, all_run=False))
    if as_json:
        print_json({**found.model_dump(mode="json"), "down": found.down})
    else:
        print(f"{found.name}: OpenStack {found.series}")
        units = table(None, "host", "unit", "", "since", "starts again")
        for host in found.hosts:
            for unit in host.units:
                units.add_row(host.host, unit.name, unit.state, unit.since, str(unit.restarts or ""))
        OUT.print(units)
        agents = table(None, "host", "part", "", "last seen", "")
        for agent in found.agents:
            agents.add_row(agent.host, agent.name, "up" if agent.up else "DOWN", agent.since, agent.note)
        OUT.print(agents)
        versions = table(None, "package", "version", "hosts")
        for (package, version), hosts in sorted(_versions(found).items()):
            versions.add_row(package, version, ", ".join(hosts))
        OUT.print(versions)
        for host in found.hosts:
            print(f"The certificate of {host.host} ends on {host.certificate:%Y-%m-%d}.")
        print(*(found.down or ["Nothing is down."]), sep="\n")
    if found.down:
        raise typer.Exit(1)


def _versions(found: Status) -> dict[tuple[str, str], list[str]]:
    versions: dict[tuple[str, str], list[str]] = {}
    for host in found.hosts:
        for package in host.packages.items():
            versions.setdefault(package, []).append(host.host)
    return versions


def _word(check: Check) -> str:
    return "works" if check.ok else f"not tried {check.skipped}" if check.skipped else "FAILS"


def _rehearse(installation: Installation, file: Path, release: str | None) -> str:
    """Make or boot the test hosts for an operator's file, and return the name of that cloud."""
    from rdo.cli.show import progress
    from rdo.cloud.allinone import rehearse
    from rdo.cloud.cloudfile import read_cloud
    from rdo.cloud.testhosts import hosts

    hosts.require_root()
    described = read_cloud(file)
    distribution, series, base = base_of(installation, release or described.series, "debian13")
    with progress() as report:
        made = rehearse(described, f"{described.name}-try", distribution, series, base, installation, report)
    print(f"{made.name}: {', '.join(f'{h.name} {h.address}' for h in made.hosts)}", file=sys.stderr)
    return made.name


def _taken_over(
    installation: Installation, deployment: Deployment, release: str | None, given: Mapping[str, Given]
) -> Deployment:
    """Keep what locks data on the hosts, stop what has former passwords there, and return the new plans."""
    from rdo.cli.show import progress
    from rdo.cloud.everywhere import stop_openstack
    from rdo.cloud.ownership import found_secrets
    from rdo.common.files import make_folder

    found = found_secrets(deployment)
    make_folder(deployment.folder, private=True)
    deployment.credentials.adopt(found)
    print("Taken over:", ", ".join(sorted(found)) or "no secret", file=sys.stderr)
    with progress() as report, report.task(f"Stopping {deployment.name}'s services"):
        stop_openstack(deployment, report=report.message)
    return describe(installation, deployment.site.cloud, release, given=given)


def _from_answers(
    paths: Paths, file: Path, name: str, repository: str | None, adopt: bool = False
) -> tuple[Cloud, dict[str, Given]]:
    """Read an answer file and print the lines that have no meaning here; return its new passwords."""
    from rdo.cloud.answerfile import read_answers
    from rdo.cloud.credentials import Credentials
    from rdo.cloud.given import not_kept
    from rdo.cloud.records import require_same

    answers = read_answers(file, name=name, repository=repository)
    require_same(paths, answers.cloud, file, adopt=adopt)
    for remark in answers.remarks:
        print(remark, file=sys.stderr)
    new, others = not_kept(Credentials(paths.clouds / name / "passwords.json"), answers.passwords)
    for kept in others:
        print(f"{name} has another password {kept} already, which stays.", file=sys.stderr)
    return answers.cloud, new


# what is done with a cloud that is there comes after what makes one
app.registered_commands += cloud_operations.app.registered_commands
