"""Removing the cloud's data from a host, and nothing that another file system has there.

On shared storage a folder such as Nova's instances is everybody's. So each place is looked at in
/proc/self/mountinfo first: what is mounted at it, below it, or between the service's parent folder and it,
is named, and nothing is removed. ``rm --one-file-system`` alone would not do: it empties a mount point that
it is given, and can't tell a bind mount of the same file system.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import PurePosixPath

from rdo.cloud.deployment import Deployment
from rdo.cloud.plan import Plan, Target
from rdo.cloud.roles.ceph import MONITOR_STORE
from rdo.cloud.shell import Shell, lines, pattern, sh
from rdo.cloud.ssh import run_on
from rdo.common.errors import InputError, RdoError
from rdo.common.process import CommandError

_PATIENCE = 60.0
#: A step of a plan -> where that role keeps data, as shell patterns. What no step of a host's plan owns
#: stays, whatever lies there.
OWNED: Mapping[str, tuple[str, ...]] = {
    "keystone-fernet-keys": ("/etc/keystone/fernet-keys",),
    "keystone-credential-keys": ("/etc/keystone/credential-keys",),
    "keystone-bootstrap": ("/var/lib/rdo-cloud", "/var/cache/rdo-cloud", "/var/lib/rdo-tempest"),
    "glance-packages": ("/var/lib/glance/images",),
    "ironic-packages": ("/var/lib/ironic",),
    "nova-compute": ("/var/lib/nova/instances", "/var/lib/nova/.ssh"),
    "ovn-central": ("/var/lib/ovn/*.db",),
    "rabbitmq": ("/var/lib/rabbitmq/mnesia",),
    "swift-device": ("/srv/node/data",),
    # a cluster that is there already is not ours to touch
    MONITOR_STORE: (
        "/etc/ceph/ceph.client.admin.keyring",
        "/var/lib/ceph/mon/ceph-{host}",
        "/var/lib/ceph/mgr/ceph-{host}",
        "/var/lib/ceph/osd/ceph-0",
    ),
}
# Fields of mountinfo are in proc(5); blanks and the like are octal in it. The last of several mounts that
# cover a place is the one that is seen.
_FUNCTIONS = sh(r"""
rdo_mounted() {
    rdo_real=$(realpath -m -- "${1%/*}")/${1##*/}
    rdo_place=$rdo_real rdo_base=$2 awk '
        function is_above(upper, lower) {
            return upper == lower || upper == "/" || index(lower, upper "/") == 1
        }
        BEGIN { place = ENVIRON["rdo_place"]; base = ENVIRON["rdo_base"] }
        {
            at = $5
            gsub(/\\040/, " ", at); gsub(/\\011/, "\t", at); gsub(/\\012/, "\n", at); gsub(/\\134/, "\\", at)
            for (i = 6; $i != "-"; i++);
            what = at " (" $(i + 1) " " $(i + 2) ")"
            if (is_above(place, at)) print what
            else if (is_above(at, place) && length(at) >= length(cover)) { cover = at; covering = what }
        }
        END { if (!is_above(cover, base)) print covering }
    ' /proc/self/mountinfo
}
rdo_remove() {
    [ -e "$1" ] || [ -L "$1" ] || return 0
    rdo_found=$(rdo_mounted "$1" "$2") || return 1
    if [ -n "$rdo_found" ]; then
        echo "$1 is left as it is, since a file system is mounted there: $rdo_found" >&2
        return "$3"
    fi
    rm -rf --one-file-system --preserve-root=all -- "$1"
}
""")


def places(plan: Plan) -> list[str]:
    """Return where the roles of a plan keep data on its host, as shell patterns."""
    there = {step.id for step in plan.steps}
    return [place.format(host=plan.host) for step, owned in OWNED.items() if step in there for place in owned]


def removal_script(owned: Iterable[str], *, leave_mounted: bool) -> Shell:
    """Return a bash script that removes places, given as shell patterns.

    It ends with a status that is not 0 at the first place where something is mounted, unless these are to be
    left; nothing in them is removed either way.
    """
    status = 0 if leave_mounted else 1
    each = [
        sh(
            'for place in %(place)s; do rdo_remove "$place" %(base)s %(status)s || exit 1; done',
            place=pattern(place),
            base=_base(place),
            status=status,
        )
        for place in owned
    ]
    return lines([_FUNCTIONS, *each, sh("")])


def look_script(owned: Iterable[str]) -> Shell:
    """Return a bash script that prints what is mounted in the way of a removal, a line each."""
    each = [
        sh(
            """\
            for place in %(place)s; do
                [ ! -e "$place" ] || rdo_mounted "$place" %(base)s | sed "s|^|$place: |"
            done""",
            place=pattern(place),
            base=_base(place),
        )
        for place in owned
    ]
    return lines([_FUNCTIONS, *each, sh("")])


def _base(place: str) -> str:
    """Return the host's own folder that a service's folder is in: what is mounted there is the host's."""
    parts = PurePosixPath(place).parts
    return str(PurePosixPath(*parts[: 3 if parts[1] == "var" else 2]))


def mounted(deployment: Deployment) -> list[str]:
    """Return the file systems that are mounted where a removal of data would go, a line each.

    :raises RdoError: a host could not be asked
    """

    def look(row: tuple[Plan, Target]) -> list[str]:
        plan, target = row
        try:
            done = run_on(target, look_script(places(plan)), timeout=_PATIENCE)
        except CommandError as error:
            raise RdoError(f"{plan.host} can't be asked what is mounted on it: {error}") from error
        if done.status != 0:
            raise RdoError(f"{plan.host} can't be asked what is mounted on it: {done.stderr.strip()}")
        return [f"{plan.host}: {line}" for line in done.stdout.splitlines()]

    with ThreadPoolExecutor(max_workers=16) as pool:
        return [line for found in pool.map(look, deployment.rows) for line in found]


def require_unmounted(found: Sequence[str]) -> None:
    """Do nothing where nothing is mounted in the way.

    :param found: what :func:`mounted` returned
    :raises InputError: all of it, by name, and what to do
    """
    if found:
        raise InputError(
            "\n".join(["Other file systems are mounted where the cloud's data would be removed:", *found]),
            hint="Nothing was changed. --leave-mounted leaves these places as they are and removes the rest. "
            "To remove what they hold, do it yourself, if it is this cloud's alone; then unmount them.",
        )
