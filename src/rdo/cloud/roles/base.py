"""What every host gets first: the cloud's authority, its certificate, the names of the others."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import SecretStr

from rdo.cloud.plan import AnyStep, File, Script, Stage
from rdo.cloud.roles.node import CA, CERTIFICATE, Node

_BEGIN, _END = "# rdo: hosts of this cloud", "# rdo: end"


def steps(node: Node) -> Iterator[AnyStep]:
    """Yield the steps of every host."""
    yield File(
        id="authority",
        title="The cloud's certificate authority",
        stage=Stage.REPOSITORY,
        group="base",
        path=CA,
        content=SecretStr(node.authority.certificate),
    )
    yield File(
        id="certificate",
        title="The host's certificate",
        stage=Stage.REPOSITORY,
        group="base",
        path=CERTIFICATE,
        content=SecretStr(node.certificate.certificate),
    )
    yield node.key_for("root", stage=Stage.REPOSITORY, group="base")
    yield _names(node)


def _names(node: Node) -> Script:
    """Return the step that lets hosts know each other's names, where no DNS does (nova's, for migrations)."""
    rows = [f"{host.address} {host.name}" for host in node.site.cloud.hosts]
    text = "\n".join([_BEGIN, *rows, _END])
    there = f"sed -n '/^{_BEGIN}$/,/^{_END}$/p' /etc/hosts"
    return Script(
        id="names",
        title="Names of the cloud's hosts",
        stage=Stage.REPOSITORY,
        group="base",
        about_hosts=True,
        unless=SecretStr(f'test "$({there})" = "{text}"'),
        script=SecretStr(
            "umask 022\nnew=$(mktemp /etc/hosts.XXXXXX)\n"
            f"sed '/^{_BEGIN}$/,/^{_END}$/d' /etc/hosts >$new\n"
            f"cat >>$new <<'HOSTS'\n{text}\nHOSTS\n"
            "chmod 644 $new\nmv -f $new /etc/hosts\n"
        ),
        undo=f"sed -i '/^{_BEGIN}$/,/^{_END}$/d' /etc/hosts",
    )
