"""One host of a site, as roles see it, and what several of them say alike."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from rdo.cloud.credentials import Credentials
from rdo.cloud.pki import Authority, Certificate
from rdo.cloud.plan import Config, File, Packages, Service, Stage
from rdo.cloud.shell import Shell, sh
from rdo.cloud.texts import Text, fill
from rdo.cloud.topology import Host, PlatformNames, Role, Site, in_url
from rdo.cloud.topology import Service as Name

#: Where hosts have the certificates; one folder, so that `rpm -V` of no package is upset.
PKI = "/etc/pki/rdo"
CA = f"{PKI}/ca.crt"
CERTIFICATE = f"{PKI}/host.crt"
CLOUD = "rdo"
"""The administrator's entry in the controller's clouds.yaml."""

Options = dict[str, dict[str, object]]


@dataclass(frozen=True)
class Node:
    """A host, its site, and the secrets of its cloud."""

    site: Site
    host: Host
    credentials: Credentials
    authority: Authority

    @property
    def names(self) -> PlatformNames:
        """What the platform calls things."""
        return self.site.names

    @property
    def address(self) -> str:
        """The host's own address, as URLs have it."""
        return in_url(self.host.address)

    @property
    def is_controller(self) -> bool:
        """Whether the APIs are here."""
        return Role.CONTROLLER in self.host.roles

    @property
    def is_compute(self) -> bool:
        """Whether virtual machines run here."""
        return Role.COMPUTE in self.host.roles and self.has("nova")

    def since(self, series: str) -> bool:
        """Tell whether the cloud's series is this one or a later one."""
        return self.site.repository.series >= series

    def has(self, service: Name) -> bool:
        """Tell whether a service is in the cloud."""
        return service in self.site.cloud.services

    @cached_property
    def certificate(self) -> Certificate:
        """The host's certificate."""
        return self.authority.host(self.host.name, self.host.address)

    def secret(self, name: str) -> Text:
        """Return a password; :mod:`rdo.cloud.passwordrules` says what is in it."""
        return Text.secret(self.credentials[name].get_secret_value())

    def packages(self, group: str, *names: str) -> Packages:
        """Return the step of a service's packages."""
        step = f"{group}-packages"
        return Packages(id=step, title=f"Packages of {group}", names=names, stage=Stage.PACKAGES, group=group)

    def daemon(self, unit: str, stage: Stage, *, group: str, restart_after: tuple[str, ...]) -> Service:
        """Return the step of a unit of OpenStack's, which has the unit's name without its prefix."""
        name = unit.removeprefix("openstack-")
        return Service(id=name, title=name, stage=stage, group=group, unit=unit, restart_after=restart_after)

    def key_for(self, owner: str, *, stage: Stage = Stage.FOUNDATION, group: str = "") -> File:
        """Return the step of a copy of the host's key that an account can read."""
        return File(
            id=f"key-{owner}",
            title=f"Key of the host's certificate, for {owner}",
            stage=stage,
            group=group or owner,
            path=key_path(owner),
            owner=owner,
            group_owner=owner,
            mode="400",
            content=Text.secret(self.certificate.key.get_secret_value()),
        )

    # what OpenStack's services say alike

    def database_url(self, name: str, account: str | None = None) -> Text:
        """Return the address of a database, for SQLAlchemy."""
        account = account or name
        return fill(
            "mysql+pymysql://%(account)s:%(secret)s@%(host)s/%(name)s?charset=utf8mb4&ssl_ca=%(ca)s",
            account=account,
            secret=self.secret(f"{account}_database"),
            host=self.site.controller,
            name=name,
            ca=CA,
        )

    def database(self, name: str) -> Options:
        """Return the section of a service with one database."""
        return {"database": {"connection": self.database_url(name), "max_pool_size": 5}}

    def account(self, service: str) -> dict[str, object]:
        """Return how a service authenticates with Keystone."""
        return {
            "auth_type": "password",
            "auth_url": self.site.identity_url,
            "username": service,
            "password": self.secret(f"{service}_service"),
            "project_name": "service",
            "user_domain_name": "Default",
            "project_domain_name": "Default",
            "region_name": self.site.cloud.region,
            "cafile": CA,
        }

    def token_check(self, service: str) -> Options:
        """Return how a service's API checks tokens, and speaks for itself besides a user."""
        return {
            "keystone_authtoken": {
                "www_authenticate_uri": self.site.identity_url,
                "service_token_roles": "service",
                "service_token_roles_required": "true",
                "memcached_servers": "127.0.0.1:11211",
                **self.account(service),
            },
        }

    def service_user(self, service: str) -> Options:
        """Return the token that a service sends besides a user's, so that long work outlives that one."""
        account = self.account(service)
        # no region: the catalog is not asked for with it
        del account["region_name"]
        return {"service_user": {"send_service_user_token": "true", **account}}

    def messaging(self, service: str) -> Options:
        """Return the way to the message broker: a virtual host and an account of the service's own."""
        url = fill(
            "rabbit://%(service)s:%(secret)s@%(host)s:5671/%(service)s",
            service=service,
            secret=self.secret(f"{service}_messaging"),
            host=self.site.controller,
        )
        return {
            "DEFAULT": {"transport_url": url},
            "oslo_messaging_rabbit": {"ssl": "true", "ssl_ca_file": CA},
        }

    def config(
        self, project: str, *parts: Options, name: str | None = None, stage: Stage | None = None
    ) -> Config:
        """Return the step of a service's configuration: these parts, and the operator's options above them.

        It is a file of its own, read after the package's, which stays as it is for `rpm -V` and updates.
        """
        merged: dict[str, dict[str, Text]] = {}
        for part in parts:
            for section, options in part.items():
                merged.setdefault(section, {}).update({n: oslo_text(v) for n, v in options.items()})
        for section, own in self.site.cloud.options.get(project, {}).items():
            rows = merged.setdefault(section, {})
            for option, value in own.items():
                # an operator's text is in oslo.config's language already
                text = option_text(value)
                hidden = bool(option in rows and rows[option].secrets) or _SECRET.search(option)
                rows[option] = Text.secret(text) if hidden else Text(text)
        return Config(
            id=f"{project}-configuration",
            title=f"Configuration of {project}",
            stage=stage or Stage.CONFIGURATION,
            group=project,
            path=f"/etc/{project}/{name or project}.conf.d/50-rdo.conf",
            project=project,
            options=merged,
            group_owner=project,
        )


def key_path(owner: str) -> str:
    """Return where an account's copy of the host's key is."""
    return f"{PKI}/{owner}.key"


def answers(url: str) -> Shell:
    """Return a script that succeeds when a URL answers, with whatever status, its certificate checked."""
    return sh(
        "curl --silent --output /dev/null --max-time 20 --cacert %(ca)s %(url)s",
        ca=CA,
        url=url,
    )


# What options with secrets are called, of those that only an operator sets.
_SECRET = re.compile("password|passwd|secret|credential|transport_url|(^|_)(kek|key|token|connection)$")


def option_text(value: object) -> str:
    """Return a value as configuration files have it."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def oslo_text(value: object) -> Text:
    """Return a value as it stands in a file, so that oslo.config reads exactly this value.

    It takes "$" for the beginning of a reference, strips blanks, and takes quotes off that are around the
    whole (oslo_config/cfg.py, ``_substitute``; iniparser.py, ``_split_key_value``).
    """
    if not isinstance(value, Text):
        return Text(option_text(value))
    text = value.each(lambda clear: clear.replace("$", "$$"))
    clear = text.reveal()
    if clear != clear.strip() or clear.startswith(("'", '"')):
        return Text('"', text, '"')
    return text


def merged(*parts: Mapping[str, Mapping[str, object]]) -> Options:
    """Return options of several parts; later ones win."""
    found: Options = {}
    for part in parts:
        for section, options in part.items():
            found.setdefault(section, {}).update(options)
    return found
