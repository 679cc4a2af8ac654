"""systemd units of services: from the command that one runs to its unit file."""

from __future__ import annotations

from dataclasses import dataclass

from rdo.distribution.description import Service, Unit

# For services that never become root. What they write lies in /var and /run.
_HARDENED = {
    "NoNewPrivileges": "yes",
    "PrivateTmp": "yes",
    "PrivateDevices": "yes",
    "ProtectSystem": "full",
    "ProtectHome": "yes",
    "ProtectClock": "yes",
    "ProtectControlGroups": "yes",
    "ProtectHostname": "yes",
    "ProtectKernelLogs": "yes",
    "ProtectKernelModules": "yes",
    "ProtectKernelTunables": "yes",
    "LockPersonality": "yes",
    "RestrictRealtime": "yes",
    "RestrictSUIDSGID": "yes",
}


@dataclass(frozen=True)
class NamedUnit:
    """A unit with everything filled in. ``text`` is None for files that lie beside the description."""

    filename: str
    command: str | None
    text: str | None


def named(stated: str | Unit, service: Service, project: str, user: str) -> NamedUnit:
    """Fill in what a description leaves out of a unit.

    :param stated: a command, a unit, or the name of a file (``x.service``)
    :param user: the service's account
    """
    if isinstance(stated, str):
        if stated.endswith((".service", ".timer", ".socket", ".path", ".target")):
            return NamedUnit(stated, None, None)
        stated = Unit(run=stated)
    program, _, arguments = stated.run.partition(" ")
    command = program.rpartition("/")[2]
    name = stated.name or f"{service.unit_prefix}{command}"
    path = program if program.startswith("/") else f"/usr/bin/{program}"
    line = f"{path} {arguments}".rstrip() + _configuration(stated.config, service.folder_name(project))
    what = name.removeprefix(service.unit_prefix).removesuffix("@")
    summary = stated.summary or f"OpenStack {(service.of or project).capitalize()}: {what}"
    own = None if program.startswith("/") else command
    return NamedUnit(f"{name}.service", own, _text(stated, summary, line, user))


def _configuration(files: tuple[str, ...], project: str) -> str:
    """Return the arguments for further files. They take the place of the usual ones, which are named too."""
    if not files:
        return ""
    usual = (f"/usr/share/{project}/{project}-dist.conf", f"/etc/{project}/{project}.conf")
    read = [*usual, *(f"/etc/{project}/{name}" for name in files)]
    return (
        "".join(f" --config-file {name}" for name in read) + f" --config-dir /etc/{project}/{project}.conf.d"
    )


def _text(unit: Unit, summary: str, line: str, user: str) -> str:
    after = " ".join(("network-online.target", *unit.after))
    settings = {"Type": "simple", "User": unit.user or user, "ExecStart": line}
    if unit.settings.get("Type") != "oneshot":
        settings |= {"Restart": "on-failure", "RestartSec": "2"}
    settings |= {} if unit.privileged or unit.user == "root" else _HARDENED
    settings |= unit.settings
    rows = "".join(f"{key}={value}\n" for key, value in settings.items())
    return (
        f"[Unit]\nDescription={summary}\nAfter={after}\nWants=network-online.target\n\n"
        f"[Service]\n{rows}\n[Install]\nWantedBy=multi-user.target\n"
    )
