"""Bringing back what :mod:`rdo.cloud.backup` has kept, onto a cloud that is up."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from rdo.cloud.backup import KEPT_HERE, Manifest, copy
from rdo.cloud.deployment import Deployment
from rdo.cloud.everywhere import on_every_host, stop_openstack, units_of
from rdo.cloud.plan import Plan, Target
from rdo.cloud.shell import Shell, lines, sh
from rdo.cloud.ssh import TRANSFER, transfer
from rdo.common.errors import InputError, RdoError
from rdo.common.files import make_folder
from rdo.common.paths import Paths

_OVN_FOLDER = "/var/lib/ovn"


def take_home(paths: Paths, folder: Path, manifest: Manifest) -> list[str]:
    """Put what this machine knew of the cloud back, where it is missing here; return its names."""
    home = make_folder(paths.clouds / manifest.cloud, private=True)
    taken = []
    for name in KEPT_HERE:
        source, place = folder / "cloud" / name, home / name
        if place.exists() or not source.exists():
            continue
        work = Path(tempfile.mkdtemp(prefix=".restored-", dir=home))
        try:
            copy(source, work / name)
            (work / name).rename(place)
        finally:
            shutil.rmtree(work)
        taken.append(name)
    return taken


def check(deployment: Deployment, manifest: Manifest) -> None:
    """See that a backup fits a cloud.

    :raises InputError: it doesn't, with all that is wrong
    """
    wrong = []
    if manifest.series != deployment.site.repository.series:
        now = deployment.site.repository.series
        wrong.append(f"The backup is of {manifest.series}, and the cloud is of {now}.")
    there = {plan.host for plan in deployment.plans}
    if gone := [name for name in manifest.hosts if name not in there]:
        wrong.append(f"The backup has files of {', '.join(gone)}, which the cloud does not have.")
    if wrong:
        raise InputError("\n".join(wrong))


def actions(manifest: Manifest) -> Iterator[str]:
    """Yield what is done to bring a backup back, a line each."""
    yield "put the cloud up, where it is not"
    yield "stop OpenStack's services on all hosts"
    for name in manifest.databases:
        yield f"replace the database {name} by the one of {manifest.made:%Y-%m-%d %H:%M} UTC"
    for name in manifest.ovn:
        yield f"replace OVN's database {name}"
    for name in manifest.hosts:
        yield f"put files back on {name}: keys, and the operator's own configuration"
    yield "put the cloud up again, schemas brought to what the packages want"


def restore(
    deployment: Deployment,
    folder: Path,
    manifest: Manifest,
    *,
    limit: float = TRANSFER,
    report: Callable[[str], None] | None = None,
) -> None:
    """Replace what a cloud knows; its services are stopped then, and ``up`` starts them.

    :param deployment: of the cloud, which is up
    :param limit: seconds for each database, and for each host's files
    :raises RdoError: something failed; the same again begins from its start
    """
    tell = report or (lambda _: None)
    stop_openstack(deployment, report=tell)
    names = deployment.site.names

    def quiet(plan: Plan) -> Shell:
        units = units_of(plan)
        parts = [sh("set -e")]
        if manifest.ovn and names.ovn_central_unit in units:
            parts.append(sh("systemctl stop %(unit)s", unit=names.ovn_central_unit))
        if names.memcached_unit in units:
            # what it remembers of tokens and catalogs is not so any more
            parts.append(sh("systemctl restart %(unit)s", unit=names.memcached_unit))
        return lines([*parts, sh("")])

    on_every_host(deployment, quiet)
    controller = deployment.controller
    for name in manifest.databases:
        anew = f"DROP DATABASE IF EXISTS `{name}`; CREATE DATABASE `{name}` CHARACTER SET utf8mb4"
        load = sh("set -eo pipefail\nmariadb -e %(anew)s\ngunzip -c | mariadb %(name)s", anew=anew, name=name)
        _send(controller, load, folder / f"databases/{name}.sql.gz", limit=limit)
        tell(f"database {name} is back")
    for name in manifest.ovn:
        place = f"{_OVN_FOLDER}/{name}_db.db"
        put = sh(
            """
            set -eo pipefail
            gunzip -c >%(new)s
            [ ! -e %(place)s ] || chown --reference=%(place)s %(new)s
            mv -f %(new)s %(place)s
            """,
            place=place,
            new=f"{place}.new",
        )
        _send(controller, put, folder / f"ovn/{name}.db.gz", limit=limit)
        tell(f"OVN's {name} is back")
    for plan, target in deployment.rows:
        archive = folder / f"hosts/{plan.host}.tar.gz"
        if archive.exists():
            _send(target, sh("tar -C / -xzpf -"), archive, limit=limit)
            tell(f"files of {plan.host} are back")


def _send(target: Target, command: Shell, file: Path, *, limit: float) -> None:
    done = transfer(target, command, source=file, limit=limit)
    if done.status != 0:
        said = "\n".join((done.stdout + done.stderr).strip().splitlines()[-10:])
        raise RdoError(
            f"{file.name} can't be put back on {target.host}:\n{said}", hint="The same command begins anew."
        )
