"""Proof that an identity service works: a real client issues a token and lists the catalog."""

from __future__ import annotations

from rdo.cloud.plan import Part, Target
from rdo.common.errors import RdoError
from rdo.common.process import CommandError, run

CHECKS = (
    ("token", "openstack --os-cloud rdo token issue --max-width 100"),
    ("catalog", "openstack --os-cloud rdo catalog list"),
)


class VerificationError(RdoError):
    """The cloud was put up and does not do what it should."""


class Proof(Part):
    """One command that was run on the host, and what it printed."""

    name: str
    command: str
    output: str


def verify(target: Target) -> tuple[Proof, ...]:
    """Run the checks on the host over SSH.

    :raises VerificationError: one of them failed; it says which, with the client's words
    """
    ssh = ["ssh", "-o", "BatchMode=yes", "-l", target.user]
    if target.ssh_config is not None:
        ssh += ["-F", target.ssh_config]
    proofs = []
    for name, command in CHECKS:
        try:
            done = run([*ssh, target.host, command], timeout=120)
        except CommandError as error:
            raise VerificationError(
                f"On {target.host}, `{command}` failed:\n{error.output.strip()}",
                hint="See /var/log/keystone/ and httpd's error log on the host.",
            ) from error
        proofs.append(Proof(name=name, command=command, output=done.stdout))
    return tuple(proofs)
