"""``rdo cloud``: plan, put up and verify clouds."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rdo.cloud.deployment import Deployment
    from rdo.cloud.plan import ApplyReport, StepResult
    from rdo.cloud.status import Status
    from rdo.cloud.topology import Cloud
    from rdo.cloud.verify import Check
    from rdo.common.paths import Paths

app = typer.Typer(no_args_is_help=True, help="Clouds: plan, put up, verify.")

_Cloud = Annotated[
    str | None, typer.Argument(help="The cloud's file, or the name of a cloud that was put up from here.")
]
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
_Release = Annotated[str | None, typer.Option("--release", help="The series; the newest by default.")]
_AnswerFile = Annotated[
    Path | None, typer.Option("--answer-file", help="Instead of a cloud's file: one of Packstack's.")
]
_Repository = Annotated[
    str | None, typer.Option("--repository", help="URL above the repositories, for hosts without a file.")
]
_Checks = Annotated[
    bool,
    typer.Option("--checks/--no-checks", help="Look at options and hosts first."),
]
_Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


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
    cloud: _Cloud = None,
    release: _Release = None,
    diff: Annotated[bool, typer.Option("--diff/--no-diff", help="Show what changes in files.")] = True,
    answer_file: _AnswerFile = None,
    name: _Name = "demo",
    repository: _Repository = None,
    checks: _Checks = True,
    as_json: _Json = False,
) -> None:
    """Show the steps that would change something, and how files would; touches nothing on the hosts.

    What follows from a step that has not run can't be looked at yet and counts as a change. Secrets are
    masked.

    Examples: rdo cloud plan cloud.yaml; rdo cloud plan demo --no-diff
    """
    from rdo.common.errors import InputError
    from rdo.common.paths import Paths

    if answer_file is not None:
        if cloud is not None:
            raise InputError("A cloud's file and an answer file both say what the cloud is; one is enough.")
        paths = Paths.from_environment()
        deployment = _describe(paths, _from_answers(paths, answer_file, name, repository), release)
    else:
        deployment = _deployment(cloud, release)
    _print(
        _apply(deployment, dry_run=True, checks=checks, file=_file(cloud)), as_json, "would change", diff=diff
    )


@app.command()
def up(
    cloud: _Cloud = None,
    allinone: _Allinone = False,
    on_test_host: _OnTestHost = False,
    nodes: _Nodes = 1,
    host: _Host = None,
    name: _Name = "demo",
    repository: _Repository = None,
    answer_file: _AnswerFile = None,
    release: _Release = None,
    checks: _Checks = True,
    as_json: _Json = False,
) -> None:
    """Put a cloud up from the published repository; run again, it changes nothing.

    An interrupted run is finished by running it again.

    Examples:
        rdo cloud up --allinone --on-test-host
        rdo cloud up --on-test-host --nodes 3 --name trio
        rdo cloud up cloud.yaml
        rdo cloud up --allinone --host root@192.0.2.7 --repository http://packages.example.org
        rdo cloud up --answer-file packstack.txt --name prod --repository http://packages.example.org
    """
    from rdo.cli.defaults import choose_platform, choose_release, open_distribution
    from rdo.cli.show import progress
    from rdo.cloud import allinone as simple
    from rdo.cloud.deployment import remember
    from rdo.cloud.testhosts import hosts
    from rdo.common.errors import InputError
    from rdo.common.paths import Paths

    paths = Paths.from_environment()
    if answer_file is not None:
        if cloud is not None or allinone or on_test_host:
            raise InputError("An answer file says where the cloud is; it goes without another cloud's.")
        remember(paths, _from_answers(paths, answer_file, name, repository))
        cloud = name
    if cloud is None and not (allinone or on_test_host):
        raise InputError("Which cloud?", hint="rdo cloud up FILE, or rdo cloud up --allinone --on-test-host")
    if cloud is not None and (allinone or on_test_host):
        raise InputError("A file says where the cloud is; --allinone and --on-test-host go without one.")
    if on_test_host:
        hosts.require_root()
        distribution = open_distribution(paths)
        series = choose_release(release, distribution)
        base = choose_platform("debian13", series, distribution)
        with progress() as report:
            simple.make_test_hosts(distribution, series, base, paths, report, name=name, nodes=nodes)
        cloud = name
    elif allinone:
        remember(paths, simple.on_host(name, host or "root@127.0.0.1", repository))
        cloud = name
    deployment = _deployment(cloud, release)
    remember(paths, deployment.site.cloud)
    _print(_apply(deployment, dry_run=False, checks=checks, file=_file(cloud)), as_json, "changed")


@app.command()
def add(
    name: Annotated[str, typer.Argument(help="The new host's name.")],
    cloud: _Cloud = None,
    on_test_host: Annotated[bool, typer.Option("--on-test-host", help="A test host, made for it.")] = False,
    host: Annotated[str | None, typer.Option("--host", help="Where it is, [user@]address.")] = None,
    checks: _Checks = True,
    as_json: _Json = False,
) -> None:
    """Let a further host join a cloud, for virtual machines; the others are only told of it.

    Of a cloud with a file, the file has to name the host first. A cloud that was put up without one gets the
    host that --host or --on-test-host says.

    Examples:
        rdo cloud add compute2 cloud.yaml
        rdo cloud add demo2 demo --on-test-host
        rdo cloud add compute2 production --host root@192.0.2.12
    """
    from rdo.cli.defaults import choose_platform, choose_release, open_distribution
    from rdo.cli.show import progress
    from rdo.cloud import allinone as simple
    from rdo.cloud.deployment import remember
    from rdo.common.errors import InputError
    from rdo.common.paths import Paths

    paths = Paths.from_environment()
    described = _cloud(paths, cloud)
    named = any(one.name == name for one in described.hosts)
    if named and (on_test_host or host):
        raise InputError(f"{described.name} has a host {name} already; without options it is put up (again).")
    if on_test_host:
        distribution = open_distribution(paths)
        series = choose_release(described.series, distribution)
        base = choose_platform(described.platform, series, distribution)
        with progress() as report:
            described = simple.add_test_host(
                distribution, series, base, paths, report, cloud=described, name=name
            )
    elif host is not None:
        described = simple.with_compute(described, simple.compute_at(name, host))
    elif not named:
        raise InputError(
            f"{described.name} has no host {name}.",
            hint="Write it under `hosts` in the cloud's file, or say --host or --on-test-host.",
        )
    remember(paths, described)
    joining = _describe(paths, described, None).joining(name)
    _print(_apply(joining, dry_run=False, checks=checks, file=_file(cloud)), as_json, "changed")


@app.command()
def rotate(
    cloud: _Cloud,
    passwords: Annotated[bool, typer.Option("--passwords", help="Make all passwords anew.")] = False,
    certificates: Annotated[
        bool, typer.Option("--certificates", help="Make the hosts' certificates and keys anew.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do it; without, it is only shown.")] = False,
    as_json: _Json = False,
) -> None:
    """Make passwords or certificates anew and put them in force. What reads them restarts; machines run on.

    The keys of Ceph's clients and the authority stay. An interrupted run is finished by `rdo cloud up`.

    Examples: rdo cloud rotate demo --passwords; rdo cloud rotate demo --passwords --certificates --yes
    """
    from rdo.common.errors import InputError

    if not (passwords or certificates):
        raise InputError("What is to be made anew?", hint="--passwords, --certificates, or both.")
    deployment = _deployment(cloud, None)
    if not yes:
        what = ["passwords"] * passwords + ["hosts' certificates"] * certificates
        names = deployment.credentials.names() if passwords else []
        print(f"The {' and the '.join(what)} of {deployment.name} would be made anew. --yes does it.")
        print(*names, sep="\n")
        return
    if passwords:
        deployment.credentials.renew()
    if certificates:
        deployment.authority.renew()
    _print(_apply(_deployment(cloud, None), dry_run=False, checks=True), as_json, "changed")


@app.command()
def verify(
    cloud: _Cloud,
    tempest: Annotated[
        bool, typer.Option("--tempest", help="Run tempest's smoke set instead, from our own package.")
    ] = False,
    regex: Annotated[
        str | None, typer.Option("--regex", help="With --tempest: the tests whose names this finds.")
    ] = None,
    concurrency: Annotated[
        int, typer.Option("--concurrency", min=1, max=64, help="With --tempest: tests at once.")
    ] = 2,
    as_json: _Json = False,
) -> None:
    """Have a real client use the cloud. Exit status 1 where something doesn't work.

    It makes a user, boots a machine from an image of its own, reaches it through a floating IP, moves a
    volume from one machine to another, and removes all of it again. A cloud of Keystone alone is asked for a
    token and its catalog.

    With --tempest, upstream's own tests are run. Their package is installed on the controller and stays
    there; what they make is removed, by its names, as is an image and two flavors for them. The results are
    kept in the cloud's folder. Ctrl-C ends them early.

    Examples:
        rdo cloud verify demo
        rdo cloud verify cloud.yaml --json
        rdo cloud verify demo --tempest
        rdo cloud verify demo --tempest --regex 'tempest.api.network.*test_routers'
    """
    from rdo.cli.cloud_tempest import require_regex, run
    from rdo.cli.defaults import open_distribution
    from rdo.cli.show import OUT, print_json, progress, table
    from rdo.cloud.guestimage import ensure_guest_image
    from rdo.cloud.verify import use
    from rdo.cloud.verify import verify as prove
    from rdo.common.errors import InputError
    from rdo.common.paths import Paths

    if regex is not None and not tempest:
        raise InputError("--regex chooses among tempest's tests.", hint="Add --tempest.")
    require_regex(regex or "")
    if tempest:
        run(_deployment(cloud, None), regex=regex, concurrency=concurrency, as_json=as_json)
        return
    deployment = _deployment(cloud, None)
    if "nova" not in deployment.site.cloud.services:
        proofs = prove(deployment.controller)
        if as_json:
            print_json(proofs)
            return
        for proof in proofs:
            print(f"# {proof.command}\n{proof.output}")
        return
    paths = Paths.from_environment()
    with progress() as report:
        image = ensure_guest_image(open_distribution(paths), paths, report)
        with report.task(f"Using {deployment.name}") as task:

            def tell(check: Check) -> None:
                task.describe(check.title)
                report.message(f"{check.title}: {_word(check)} ({check.seconds:.1f} s)")

            checks = use(deployment.site.cloud, deployment.controller, image, report=tell)
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
def down(
    cloud: _Cloud,
    data: Annotated[
        bool, typer.Option("--data", help="Remove databases, images, volumes, disks and keys as well.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do it; without, it is only shown.")] = False,
    as_json: _Json = False,
) -> None:
    """Take off what was put on a cloud's hosts. Machines are stopped; data stays, unless told otherwise.

    `rdo cloud up` afterwards brings the cloud back with what it had. Packages of the platform stay. Test
    hosts themselves are removed by `rdo host destroy`.

    Examples: rdo cloud down demo; rdo cloud down demo --yes; rdo cloud down cloud.yaml --data --yes
    """
    from rdo.cli.show import print_json, progress
    from rdo.cloud.deployment import forget
    from rdo.cloud.takedown import removals, take_down
    from rdo.common.paths import Paths

    deployment = _deployment(cloud, None)
    planned = removals(deployment, data=data)
    if as_json:
        print_json(planned)
    if not yes:
        if not as_json:
            for host in planned:
                print(f"# {host.host}", *host.actions, sep="\n")
            print("Nothing was done. --yes does it." + ("" if data else " Data stays; --data removes it."))
        return
    with progress() as report, report.task(f"Taking down {deployment.name}", len(planned)) as task:

        def tell(line: str) -> None:
            task.advance()
            report.message(line)

        take_down(deployment, data=data, report=tell)
    if data:
        forget(Paths.from_environment(), deployment.name)
    if not as_json:
        print(f"{deployment.name} is down." + (" Its data is gone." if data else " Its data is there still."))


@app.command()
def status(cloud: _Cloud, as_json: _Json = False) -> None:
    """Show which hosts answer, which units run, which parts the APIs hear of. Exit status 1 if any doesn't.

    Examples: rdo cloud status demo; rdo cloud status cloud.yaml --json
    """
    from rdo.cli.show import OUT, print_json, table
    from rdo.cloud.status import status as look

    found = look(_deployment(cloud, None))
    if as_json:
        print_json({**found.model_dump(mode="json"), "down": found.down})
    else:
        print(f"{found.name}: OpenStack {found.series}")
        units = table(None, "host", "unit", "", "since", "starts again")
        for host in found.hosts:
            for unit in host.units:
                units.add_row(host.host, unit.name, unit.state, unit.since, str(unit.restarts or ""))
        OUT.print(units)
        agents = table(None, "host", "part", "", "heard of last", "")
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


def _deployment(name: str | None, release: str | None) -> Deployment:
    from rdo.common.paths import Paths

    paths = Paths.from_environment()
    return _describe(paths, _cloud(paths, name), release)


def _from_answers(paths: Paths, file: Path, name: str, repository: str | None) -> Cloud:
    """Read an answer file, keep its passwords, and say what of it has no meaning here."""
    from rdo.cloud.answerfile import read_answers
    from rdo.cloud.credentials import Credentials

    answers = read_answers(file, name=name, repository=repository)
    for remark in answers.remarks:
        print(remark, file=sys.stderr)
    for kept in Credentials(paths.clouds / name / "passwords.json").preset(answers.passwords):
        print(f"{name} has another password {kept} already, which stays.", file=sys.stderr)
    return answers.cloud


def _describe(paths: Paths, described: Cloud, release: str | None) -> Deployment:
    from rdo.cli.defaults import choose_platform, choose_release, open_distribution
    from rdo.cloud import deployment

    distribution = open_distribution(paths)
    series = choose_release(release or described.series, distribution)
    platform = choose_platform(described.platform, series, distribution)
    known = deployment.test_hosts_of(paths, described)
    return deployment.describe(paths, described, series, platform, test_hosts=known)


def _cloud(paths: Paths, name: str | None) -> Cloud:
    from rdo.cloud.cloudfile import read_cloud
    from rdo.cloud.deployment import recall
    from rdo.common.errors import InputError

    if name is None:
        raise InputError("Which cloud?", hint="Its file, or the name of one that was put up from here.")
    file = _file(name)
    return recall(paths, name) if file is None else read_cloud(file)


def _file(name: str | None) -> Path | None:
    """Return the operator's file that a cloud was named by; None where its name is one that we keep."""
    if name is not None and (Path(name).suffix in (".yaml", ".yml") or Path(name).is_file()):
        return Path(name)
    return None


def _check(deployment: Deployment, file: Path | None) -> None:
    """Look at options and hosts before anything is done.

    :param file: the operator's, if there is one
    """
    from rdo.cli.defaults import open_distribution
    from rdo.cli.show import progress
    from rdo.cloud.optionschema import check_options
    from rdo.cloud.preflight import check
    from rdo.common.paths import Paths

    site = deployment.site
    if site.cloud.repository is None:
        paths = Paths.from_environment()
        platform = open_distribution(paths).platform(site.repository.platform)
        series = site.repository.series
        with progress() as report:
            check_options(deployment.plans, site.cloud, series, platform, paths, report, file=file)
    check(deployment)


def _apply(deployment: Deployment, *, dry_run: bool, checks: bool, file: Path | None = None) -> ApplyReport:
    from rdo.cli.show import progress
    from rdo.cloud.deployment import put_up

    if checks:
        _check(deployment, file)
    with progress() as report, report.task(deployment.name, deployment.steps) as task:

        def tell(step: StepResult) -> None:
            task.advance()
            task.describe(f"{step.host}: {step.title}")
            if step.changed and not dry_run:
                report.message(f"{step.host}: {step.title} ({step.seconds:.1f} s)")

        return put_up(deployment, dry_run=dry_run, report=tell)


def _print(report: ApplyReport, as_json: bool, word: str, *, diff: bool = False) -> None:
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
