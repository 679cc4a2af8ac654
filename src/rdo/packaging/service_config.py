"""A service's configuration: made by upstream's generators, taken from the sdist, and our defaults."""

from __future__ import annotations

import fnmatch
import posixpath
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from rdo.packaging.inspection import Inspection
from rdo.packaging.spec import Draft
from rdo.packaging.spec_model import SpecError

_SETTINGS = (".ini", ".yaml", ".yml", ".json", ".filters")
_NOT_SETTINGS = re.compile(
    r"(^|/)(readme|\.|httpd/|apache2?/|uwsgi/|vassals/|init/|examples?/)|sample|test|generator|logging",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Made:
    """A file that a generator makes: from an input in the sdist, below /etc/<project>."""

    source: str
    target: str

    @property
    def schema(self) -> str:
        """The file of its option schema in /usr/share/<project>."""
        return f"{posixpath.splitext(posixpath.basename(self.target))[0]}-schema.yaml"

    @property
    def is_read_with_the_service(self) -> bool:
        """Whether a plugin's file is for its service: ``x.conf``. Agents have ``x.ini``, drivers folders."""
        return "/" not in self.target and self.target.endswith(".conf")


def generated(
    inspection: Inspection, project: str, stated: dict[str, str], files: Iterable[str]
) -> list[Made]:
    """Return what oslo-config-generator makes; of two inputs for one file the first is taken.

    :param stated: the description's own: input -> file
    :raises SpecError: a stated input isn't in the sdist
    """
    known = {source for source, _ in inspection.config_generators}
    missing = sorted(set(stated) - set(files) - known)
    if missing:
        raise SpecError(f"packages/{project}/package.yaml names {missing[0]}, which isn't in the sdist.")
    rows: dict[str, Made] = {}
    found = ((source, target) for source, target in inspection.config_generators if source not in stated)
    for source, target in (*stated.items(), *found):
        relative = target.removeprefix("etc/").removeprefix(f"{project}/")
        if relative:
            rows.setdefault(relative, Made(source, relative))
    return list(rows.values())


def further_settings(draft: Draft, project: str, installed: Iterable[str]) -> Iterator[str]:
    """Yield the sdist's own settings of the service that its wheel leaves out, relative to ``etc/<project>``.

    Samples, and what is for other web servers, init systems or tests, are left where they are.
    """
    there = set(installed)
    for name in draft.inputs.metadata.files:
        relative = name.removeprefix(f"etc/{project}/")
        if relative == name or relative in there or _NOT_SETTINGS.search(relative):
            continue
        if relative.endswith(_SETTINGS) or posixpath.basename(relative) == "rootwrap.conf":
            yield relative


def distribution_defaults(draft: Draft, project: str, stated: dict[str, dict[str, str]]) -> str | None:
    """Return the text of ``<project>-dist.conf``; None where nothing is to be said.

    Logs go to /var/log and locks to /var/lib wherever the service has these options.
    """
    inspection = draft.inputs.inspection
    required = {item.dist for item in draft.inputs.statements.runtime(draft.inputs.metadata)}
    sections: dict[str, dict[str, str]] = {}
    if "oslo-log" in required:
        sections["DEFAULT"] = {"log_dir": f"/var/log/{project}"}
    for section, options in stated.items():
        sections.setdefault(section, {}).update(options)
    locks = "oslo.concurrency" in inspection.option_namespaces
    if locks or ("oslo-concurrency" in required and not inspection.config_generators):
        sections.setdefault("oslo_concurrency", {}).setdefault("lock_path", f"/var/lib/{project}/tmp")
    if not sections:
        return None
    lines = [
        "# Defaults of this distribution. Updates replace this file: settings of your own belong in",
        f"# /etc/{project}/, in the service's file or its .conf.d folder, which are read after it.",
    ]
    for section, options in sections.items():
        lines += ["", f"[{section}]", *(f"{option} = {value}" for option, value in options.items())]
    return "\n".join(lines) + "\n"


def sudo_rights(draft: Draft, project: str, user: str) -> str | None:
    """Return the sudoers file of the ways that OpenStack's services become root; None where there is none.

    rootwrap runs what its filters allow; privsep-helper starts the part of a service that runs as root.
    """
    metadata = draft.inputs.metadata
    required = {item.dist for item in draft.inputs.statements.runtime(metadata)}
    rows = [
        f"{user} ALL=(root) NOPASSWD: /usr/bin/{command} /etc/{project}/rootwrap.conf{more}"
        for command, more in ((f"{project}-rootwrap", " *"), (f"{project}-rootwrap-daemon", ""))
        if command in metadata.console_scripts
    ]
    if "oslo-privsep" in required and (rows or "os-brick" in required):
        rows.append(f"{user} ALL=(root) NOPASSWD: /usr/bin/privsep-helper *")
    if not rows:
        return None
    return "\n".join([f"Defaults:{user} !requiretty", *rows]) + "\n"


def belongs(relative: str, patterns: Iterable[str]) -> bool:
    """Tell whether a file below /etc/<project> is one of those that a subpackage states."""
    return any(fnmatch.fnmatchcase(relative, pattern) for pattern in patterns)


def config_line(path: str, user: str) -> str:
    """Return the %files line of a file of configuration: root's, readable by the service."""
    return f"%config(noreplace) %attr(0640, root, {user}) {path}"
