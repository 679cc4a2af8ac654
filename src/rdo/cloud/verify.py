"""Proof that a cloud works: a real client uses it, from the controller, and removes all it made."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

from rdo.cloud.guests import Guest
from rdo.cloud.operations import python_on_host
from rdo.cloud.plan import Part, Target
from rdo.cloud.roles.node import CLOUD
from rdo.cloud.shell import sh
from rdo.cloud.ssh import command_on, ending, transfer
from rdo.cloud.topology import Cloud, Role
from rdo.common.errors import RdoError
from rdo.common.files import sha256_file
from rdo.common.process import CommandError, run

CHECKS = (
    ("token", sh("openstack --os-cloud rdo token issue --max-width 100")),
    ("catalog", sh("openstack --os-cloud rdo catalog list")),
)
_PROOF = 120.0
_LIMIT = 3 * 3600.0
"""Seconds for one of these commands, and for all checks; emulated machines are slow."""


class VerificationError(RdoError):
    """The cloud was put up and does not do what it should."""


class Proof(Part):
    """One command that was run on the host, and what it printed."""

    name: str
    command: str
    output: str


class Check(Part):
    """One thing that was tried of a cloud. ``skipped`` says what it would have needed."""

    name: str
    title: str
    ok: bool
    seconds: float
    detail: str = ""
    error: str | None = None
    skipped: str | None = None


def verify(target: Target) -> tuple[Proof, ...]:
    """Have the client issue a token and list the catalog on the host.

    :raises VerificationError: one of them failed; it says which, with the client's words
    """
    proofs = []
    for name, command in CHECKS:
        try:
            done = run(command_on(target, command, limit=_PROOF), timeout=_PROOF + 20)
        except CommandError as error:
            raise VerificationError(
                f"On {target.host}, `{command.shown()}` failed:\n{error.output.strip()}",
                hint="See /var/log/keystone/ and httpd's error log on the host.",
            ) from error
        proofs.append(Proof(name=name, command=command.shown(), output=done.stdout))
    return tuple(proofs)


def use(
    cloud: Cloud, target: Target, guest: Guest | None, *, report: Callable[[Check], None] | None = None
) -> Sequence[Check]:
    """Boot machines, attach volumes, reach them from outside, as the cloud has them; remove all again.

    :param target: the controller
    :param guest: what machines are made of; None where the cloud keeps no images
    :param report: told of each check when it is done
    :raises VerificationError: the program on the controller ended before its last check
    """
    job = {
        "cloud": CLOUD,
        "guest": None if guest is None else {**asdict(guest), "file": send_image(target, guest.file)},
        "external": cloud.external.name,
        "services": list(cloud.services),
        "computes": len(cloud.having(Role.COMPUTE)),
    }
    checks: list[Check] = []
    with (
        subprocess.Popen(
            command_on(target, limit=_LIMIT),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as child,
        ending(child, _LIMIT),
    ):
        assert child.stdin is not None and child.stdout is not None
        child.stdin.write(python_on_host("verify", job).reveal())
        child.stdin.close()
        words: list[str] = []
        for line in child.stdout:
            if not line.startswith("{"):
                words.append(line)
                continue
            checks.append(Check.model_validate_json(line))
            if report is not None:
                report(checks[-1])
    if not checks or checks[-1].name != "clear":
        raise VerificationError(f"On {target.host}, the verification ended early:\n{''.join(words[-15:])}")
    return checks


def send_image(target: Target, image: Path) -> str:
    """Put the image on a host, unless it is there; return its place.

    :raises VerificationError: it can't be put there
    """
    folder = "/var/cache/rdo-cloud"
    place = f"{folder}/{sha256_file(image)[:32]}.qcow2"
    command = sh(
        "test -s %(place)s && cat >/dev/null || { mkdir -p %(folder)s && rm -f %(folder)s/*; "
        "cat >%(new)s && mv %(new)s %(place)s; }",
        place=place,
        folder=folder,
        new=f"{place}.new",
    )
    try:
        done = transfer(target, command, source=image)
    except CommandError as error:
        raise VerificationError(f"The image can't be put on {target.host}: {error}") from error
    if done.status != 0:
        raise VerificationError(f"The image can't be put on {target.host}: {done.stderr.strip()}")
    return place
