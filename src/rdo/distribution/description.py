"""What a package's description says: only what can't be derived from upstream's metadata.

A file ``packages/<project>/package.yaml``. The folder's name is upstream's project (``keystone``), or the
canonical index name of a third-party one (``pyyaml``). Other files that the description names (units, dist
configuration, patches) lie beside it. A Python library needs no description at all.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from pydantic import Field

from rdo.distribution.models import Data
from rdo.distribution.names import DistName


class StatedLicence(Data):
    """A licence that a packager has looked up, since upstream doesn't state it so that it can be read."""

    expression: str = Field(description="SPDX expression")
    reason: str = Field(description="where it is from")


class Dated(Data):
    """A part of a description that not all series have."""

    since: str | None = Field(default=None, description="the first series that has it: 2026.1")
    until: str | None = Field(default=None, description="the last series that has it")

    def is_in(self, series: str) -> bool:
        """Tell whether a series has it."""
        return (self.since or series) <= series <= (self.until or series)


class PlacedFile(Dated):
    """A file that upstream's wheel doesn't install, or installs elsewhere."""

    source: str = Field(
        description="beside package.yaml, or (with ``upstream``) in the sdist, a file or a whole folder"
    )
    target: str = Field(description="absolute path, RPM macros allowed: %{_sysconfdir}/keystone/x.conf")
    upstream: bool = Field(default=False, description="the file is the sdist's own")
    mode: str = Field(default="0644", pattern=r"^[0-7]{4}$", description="octal, four digits")
    owner: str = "root"
    group: str = "root"
    config: bool = Field(default=False, description="an edited one is kept on update: %config(noreplace)")
    package: str | None = Field(default=None, description="subpackage; the base package by default")


class Unit(Dated):
    """A systemd service that runs one of the package's commands.

    In short it is just the command: ``nova-compute`` is the unit openstack-nova-compute.service.
    """

    run: str = Field(description="command line; its first word is one of the package's commands, or a path")
    name: str | None = Field(
        default=None, description="without .service; the service's unit_prefix and the command by default"
    )
    summary: str | None = None
    config: tuple[str, ...] = Field(
        default=(),
        description="further files below /etc/<project> that it reads after the service's own: x_agent.ini",
    )
    user: str | None = Field(default=None, description="the service's account by default")
    after: tuple[str, ...] = Field(default=(), description="units that are waited for, if they are started")
    privileged: bool = Field(
        default=False, description="it runs helpers as root (sudo), so little can be taken from it"
    )
    settings: dict[str, str] = Field(
        default_factory=dict, description="of the section [Service], instead of or beside what all have"
    )


class Subpackage(Dated):
    """A binary package beside the main one and the one with the Python modules."""

    name: str
    summary: str | None = Field(default=None, description="from the service's and the package's name")
    description: str | None = None
    requires: tuple[str, ...] = Field(
        default=(), description="RPM dependencies; those inside the project come of themselves"
    )
    recommends: tuple[str, ...] = ()
    provides: tuple[str, ...] = Field(default=(), description="further names, that it had before")
    obsoletes: tuple[str, ...] = Field(default=(), description="packages that it takes the place of")
    units: tuple[str | Unit, ...] = Field(
        default=(), description="commands, units in full, or x.service files beside package.yaml"
    )
    scripts: tuple[str, ...] = Field(
        default=(), description="commands that move here, beside those that its units run; globs"
    )
    config: tuple[str, ...] = Field(
        default=(), description="files below the service's folder in /etc that move here; globs"
    )
    groups: tuple[str, ...] = Field(
        default=(), description="groups that the account joins where this is installed; made if not there"
    )


class HttpdApplication(Dated):
    """A WSGI application in httpd: a snippet in /usr/share/<project> that the operator links or includes."""

    name: str = Field(description="of the snippet: wsgi-<name>.conf")
    port: int = Field(ge=1, le=65535)
    module: str = Field(description="Python module with ``application``: keystone.wsgi.api")
    processes: int = Field(default=4, ge=1)
    threads: int = Field(default=1, ge=1)
    body_limit: int | None = Field(
        default=None,
        description="bytes of a request's body that httpd lets through, 0 for any; its own default else. "
        "Upstream's middleware has limits besides",
    )
    package: str | None = Field(default=None, description="subpackage; the base package by default")


class Service(Data):
    """What makes a project a service on a host. The rest follows one pattern for all of them.

    Derived: /etc, /var/lib and /var/log folders, sysusers, tmpfiles, logrotate, configuration and its
    schema from the option generators, the policy sample, distribution defaults, rootwrap's and privsep's
    rights, units, scripts, data files, translations, tests.

    The *base package* has what all others need: account, folders, configuration. That is ``common`` where
    it is stated, else the main package.
    """

    user: str | None = Field(
        default=None, description="account and group; the folders' name by default. root: none is made"
    )
    uid: int | None = Field(default=None, ge=1, lt=1000, description="EL's static uid and gid, if it has one")
    groups: tuple[str, ...] = Field(default=(), description="further groups of the account")
    home: str | None = Field(default=None, description="/var/lib/<project> by default")
    folder: str | None = Field(
        default=None, description="name of its folders in /etc, /var and /usr/share; the project's by default"
    )
    of: str | None = Field(
        default=None,
        description="the project whose account and folders it uses, as plugins do; it makes none then",
    )
    main: str | None = Field(
        default=None, description="name of the main package, if it is not the source package's"
    )
    common: str | None = Field(
        default=None, description="name of the base package, if it is not the main one"
    )
    defaults: dict[str, dict[str, str]] = Field(
        default_factory=dict,
        description="section -> option -> value of our defaults, read before the operator's file; "
        "log_dir and lock_path come of themselves",
    )
    generators: dict[str, str] = Field(
        default_factory=dict,
        description="inputs of oslo-config-generator in the sdist, in places that nobody would look at or "
        "for a file elsewhere -> the file in /etc/<project> that each makes; empty: none",
    )
    logs: tuple[str, ...] = Field(
        default=(),
        description="files in /var/log/<project> that are the account's, whoever writes to them first",
    )
    httpd: tuple[HttpdApplication, ...] = ()
    unit_prefix: str = Field(default="openstack-", description="what units' names begin with")
    units: tuple[str | Unit, ...] = Field(
        default=(), description="of the main package: commands, units in full, or x.service files of ours"
    )
    sudoers: str | None = Field(default=None, description="beside package.yaml: more than what is derived")
    requires: tuple[str, ...] = Field(
        default=(), description="RPM dependencies of the base package, not Python's"
    )
    recommends: tuple[str, ...] = ()
    provides: tuple[str, ...] = Field(default=(), description="further names of the main package")
    obsoletes: tuple[str, ...] = Field(default=(), description="what the main package takes the place of")
    directories: tuple[str, ...] = Field(default=(), description="further ones, the account's, 0750")
    passable: tuple[str, ...] = Field(
        default=(), description="the account's folders that others may pass through, but not list: 0711"
    )
    config_directories: tuple[str, ...] = Field(default=(), description="below /etc/<project>, root's, 0750")
    files: tuple[PlacedFile, ...] = ()
    subpackages: tuple[Subpackage, ...] = ()
    docs: bool = Field(default=True, description="a -doc subpackage with upstream's documentation sources")

    def folder_name(self, project: str) -> str:
        """Return the name of the folders of a project's service: /etc/<name>, /var/lib/<name> and so on."""
        return self.of or self.folder or project

    def in_series(self, series: str) -> Service:
        """Return the service as one series has it."""
        subs = tuple(
            sub.model_copy(update={"units": _in_series(sub.units, series)})
            for sub in self.subpackages
            if sub.is_in(series)
        )
        update = {"subpackages": subs, "units": _in_series(self.units, series)}
        update |= {name: _in_series(getattr(self, name), series) for name in ("httpd", "files")}
        return self.model_copy(update=update)


def _in_series(items: Iterable[object], series: str) -> tuple[object, ...]:
    return tuple(item for item in items if not isinstance(item, Dated) or item.is_in(series))


class PackageDescription(Data):
    """The description of one project's package, ``packages/<project>/package.yaml``."""

    project: str = Field(description="the folder's name")
    epoch: int = Field(default=0, ge=0, description="RPM epoch that users' systems already have")
    release: int = Field(default=1, ge=1, description="goes up when only our side changes")
    summary: str | None = Field(default=None, description="one line, no full stop")
    description: str | None = None
    licence: StatedLicence | None = None
    always_built: str | None = Field(
        default=None, description="why the platform's version is never taken, though it may fit some closures"
    )
    relax: dict[DistName, str] = Field(
        default_factory=dict,
        description="canonical index name -> why its upper bound is ignored; each build tests it",
    )
    exclude: dict[DistName, str] = Field(
        default_factory=dict, description="canonical index name -> why it is not required at all"
    )
    needs: dict[DistName, str] = Field(
        default_factory=dict,
        description="canonical index name -> why it is required though upstream doesn't say so",
    )
    build_requires: tuple[str, ...] = Field(default=(), description="RPM dependencies that are not Python's")
    requires: tuple[str, ...] = Field(
        default=(), description="RPM dependencies of the package with the modules, not Python's"
    )
    conflicts: tuple[str, ...] = Field(
        default=(), description="packages that can't be installed with the one that has the modules"
    )
    replaces: dict[str, str] = Field(
        default_factory=dict,
        description="names that the platform has for something else -> why this package takes its place",
    )
    patches: tuple[str, ...] = Field(default=(), description="beside package.yaml, in their order")
    prepare: tuple[str, ...] = Field(default=(), description="shell lines at the end of %prep")
    environment: dict[str, str] = Field(
        default_factory=dict,
        description="variables while the wheel is built; {version} in a value is upstream's version",
    )
    minutes: int = Field(
        default=15, ge=1, le=600, description="that a build may take on a busy machine before it is killed"
    )
    memory: int | None = Field(
        default=None,
        ge=1,
        le=4096,
        description="GiB that a build may use, its files included; by default its share of the machine's",
    )
    install: tuple[str, ...] = Field(default=(), description="shell lines at the end of %install")
    installs: tuple[str, ...] = Field(
        default=(),
        description="files that the wheel has and the sdist doesn't show; absolute, RPM macros allowed",
    )
    leave_out: tuple[str, ...] = Field(
        default=(), description="what the wheel installs and nobody needs: below the prefix, or etc/; globs"
    )
    compiled: bool | None = Field(default=None, description="where looking at the sdist gets it wrong")
    tests: bool | None = Field(default=None, description="false: no -tests subpackage")
    extras: tuple[str, ...] | None = Field(
        default=None,
        description="exactly these become subpackages, and what they need is always built or there; "
        "by default those whose needs the platform offers or the package has anyway",
    )
    imports: tuple[str, ...] = Field(default=(), description="further modules that must import")
    not_imported: dict[str, str] = Field(
        default_factory=dict,
        description="modules that can't be imported with what is required; globs -> why",
    )
    import_check: bool = Field(default=True, description="false where importing needs a running service")
    check: tuple[str, ...] = Field(default=(), description="shell lines of %check: the project's own tests")
    check_requires: tuple[str, ...] = Field(default=(), description="RPM dependencies of ``check``")
    service: Service | None = None

    def in_series(self, series: str) -> PackageDescription:
        """Return the description as one series has it, without what is dated otherwise."""
        if self.service is None:
            return self
        return self.model_copy(update={"service": self.service.in_series(series)})

    @property
    def kind(self) -> Literal["service", "library"]:
        """Whether the package has more than Python modules."""
        return "library" if self.service is None else "service"
