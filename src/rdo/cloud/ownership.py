"""Whose cloud is on a host: the one whose secrets are kept here, or one with others.

The records here may be lost, all or some of them, or be another cloud's. A running cloud can get new
passwords. But some secrets lock data, and those are never replaced while such data exist. So, before anything
is changed, hosts are asked which authority they have, which data, and which secrets lock these; only a hash
of each secret leaves the host.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from pydantic import SecretStr

from rdo.cloud.deployment import Deployment
from rdo.cloud.plan import Config, Plan, Target
from rdo.cloud.roles.mariadb import DATABASE_FOLDER
from rdo.cloud.roles.node import CA
from rdo.cloud.shell import Shell, both, lines, sh
from rdo.cloud.ssh import run_on
from rdo.common.errors import InputError, RdoError
from rdo.common.process import CommandError

_PATIENCE = 60.0


@dataclass(frozen=True)
class Lock:
    """A secret without which data on a host can't be read; or one that is known to what runs there.

    ``data`` is a shell condition that holds where there are such data, None where nothing is lost with it;
    ``value`` a shell command that prints the secret as the host has it, if it does. ``option`` is where a
    plan has it as it is written there: project, section, option.
    """

    secret: str
    what: str
    data: Shell | None
    value: Shell
    option: tuple[str, str, str] | None = None


def _option(file: str, name: str) -> Shell:
    return sh("sed -n %(value)s %(file)s | head -n 1", value=f"s/^{name} = //p", file=file)


def _database(name: str) -> Shell:
    return sh("[ -d %(folder)s ]", folder=f"{DATABASE_FOLDER}/{name}")


def _ceph_key(client: str) -> Shell:
    # a head of twelve bytes, then the key itself, see rdo.cloud.roles.ceph.key
    file = f"/etc/ceph/ceph.client.{client}.keyring"
    return sh(
        r"sed -n 's/^\s*key = //p' %(file)s | base64 -d | tail -c +13 | od -An -v -tx1 | tr -d ' \n'",
        file=file,
    )


LOCKS: Sequence[Lock] = (
    Lock(
        "barbican_encryption",
        "Barbican's secrets",
        _database("barbican"),
        _option("/etc/barbican/barbican.conf.d/50-rdo.conf", "kek"),
        ("barbican", "simple_crypto_plugin", "kek"),
    ),
    Lock(
        "heat_encryption",
        "Heat's stacks",
        _database("heat"),
        _option("/etc/heat/heat.conf.d/50-rdo.conf", "auth_encryption_key"),
        ("heat", "DEFAULT", "auth_encryption_key"),
    ),
    Lock(
        "swift_hash_encryption",
        "Swift's objects",
        sh("find /srv/node/data -mindepth 2 2>/dev/null | grep -q ."),
        sh(r"sed -n 's/^swift_hash_path_[a-z]* = //p' /etc/swift/swift.conf | tr -d '\n'"),
    ),
    Lock(
        "ceph_fsid",
        "Ceph's disk",
        sh("[ -e /var/lib/ceph/osd/ceph-0/rdo-done ]"),
        sh(r"tr -d '\n-' </var/lib/ceph/osd/ceph-0/ceph_fsid"),
    ),
    *(Lock(f"ceph_{c}", f"Ceph's client {c}", None, _ceph_key(c)) for c in ("glance", "cinder", "nova")),
    *(
        Lock(
            f"ceph_{client}_libvirt",
            f"libvirt's secret for {client}",
            None,
            both(
                _option(f"/etc/{client}/{client}.conf.d/50-rdo.conf", "rbd_secret_uuid"),
                sh("tr -d -- -"),
                by=" | ",
            ),
        )
        for client in ("cinder", "nova")
    ),
)

#: Prints what :func:`judge` reads; no secret is among it.
LOOK = lines(
    [
        sh(
            """
            [ ! -s %(ca)s ] || echo "authority|$(base64 -w0 <%(ca)s)"
            ! %(keystone)s || echo 'identity|'
            if %(keystone)s && [ ! -s /etc/keystone/credential-keys/0 ]; then
                echo "credentials|$(mariadb -NBe 'SELECT COUNT(*) FROM keystone.credential' 2>/dev/null)"
            fi
            """,
            ca=CA,
            keystone=_database("keystone"),
        ),
        *(
            sh(
                'if %(data)s; then echo %(head)s"$(%(value)s 2>/dev/null | sha256sum)"; fi',
                data=lock.data,
                head=f"data|{lock.secret}|",
                value=lock.value,
            )
            for lock in LOCKS
            if lock.data
        ),
        sh(""),
    ]
)
_NOTHING = hashlib.sha256(b"").hexdigest()
_WAYS = """\
Nothing was changed. What is kept of the cloud {name} on this machine is not what its hosts know. Ways out:
* a backup of the cloud: rdo cloud restore BACKUP --yes, which takes what is missing in {folder}
  from it (move away what is another cloud's there)
* the folder {folder} of the machine that put it up: copy it here
* rdo cloud up … --take-over: keeps the data, reads from the hosts what locks them, and makes passwords and
  authority anew; the APIs are away meanwhile
* rdo cloud down … --data --yes: removes that cloud with its data"""


class OwnershipError(InputError):
    """A cloud with other secrets than those kept here is on a host; the hint has the ways out."""


def judge(deployment: Deployment, host: str, said: str) -> list[str]:
    """Return what speaks against the kept secrets being those of the cloud on a host, a line each.

    :param said: what :data:`LOOK` printed there; other lines don't matter
    """
    rows = [line.split("|") for line in said.splitlines()]
    facts = {row[0]: row[1] for row in rows if len(row) == 2}
    wrong = []
    if (theirs := facts.get("authority")) and (line := _other_authority(deployment, theirs)):
        wrong.append(f"{host} {line}")
    if {"authority", "identity"} & facts.keys() and "admin" in deployment.credentials.fresh:
        wrong.append(f"{host} has a cloud, or its databases, and no passwords of it are kept here.")
    digests = {row[1]: row[2].split()[0] for row in rows if row[0] == "data" and len(row) == 3}
    for lock in LOCKS:
        if lock.secret in digests and (line := _locked_out(deployment, lock, digests[lock.secret])):
            wrong.append(f"{host} has {lock.what}, {line}.")
    return wrong


def lost_credential_keys(host: str, said: str) -> list[str]:
    """Return what is wrong where Keystone's credentials are there and the keys that encrypt them are not."""
    counts = [line.partition("|")[2] for line in said.splitlines() if line.startswith("credentials|")]
    return [
        f"{host}: /etc/keystone/credential-keys has no keys, and {count} of Keystone's credentials are "
        "encrypted with them. Bring them back (a backup has them, in hosts), or delete these credentials."
        for count in counts
        if count.isdigit() and int(count)
    ]


def check(deployment: Deployment) -> None:
    """Ask all hosts, and do nothing where the cloud on them is the one whose secrets are kept here.

    :raises OwnershipError: it is another one, or a part of what is kept is lost; says the ways out
    :raises RdoError: a host does not answer
    """
    refuse(
        deployment, [line for host, said in _ask(deployment, LOOK) for line in judge(deployment, host, said)]
    )


def refuse(deployment: Deployment, wrong: Sequence[str]) -> None:
    """Do nothing where :func:`judge` has found nothing.

    :raises OwnershipError: it has
    """
    if wrong:
        raise OwnershipError("\n".join(wrong), hint=ways_out(deployment))


def ways_out(deployment: Deployment) -> str:
    """Return what can be done where a cloud with other secrets is on the hosts."""
    return _WAYS.format(name=deployment.name, folder=deployment.folder)


def found_secrets(deployment: Deployment) -> dict[str, SecretStr]:
    """Read from the hosts what locks data there, or what runs there knows, to be kept here.

    :raises InputError: data are locked with a secret that is nowhere on the hosts
    :raises RdoError: a host does not answer
    """
    script = lines(
        sh(
            'if %(data)s; then echo %(head)s"$(%(value)s 2>/dev/null)"; fi',
            data=lock.data or sh("true"),
            head=f"{lock.secret}|",
            value=lock.value,
        )
        for lock in LOCKS
    )
    wanted = _names(deployment)
    found: dict[str, SecretStr] = {}
    lost: list[str] = []
    for host, said in _ask(deployment, script):
        for line in said.splitlines():
            name, _, value = line.partition("|")
            lock = next((one for one in LOCKS if one.secret == name), None)
            if lock is None or name not in wanted or name in found:
                continue
            if value:
                # oslo.config's way to write it
                quoted = lock.option and len(value) > 1 and value[0] == value[-1] == '"'
                plain = value[1:-1] if quoted else value
                plain = plain.replace("$$", "$") if lock.option else plain
                found[name] = SecretStr(plain)
            elif lock.data is not None and name in deployment.credentials.fresh:
                lost.append(f"{host} has {lock.what}, and the secret that locks them ({name}) is not on it.")
    if lost := [line for line in lost if not any(f"({name})" in line for name in found)]:
        raise InputError(
            "\n".join(lost),
            hint="Nothing was changed. Only a backup has it, or the machine that put the cloud up.",
        )
    return found


def _names(deployment: Deployment) -> set[str]:
    credentials = deployment.credentials
    return {lock.secret for lock in LOCKS if lock.secret in credentials or lock.secret in credentials.fresh}


def _other_authority(deployment: Deployment, theirs: str) -> str | None:
    try:
        there = x509.load_pem_x509_certificate(base64.b64decode(theirs))
    except ValueError:
        return f"has something at {CA} that isn't a certificate"
    if there == x509.load_pem_x509_certificate(deployment.authority.certificate.encode()):
        return None
    name, since = there.subject.rfc4514_string(), there.not_valid_before_utc
    other = _kept_elsewhere(deployment.folder.parent.glob("*/pki/ca.crt"), there)
    whose = f"is kept here as the cloud {other}'s" if other else "is not the one kept here"
    return f"has a cloud whose authority ({name}, of {since:%Y-%m-%d}) {whose}."


def _kept_elsewhere(files: Iterable[Path], wanted: x509.Certificate) -> str | None:
    for file in files:
        try:
            if x509.load_pem_x509_certificate(file.read_bytes()) == wanted:
                return file.parent.parent.name
        except (OSError, ValueError):
            continue
    return None


def _locked_out(deployment: Deployment, lock: Lock, digest: str) -> str | None:
    """Return why what a lock locks could not be read any more; None where it could."""
    credentials = deployment.credentials
    if lock.secret not in _names(deployment):
        return None
    if lock.secret in credentials.fresh:
        return f"and no {lock.secret}, which locks them, is kept here"
    if digest == _NOTHING:
        return None
    value = _written(deployment, lock) or credentials[lock.secret].get_secret_value()
    own_digests = {hashlib.sha256(f"{value}{end}".encode()).hexdigest() for end in ("", "\n")}
    return None if digest in own_digests else f"locked with another {lock.secret} than the one kept here"


def _written(deployment: Deployment, lock: Lock) -> str | None:
    """Return the value of a lock's option as the plans write it: derived, escaped, or an operator's own."""
    if lock.option is None:
        return None
    project, section, name = lock.option
    for plan in deployment.plans:
        for step in plan.steps:
            if isinstance(step, Config) and step.project == project:
                value = step.options.get(section, {}).get(name)
                return None if value is None else value.reveal()
    return None


def _ask(deployment: Deployment, script: Shell) -> list[tuple[str, str]]:
    def ask(row: tuple[Plan, Target]) -> tuple[str, str]:
        plan, target = row
        try:
            done = run_on(target, script, timeout=_PATIENCE)
        except CommandError as error:
            raise RdoError(f"{plan.host} does not answer within {_PATIENCE:.0f} s.") from error
        if done.status != 0:
            words = done.stderr.strip().splitlines() or ["no answer"]
            raise RdoError(f"{plan.host} can't be asked what cloud is on it: {words[-1]!r}")
        return plan.host, done.stdout

    with ThreadPoolExecutor(max_workers=16) as pool:
        return list(pool.map(ask, deployment.rows))
