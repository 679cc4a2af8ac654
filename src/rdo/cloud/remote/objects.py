"""Make objects of the cloud's APIs, or look whether they are there; runs on the controller.

The job is JSON on descriptor 9: ``cloud`` (in clouds.yaml), ``look`` (change nothing; exit status 3 where
something is missing) and a list ``wanted``, each of it with these parts, all optional:

* ``region``, ``services`` [{name, type, description, url}]: the catalog, each with three endpoints;
* ``project``, ``users`` [{name, password}], ``roles`` [name]: the users' roles in that project;
* ``further_roles`` [name]; ``domains`` [{name, description, admin: {name, password}}], each with the user
  that is its administrator;
* ``flavors`` [{name, ram, vcpus, disk}]; ``networks`` [{name, …}] with ``subnet``; ``volume_types`` [name].

Prints a line for each object that is made or changed, and ``there: NUMBER`` for each of the list, counted
from 0, of which all is there at the end.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import subprocess
import sys
import traceback
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import openstack
from keystoneauth1.exceptions import Unauthorized
from keystoneauth1.identity.v3 import Password

# What is known to be right, so that Keystone need not work out each password's hash again to tell: user ->
# digest of the password and of what Keystone has kept of it. Whichever of the two changes, so does this.
_PROVEN = Path("/var/lib/rdo-cloud/proven-passwords.json")
_HASHES = """
SELECT u.domain_id, u.name, p.password_hash
FROM password p JOIN local_user u ON u.id = p.local_user_id ORDER BY p.created_at_int
"""


class MissingError(Exception):
    """Something that is wanted is not there, and only a look was asked for."""


class Passwords:
    """Whether users' passwords are the wanted ones."""

    def __init__(self, cloud: Any) -> None:
        self.cloud = cloud
        self.seen: dict[str, str] = {}
        self.proven: dict[str, str] = {}
        with contextlib.suppress(OSError, ValueError):
            self.proven = json.loads(_PROVEN.read_text())
        self.hashes = self._hashes() if self.proven else {}

    def right(self, row: dict[str, str], domain: str) -> bool:
        """Tell whether a user of a domain has this password."""
        key = f"{domain} {row['name']}"
        if key in self.hashes and self.proven.get(key) == self._digest(row["password"], self.hashes[key]):
            return True
        return self._enters(row, domain)

    def note(self, row: dict[str, str], domain: str) -> None:
        """Remember that this is a user's password now."""
        self.seen[f"{domain} {row['name']}"] = row["password"]

    def keep(self) -> None:
        """Keep what is right now, readable by root alone; where the database is elsewhere, nothing."""
        hashes = self._hashes()
        found = {k: self._digest(value, hashes[k]) for k, value in self.seen.items() if k in hashes}
        if not found or found == self.proven:
            return
        _PROVEN.parent.mkdir(parents=True, exist_ok=True)
        new = _PROVEN.with_suffix(".new")
        new.unlink(missing_ok=True)
        new.touch(mode=0o600)
        new.write_text(json.dumps(found))
        new.replace(_PROVEN)

    def _enters(self, row: dict[str, str], domain: str) -> bool:
        own = self.cloud.config.get_auth_args()
        plugin = Password(
            auth_url=own["auth_url"],
            username=row["name"],
            password=row["password"],
            user_domain_id=domain,
        )
        try:
            plugin.get_access(self.cloud.session)
        except Unauthorized:
            return False
        return True

    @staticmethod
    def _digest(password: str, kept: str) -> str:
        # what Keystone has kept is salted, so this is too
        return hashlib.sha256(f"{password}\0{kept}".encode()).hexdigest()

    @staticmethod
    def _hashes() -> dict[str, str]:
        """Return what Keystone has kept of each local user's newest password."""
        words = ["mariadb", "-NB", "--database=keystone"]
        try:
            done = subprocess.run(
                words, input=_HASHES, capture_output=True, text=True, timeout=20, check=True
            )
        except (OSError, subprocess.SubprocessError):
            return {}
        rows = [line.split("\t") for line in done.stdout.splitlines()]
        return {f"{domain} {name}": kept for domain, name, kept in rows}


class Objects:
    """What is there, and the making of what is not."""

    def __init__(self, cloud: Any, wanted: dict[str, Any], passwords: Passwords, *, look: bool) -> None:
        self.cloud, self.job, self.passwords, self.look = cloud, wanted, passwords, look
        self.roles: dict[str, Any] = {}

    def all(self) -> None:
        """See to each part."""
        self.catalog()
        self.accounts()
        self.domains()
        self.flavors()
        self.networks()
        self.volume_types()

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
        # asked for by its name alone: what finds things tries the name for an id first
        project = self.want(
            next(identity.projects(name=name, domain_id=domain), None),
            f"project {name}",
            lambda: identity.create_project(name=name, domain_id=domain),
        )
        roles = []
        for role in self.job["roles"]:
            roles.append(self.role(role))
        known = {user.name: user for user in identity.users(domain_id=domain)}
        given = {
            (a.user["id"], a.role["id"])
            for a in identity.role_assignments(scope_project_id=project.id)
            if a.user
        }
        with ThreadPoolExecutor(4) as pool:
            right = list(
                pool.map(lambda row: row["name"] not in known or self.passwords.right(row, domain), users)
            )
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
            self.passwords.note(row, domain)
            for role in roles:
                what = "role {} of {}".format(role.name, row["name"])
                self.want(
                    True if (user.id, role.id) in given else None,
                    what,
                    lambda user=user, role=role: identity.assign_project_role_to_user(project, user, role),
                )

    def role(self, name: str) -> Any:
        """Return a role of all domains, which is made where it is not there."""
        if not self.roles:
            self.roles = {role.name: role for role in self.cloud.identity.roles()}
        found = self.want(
            self.roles.get(name), f"role {name}", lambda: self.cloud.identity.create_role(name=name)
        )
        self.roles[name] = found
        return found

    def domains(self) -> None:
        """Roles that only have to be there, and domains with an administrator each."""
        identity = self.cloud.identity
        for role in self.job.get("further_roles", ()):
            self.role(role)
        for row in self.job.get("domains", ()):
            name, admin = row["name"], row["admin"]
            domain = self.want(
                next(identity.domains(name=name), None),
                f"domain {name}",
                lambda row=row: identity.create_domain(name=row["name"], description=row["description"]),
            )
            known = next(iter(identity.users(domain_id=domain.id, name=admin["name"])), None)
            user = self.want(
                known,
                "user {}".format(admin["name"]),
                lambda domain=domain, admin=admin: identity.create_user(**admin, domain_id=domain.id),
            )
            if known is not None and not self.passwords.right(admin, domain.id):
                self.want(
                    None,
                    "password of {}".format(admin["name"]),
                    lambda user=user, admin=admin: identity.update_user(user, password=admin["password"]),
                )
            self.passwords.note(admin, domain.id)
            role = self.role("admin")
            given = identity.role_assignments(scope_domain_id=domain.id, user_id=user.id, role_id=role.id)
            self.want(
                next(iter(given), None),
                f"administrator of domain {name}",
                lambda domain=domain, user=user, role=role: identity.assign_domain_role_to_user(
                    domain, user, role
                ),
            )

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
                next(iter(network.networks(name=row["name"])), None),
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
    cloud = openstack.connect(cloud=job["cloud"])
    passwords = Passwords(cloud)
    worst = 0
    for number, wanted in enumerate(job["wanted"]):
        try:
            Objects(cloud, wanted, passwords, look=job["look"]).all()
        except MissingError as missing:
            print(f"missing: {missing}")
            worst = max(worst, 3)
        except Exception:  # noqa: BLE001 - whatever an API says, it is told
            # another one's objects may be there all the same
            traceback.print_exc()
            worst = 4
        else:
            print(f"there: {number}")
    if not job["look"]:
        passwords.keep()
    return worst


if __name__ == "__main__":
    sys.exit(main())
