"""Make objects of the cloud's APIs, or look whether they are there; runs on the controller.

The job is JSON on descriptor 9: ``cloud`` (in clouds.yaml), ``look`` (change nothing; exit status 3 where
something is missing) and what is wanted, each part optional:

* ``region``, ``services`` [{name, type, description, url}]: the catalog, each with three endpoints;
* ``project``, ``users`` [{name, password}], ``roles`` [name]: the users' roles in that project;
* ``further_roles`` [name]; ``domains`` [{name, description, admin: {name, password}}], each with the user
  that is its administrator;
* ``flavors`` [{name, ram, vcpus, disk}]; ``networks`` [{name, …}] with ``subnet``; ``volume_types`` [name].

Prints a line for each object that is made or changed.
"""

from __future__ import annotations

import json
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import openstack
from keystoneauth1.exceptions import Unauthorized
from keystoneauth1.identity.v3 import Password


class MissingError(Exception):
    """Something that is wanted is not there, and only a look was asked for."""


class Objects:
    """What is there, and the making of what is not."""

    def __init__(self, job: dict[str, Any]) -> None:
        self.job = job
        self.look = job["look"]
        self.cloud: Any = openstack.connect(cloud=job["cloud"])

    def want(self, there: Any, what: str, make: Any) -> Any:
        """Return what is there, or make it."""
        if there is not None:
            return there
        if self.look:
            raise MissingError(what)
        print(what, flush=True)
        return make()

    def catalog(self) -> None:
        """Services and endpoints."""
        identity = self.cloud.identity
        known = {(s.name, s.type): s for s in identity.services()}
        endpoints = list(identity.endpoints()) if self.job.get("services") else []
        for row in self.job.get("services", ()):
            service = self.want(
                known.get((row["name"], row["type"])),
                "service {}".format(row["name"]),
                lambda row=row: identity.create_service(
                    name=row["name"], type=row["type"], description=row["description"]
                ),
            )
            for interface in ("public", "internal", "admin"):
                own = [e for e in endpoints if e.service_id == service.id and e.interface == interface]
                own = [e for e in own if e.region_id == self.job["region"]]
                right = next((e for e in own if e.url == row["url"]), None)
                what = "{} endpoint of {}".format(interface, row["name"])
                if right is None and own:
                    self.want(
                        None, what, lambda e=own[0], row=row: identity.update_endpoint(e, url=row["url"])
                    )
                    continue
                self.want(
                    right,
                    what,
                    lambda service=service, interface=interface, row=row: identity.create_endpoint(
                        service_id=service.id,
                        interface=interface,
                        region_id=self.job["region"],
                        url=row["url"],
                    ),
                )

    def accounts(self) -> None:
        """The project of the services, their users and roles."""
        users = self.job.get("users", ())
        if not users:
            return
        identity = self.cloud.identity
        domain = "default"
        name = self.job["project"]
        project = self.want(
            identity.find_project(name, domain_id=domain),
            f"project {name}",
            lambda: identity.create_project(name=name, domain_id=domain),
        )
        roles = []
        for role in self.job["roles"]:
            found = identity.find_role(role)
            roles.append(self.want(found, f"role {role}", lambda r=role: identity.create_role(name=r)))
        known = {user.name: user for user in identity.users(domain_id=domain)}
        given = {
            (a.user["id"], a.role["id"])
            for a in identity.role_assignments(scope_project_id=project.id)
            if a.user
        }
        with ThreadPoolExecutor(4) as pool:
            right = list(pool.map(lambda row: row["name"] not in known or self.enters(row), users))
        for number, row in enumerate(users):
            user = self.want(
                known.get(row["name"]),
                "user {}".format(row["name"]),
                lambda row=row: identity.create_user(
                    name=row["name"],
                    password=row["password"],
                    domain_id=domain,
                    default_project_id=project.id,
                    # Keystone's rules for people's passwords (expiry, lockout) are not for services
                    options={"ignore_lockout_failure_attempts": True, "ignore_password_expiry": True},
                ),
            )
            if not right[number]:
                self.want(
                    None,
                    "password of {}".format(row["name"]),
                    lambda user=user, row=row: identity.update_user(user, password=row["password"]),
                )
            for role in roles:
                what = "role {} of {}".format(role.name, row["name"])
                self.want(
                    True if (user.id, role.id) in given else None,
                    what,
                    lambda user=user, role=role: identity.assign_project_role_to_user(project, user, role),
                )

    def domains(self) -> None:
        """Roles that only have to be there, and domains with an administrator each."""
        identity = self.cloud.identity
        for role in self.job.get("further_roles", ()):
            self.want(identity.find_role(role), f"role {role}", lambda r=role: identity.create_role(name=r))
        for row in self.job.get("domains", ()):
            name, admin = row["name"], row["admin"]
            domain = self.want(
                identity.find_domain(name),
                f"domain {name}",
                lambda row=row: identity.create_domain(name=row["name"], description=row["description"]),
            )
            known = next(iter(identity.users(domain_id=domain.id, name=admin["name"])), None)
            user = self.want(
                known,
                "user {}".format(admin["name"]),
                lambda domain=domain, admin=admin: identity.create_user(**admin, domain_id=domain.id),
            )
            if known is not None and not self.enters(admin, domain=name):
                self.want(
                    None,
                    "password of {}".format(admin["name"]),
                    lambda user=user, admin=admin: identity.update_user(user, password=admin["password"]),
                )
            role = identity.find_role("admin")
            given = identity.role_assignments(scope_domain_id=domain.id, user_id=user.id, role_id=role.id)
            self.want(
                next(iter(given), None),
                f"administrator of domain {name}",
                lambda domain=domain, user=user, role=role: identity.assign_domain_role_to_user(
                    domain, user, role
                ),
            )

    def enters(self, row: dict[str, str], *, domain: str | None = None) -> bool:
        """Tell whether a user's password is the wanted one; in the administrator's domain if none is said."""
        own = self.cloud.config.get_auth_args()
        plugin = Password(
            auth_url=own["auth_url"],
            username=row["name"],
            password=row["password"],
            user_domain_name=domain or own["user_domain_name"],
        )
        try:
            plugin.get_access(self.cloud.session)
        except Unauthorized:
            return False
        return True

    def flavors(self) -> None:
        """Flavors that everybody can use."""
        rows = self.job.get("flavors", ())
        known = {f.name: f for f in self.cloud.compute.flavors(details=False)} if rows else {}
        for row in rows:
            self.want(
                known.get(row["name"]),
                "flavor {}".format(row["name"]),
                lambda row=row: self.cloud.compute.create_flavor(**row),
            )

    def networks(self) -> None:
        """Networks with one subnet each."""
        rows = self.job.get("networks", ())
        # asking for a service that is not in the catalog yet is an error
        network: Any = self.cloud.network if rows else None
        for row in rows:
            row = dict(row)
            subnet = row.pop("subnet")
            made = self.want(
                network.find_network(row["name"]),
                "network {}".format(row["name"]),
                lambda row=row: network.create_network(**row),
            )
            self.want(
                next(iter(network.subnets(network_id=made.id)), None),
                "subnet of {}".format(row["name"]),
                lambda made=made, subnet=subnet: network.create_subnet(network_id=made.id, **subnet),
            )

    def volume_types(self) -> None:
        """Types of volumes."""
        rows = self.job.get("volume_types", ())
        known = {t.name: t for t in self.cloud.block_storage.types()} if rows else {}
        for name, specs in rows:
            self.want(
                known.get(name),
                f"volume type {name}",
                lambda name=name, specs=specs: self.cloud.block_storage.create_type(
                    name=name, is_public=True, extra_specs=specs
                ),
            )


def main() -> int:
    """Do the job."""
    with os.fdopen(9) as handed:
        job = json.load(handed)
    objects = Objects(job)
    try:
        for part in (
            objects.catalog,
            objects.accounts,
            objects.domains,
            objects.flavors,
            objects.networks,
            objects.volume_types,
        ):
            part()
    except MissingError as missing:
        print(f"missing: {missing}")
        return 3
    return 0


sys.exit(main())
