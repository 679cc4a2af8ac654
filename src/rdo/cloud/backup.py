"""A copy of what a cloud knows: databases, OVN's, keys, the operator's own configuration, its folder here.

It is a folder of its own, 0700, complete or not there at all:

* ``manifest.json``: the cloud, its series, when, the versions, each file's size and SHA-256
* ``cloud/``: ``cloud.json``, ``passwords.json``, ``pki``, ``repository.key``, as they are kept here
* ``databases/NAME.sql.gz``: one for each database of the plans
* ``ovn/NAME.db.gz``: OVN's northbound and southbound database
* ``hosts/NAME.tar.gz``: files of a host that no plan writes

Images, volumes and disks are not in it.
"""

from __future__ import annotations

import gzip
import shutil
import tempfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath

from pydantic import Field, ValidationError

from rdo.cloud import names
from rdo.cloud.deployment import Deployment
from rdo.cloud.plan import Database, Part, Target
from rdo.cloud.shell import Shell, sh
from rdo.cloud.ssh import TRANSFER, run_on, transfer
from rdo.common.errors import InputError, RdoError
from rdo.common.files import sha256_file, sync, write_atomically

MANIFEST = "manifest.json"
OVN = {"ovnnb": "OVN_Northbound", "ovnsb": "OVN_Southbound"}
#: Of the cloud's folder here; the topology last, as a cloud is known by it.
KEPT_HERE = ("pki", "passwords.json", "repository.key", "cloud.json")
#: What services make themselves, or an operator has written, below these places.
_FILES = sh("""
cd /
for place in etc/keystone/fernet-keys etc/keystone/credential-keys etc/*/policy.d etc/*/policy.yaml; do
    [ ! -e "$place" ] || echo "$place"
done
for file in etc/*/*.conf.d/*.conf; do
    case $file in */50-rdo.conf|*/40-rdo-*.conf|etc/httpd/*|etc/my.cnf.d/*) ;;
    *) [ ! -f "$file" ] || rpm -qf "/$file" >/dev/null 2>&1 || echo "$file" ;;
    esac
done
""")


class Piece(Part):
    """One file of a backup; ``path`` is below the backup's folder, ``size`` in bytes."""

    path: str
    size: int
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")


class Manifest(Part):
    """What a backup is of, and what it consists of. Its names reach folders here and scripts on hosts."""

    cloud: names.HostName
    series: str
    made: datetime
    packages: Mapping[str, str] = Field(description="OpenStack's on the controller, name -> version-release")
    databases: tuple[names.Database, ...]
    ovn: tuple[names.Database, ...]
    hosts: tuple[names.HostName, ...]
    pieces: tuple[Piece, ...]


def databases_of(deployment: Deployment) -> list[str]:
    """Return the names of a cloud's databases."""
    return [step.name for plan in deployment.plans for step in plan.steps if isinstance(step, Database)]


def copy(source: Path, place: Path) -> None:
    """Copy a file or a whole folder."""
    if source.is_dir():
        shutil.copytree(source, place)
    else:
        shutil.copy2(source, place)


def make(
    deployment: Deployment,
    target: Path,
    *,
    limit: float = TRANSFER,
    report: Callable[[str], None] | None = None,
) -> tuple[Path, Manifest]:
    """Copy what a cloud knows into a new folder below ``target``; return that and what is in it.

    The cloud goes on meanwhile. Each database is copied as of one moment, but not all as of the same.

    :param limit: seconds for each database, and for each host's files
    :param report: told of each part when it is done
    :raises RdoError: a host could not be reached, or something could not be copied; nothing is left then
    """
    tell = report or (lambda _: None)
    moment = datetime.now(UTC)
    target.mkdir(parents=True, exist_ok=True)
    final = target / f"{deployment.name}-{moment:%Y%m%dT%H%M%SZ}"
    work = Path(tempfile.mkdtemp(prefix=f".{final.name}.", dir=target))
    try:
        for part in ("cloud", "databases", "ovn", "hosts"):
            (work / part).mkdir(mode=0o700)
        controller = deployment.controller
        for name in KEPT_HERE:
            if (source := deployment.folder / name).exists():
                copy(source, work / "cloud" / name)
        tell("what is kept of the cloud here")
        databases = databases_of(deployment)
        for name in databases:
            dump = sh("mariadb-dump --single-transaction --quick --routines --triggers %(name)s", name=name)
            place = work / f"databases/{name}.sql.gz"
            _receive(controller, dump, place, what=f"the database {name}", limit=limit)
            tell(f"database {name}")
        ovn = [*OVN] if "neutron" in deployment.site.cloud.services else []
        for name in ovn:
            socket = f"unix:/var/run/ovn/{name}_db.sock"
            dump = sh("ovsdb-client backup %(socket)s %(name)s", socket=socket, name=OVN[name])
            place = work / f"ovn/{name}.db.gz"
            _receive(controller, dump, place, what=f"the database {OVN[name]}", limit=limit)
            tell(f"database {OVN[name]}")
        for plan, host in deployment.rows:
            place = work / f"hosts/{plan.host}.tar.gz"
            archive = sh("(%(files)s) | tar -C / -cf - -T -", files=_FILES)
            _receive(host, archive, place, what="its files", limit=limit)
            tell(f"files of {plan.host}")
        manifest = Manifest(
            cloud=deployment.name,
            series=deployment.site.repository.series,
            made=moment,
            packages=_packages(controller),
            databases=tuple(databases),
            ovn=tuple(ovn),
            hosts=tuple(plan.host for plan in deployment.plans),
            pieces=tuple(_pieces(work)),
        )
        write_atomically(work / MANIFEST, manifest.model_dump_json(indent=1) + "\n", mode=0o600)
        _settle(work)
        work.rename(final)
        sync(target)
    except BaseException:
        shutil.rmtree(work, ignore_errors=True)
        raise
    return final, manifest


def read(folder: Path) -> Manifest:
    """Return what a backup is, having compared all of it with its manifest.

    :raises InputError: it is none, or what it consists of is missing or has changed; all of that together
    """
    try:
        manifest = Manifest.model_validate_json((folder / MANIFEST).read_text())
    except (FileNotFoundError, NotADirectoryError) as error:
        raise InputError(f"{folder} is no backup: it has no {MANIFEST}.") from error
    except ValidationError as error:
        raise InputError(f"{folder / MANIFEST} can't be read: {error}") from error
    wrong = []
    for piece in manifest.pieces:
        path = PurePosixPath(piece.path)
        if path.is_absolute() or ".." in path.parts:
            wrong.append(f"{piece.path} is outside of it")
        elif not (folder / path).is_file():
            wrong.append(f"{piece.path} is missing")
        elif (folder / path).stat().st_size != piece.size or sha256_file(folder / path) != piece.sha256:
            wrong.append(f"{piece.path} is not what it was")
    if wrong:
        raise InputError("\n".join([f"{folder} can't be used:", *wrong]))
    return manifest


def _receive(target: Target, command: Shell, place: Path, *, what: str, limit: float) -> None:
    """Write what a command on a host prints into a file, compressed on its way."""
    script = sh("set -euo pipefail\n%(command)s | gzip -c\n", command=command)
    done = transfer(target, script, place=place, limit=limit)
    if done.status != 0:
        said = done.stderr.strip().splitlines()[-10:]
        raise RdoError("\n".join([f"On {target.host}, {what} could not be copied:", *said]))
    try:
        with gzip.open(place) as content:
            while content.read(1 << 20):
                pass
    except (OSError, EOFError, zlib.error) as error:
        raise RdoError(
            f"What {target.host} sent of {what} is damaged: {error}.",
            hint="Does a login there print anything, as from .bashrc? It must not.",
        ) from error


def _packages(controller: Target) -> dict[str, str]:
    listing = sh(r"rpm -qa --qf '%{NAME} %{VERSION}-%{RELEASE}\n' 'openstack-*'")
    shown = run_on(controller, listing, timeout=60)
    if shown.status != 0:
        raise RdoError(f"On {controller.host}: {shown.stderr.strip()}")
    rows = (line.partition(" ") for line in sorted(shown.stdout.splitlines()))
    return {name: version for name, _, version in rows}


def _pieces(folder: Path) -> Iterator[Piece]:
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            yield Piece(
                path=path.relative_to(folder).as_posix(), size=path.stat().st_size, sha256=sha256_file(path)
            )


def _settle(folder: Path) -> None:
    """Make a backup readable by its owner alone, and have all of it on the disk."""
    for path in [*folder.rglob("*"), folder]:
        path.chmod(0o700 if path.is_dir() else 0o600)
        sync(path)
