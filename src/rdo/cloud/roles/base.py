"""What every host gets first: the cloud's authority, its certificate, the names of the others."""

from __future__ import annotations

from collections.abc import Iterator

from rdo.cloud.plan import AnyStep, File, Script, Stage
from rdo.cloud.roles.node import CA, CERTIFICATE, Node
from rdo.cloud.shell import here, sh
from rdo.cloud.texts import Text

#: The first and the last line of our part of /etc/hosts.
BEGIN, END = "# rdo: hosts of this cloud", "# rdo: end"
_LINES = f"/^{BEGIN}$/,/^{END}$/"


def steps(node: Node) -> Iterator[AnyStep]:
    """Yield the steps of every host."""
    yield File(
        id="authority",
        title="The cloud's certificate authority",
        stage=Stage.REPOSITORY,
        group="base",
        path=CA,
        content=Text(node.authority.certificate),
    )
    yield File(
        id="certificate",
        title="The host's certificate",
        stage=Stage.REPOSITORY,
        group="base",
        path=CERTIFICATE,
        content=Text(node.certificate.certificate),
    )
    yield node.key_for("root", stage=Stage.REPOSITORY, group="base")
    yield _names(node)


def _names(node: Node) -> Script:
    """Return the step that lets hosts know each other's names, where no DNS does (nova's, for migrations)."""
    rows = [f"{host.address} {host.name}" for host in node.site.cloud.hosts]
    text = "\n".join([BEGIN, *rows, END])
    return Script(
        id="names",
        title="Names of the cloud's hosts",
        stage=Stage.REPOSITORY,
        group="base",
        about_hosts=True,
        unless=sh('test "$(sed -n %(kept)s /etc/hosts)" = %(text)s', kept=f"{_LINES}p", text=text),
        script=sh(
            """
            umask 022
            new=$(mktemp /etc/hosts.XXXXXX)
            sed %(gone)s /etc/hosts >$new
            cat >>$new %(text)s
            chmod 644 $new
            mv -f $new /etc/hosts
            """,
            gone=f"{_LINES}d",
            text=here(text),
        ),
        undo=sh("sed -i %(gone)s /etc/hosts", gone=f"{_LINES}d"),
    )
