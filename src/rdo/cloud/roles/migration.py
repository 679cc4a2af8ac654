"""The way of one host of virtual machines to another: Nova makes folders there over SSH when a machine moves.

Where there is one host only, nobody may come in. Live migration itself goes through libvirt and its TLS.
"""

from __future__ import annotations

from collections.abc import Iterator

from rdo.cloud.plan import AnyStep, File, Script, Stage
from rdo.cloud.roles.node import Node
from rdo.cloud.shell import sh
from rdo.cloud.texts import Text
from rdo.cloud.topology import Role

_FOLDER = "/var/lib/nova/.ssh"


def steps(node: Node) -> Iterator[AnyStep]:
    """Yield the steps of a host of virtual machines."""
    others = [str(host.address) for host in node.site.cloud.having(Role.COMPUTE)]
    if not node.is_compute:
        return
    if len(others) < 2:
        # one that has left must not come in any more
        allowed, known = f"{_FOLDER}/authorized_keys", f"{_FOLDER}/known_hosts"
        yield Script(
            id="migration-nobody",
            title="Nobody comes in as Nova",
            stage=Stage.CONFIGURATION,
            group="migration",
            about_hosts=True,
            unless=sh("[ ! -e %(allowed)s ] && [ ! -e %(known)s ]", allowed=allowed, known=known),
            script=sh("rm -f %(allowed)s %(known)s", allowed=allowed, known=known),
        )
        return
    key = node.authority.ssh_key("nova-migration")
    yield Script(
        id="migration-account",
        title="Nova's account can be logged in to",
        stage=Stage.CONFIGURATION,
        group="migration",
        about_hosts=True,
        unless=sh(
            "getent passwd nova | grep -q ':/bin/bash$' && "
            '[ "$(stat -c %U:%G:%a %(folder)s)" = nova:nova:700 ]',
            folder=_FOLDER,
        ),
        script=sh(
            """
            usermod --shell /bin/bash nova
            install -d -m 700 -o nova -g nova %(folder)s
            [ ! -x /sbin/restorecon ] || restorecon -R %(folder)s
            """,
            folder=_FOLDER,
        ),
    )
    # Nobody comes in with it but from these hosts, and nothing is forwarded.
    rights = f'from="{",".join(others)}",restrict {key.public}\n'
    # The other host's own key is taken for true when it is met first, as nobody has told Nova of it.
    ways = f"Host {' '.join(others)}\n    IdentityFile {_FOLDER}/id_ed25519\n"
    ways += "    StrictHostKeyChecking accept-new\n"
    for name, title, content in (
        ("id_ed25519", "Nova's key for the other hosts", Text.secret(key.private.get_secret_value())),
        ("authorized_keys", "Who may come in as Nova", Text(rights)),
        ("config", "Nova's way to the other hosts", Text(ways)),
    ):
        yield File(
            id=f"migration-{name}",
            title=title,
            stage=Stage.CONFIGURATION,
            group="migration",
            about_hosts=True,
            path=f"{_FOLDER}/{name}",
            owner="nova",
            group_owner="nova",
            mode="600",
            content=content,
        )
