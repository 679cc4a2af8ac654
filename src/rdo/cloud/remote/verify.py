"""Use a cloud as its users do, and say what worked; runs on the controller.

The job is JSON on descriptor 9: ``cloud`` (the administrator's, in clouds.yaml), ``guest`` (what machines are
of, as rdo.cloud.guests has it; ``file`` is one here), ``external`` (network of floating IPs), ``services``
(the cloud's), ``computes`` (how many hosts). One JSON line is printed for each check as it ends.

Everything it makes has a name of one beginning and is removed at the end, whatever happened; what an earlier
run could not remove is removed first.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from typing import Any
from urllib.parse import quote

import openstack
from keystoneauth1.identity.v3 import Password
from keystoneauth1.session import Session
from openstack import exceptions

PREFIX = "rdo-verify-"


class SkippedError(Exception):
    """A check can't be done, since one that it needs was not."""


class Verification:
    """One run: what it made, and the checks in their order."""

    def __init__(self, job: dict[str, Any]) -> None:
        self.job = job
        self.guest: dict[str, Any] = job["guest"] or {}
        self.patience = self.guest.get("patience", 180)
        # of what a guest does when its console says that it is up, or when that is unknown
        self.soon = 60 if self.guest.get("own") else self.patience
        self.prefix = PREFIX + secrets.token_hex(3)
        self.admin: Any = openstack.connect(cloud=job["cloud"])
        self.user: Any = None
        self.made: dict[str, Any] = {}
        self.ok = True
        self.password = secrets.token_urlsafe(16)
        self.work = tempfile.mkdtemp(prefix=PREFIX)

    def check(self, name: str, title: str, action: Callable[[], Any]) -> None:
        """Do a check and print how it went."""
        began = time.monotonic()
        row: dict[str, Any] = {"name": name, "title": title, "ok": True}
        try:
            row["detail"] = str(action() or "")
        except SkippedError as error:
            row.update(ok=False, skipped=str(error))
        except subprocess.CalledProcessError as error:
            row.update(ok=False, error=(error.stdout or "")[-1500:] + f" (exit status {error.returncode})")
        except Exception as error:  # noqa: BLE001 - whatever it is, it is this check's result
            row.update(ok=False, error=f"{type(error).__name__}: {error}"[:1500])
        row["seconds"] = round(time.monotonic() - began, 1)
        self.ok = self.ok and row["ok"]
        print(json.dumps(row), flush=True)

    def need(self, *names: str) -> list[Any]:
        """Return what earlier checks made.

        :raises SkippedError: something is not there
        """
        missing = [name for name in names if name not in self.made]
        if missing:
            raise SkippedError("without " + ", ".join(missing))
        return [self.made[name] for name in names]

    def until(self, what: str, look: Callable[[], Any], seconds: float = 0.0) -> Any:
        """Ask again and again until there is an answer, as long as a machine may take by default."""
        return until(what, look, seconds or self.patience)

    # the checks

    def account(self) -> str:
        """A project with a user of its own; the rest is done as that one."""
        self.made["project"], self.made["account"], self.user = self._member(self.prefix)
        return f"user {self.prefix}"

    def _member(self, name: str) -> tuple[Any, Any, Any]:
        """Make a project and a user of it, both of that name; return them and the user's connection."""
        identity = self.admin.identity
        project = identity.create_project(name=name, domain_id="default")
        user = identity.create_user(
            name=name, password=self.password, domain_id="default", default_project_id=project.id
        )
        identity.assign_project_role_to_user(project, user, identity.find_role("member"))
        connection = self._connect(name, name)
        connection.authorize()
        return project, user, connection

    def refused(self, service: str, place: str) -> str:
        """See that nobody reads something who has no token, and no user of another project.

        :param service: the name of the service's proxy in openstacksdk
        :param place: below its endpoint, or a whole URL
        :returns: what was answered to each
        :raises RuntimeError: one of them was let in
        """
        if "stranger" not in self.made:
            *_, self.made["stranger"] = self._member(self.prefix + "-stranger")
        said = []
        for who, user, token in (("no token", self.user, False), ("a stranger", self.made["stranger"], True)):
            headers = {"Accept": "*/*"}
            answer = getattr(user, service).get(place, headers=headers, authenticated=token, raise_exc=False)
            if answer.status_code not in (401, 403, 404):
                raise RuntimeError(f"{who} got status {answer.status_code}")
            said.append(f"{answer.status_code} for {who}")
        return "; ".join(said)

    def _connect(self, user: str, project: str) -> Any:
        auth = dict(self.admin.config.get_auth_args())
        auth.update(username=user, password=self.password, project_name=project)
        return openstack.connect(
            auth=auth,
            cacert=self.admin.config.config.get("cacert"),
            region_name=self.admin.config.get_region_name(),
        )

    def _system(self) -> Any:
        """Return a connection of the administrator of the whole cloud, rather than of a project."""
        given = self.admin.config.get_auth_args()
        names = ("auth_url", "username", "password", "user_domain_name")
        plugin = Password(**{name: given[name] for name in names}, system_scope="all")
        verify = self.admin.config.config.get("cacert") or True
        return openstack.connection.Connection(
            session=Session(auth=plugin, verify=verify), region_name=self.admin.config.get_region_name()
        )

    def image(self) -> str:
        """An image from a file."""
        self.need("account")
        guest = self.guest
        make = upload if guest["own"] else partial(_upload, disk_format=guest["format"])
        self.made["image"] = image = make(self.user, self.prefix, guest["file"])
        image = self.until("the image is active", lambda: self._active(image))
        return f"{image.size // 1024**2} MiB"

    def _active(self, image: Any) -> Any:
        found = self.user.image.get_image(image.id)
        return found if found.status == "active" else None

    def flavor(self) -> str:
        """A small flavor."""
        self.made["flavor"] = flavor = self.admin.compute.create_flavor(
            name=self.prefix, vcpus=1, ram=self.guest["ram"], disk=self.guest["disk"], is_public=True
        )
        return f"{flavor.vcpus} processor, {flavor.ram} MiB"

    def network(self) -> str:
        """A network with a router to the outside."""
        self.need("account")
        network = self.user.network
        outside = network.find_network(self.job["external"], ignore_missing=False)
        self.made["network"] = inside = network.create_network(name=self.prefix)
        self.made["subnet"] = subnet = network.create_subnet(
            name=self.prefix,
            network_id=inside.id,
            ip_version=4,
            cidr="10.99.0.0/24",
            dns_nameservers=["192.0.2.53"],
        )
        self.made["router"] = router = network.create_router(
            name=self.prefix, external_gateway_info={"network_id": outside.id}
        )
        network.add_interface_to_router(router, subnet_id=subnet.id)
        return f"MTU {network.get_network(inside.id).mtu}"

    def security(self) -> str:
        """A security group that lets ping and SSH in, and a key pair."""
        self.need("account")
        network = self.user.network
        self.made["group"] = group = network.create_security_group(name=self.prefix)
        for rule in ({"protocol": "icmp"}, {"protocol": "tcp", "port_range_min": 22, "port_range_max": 22}):
            network.create_security_group_rule(security_group_id=group.id, direction="ingress", **rule)
        key = os.path.join(self.work, "key")  # noqa: PTH118
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True, timeout=60)
        with open(key + ".pub") as file:  # noqa: PTH123
            self.made["key"] = self.user.compute.create_keypair(name=self.prefix, public_key=file.read())
        return "icmp, ssh"

    def server(self, name: str = "server") -> str:
        """A machine that boots."""
        image, flavor, network, _, group, key = self.need(
            "image", "flavor", "network", "router", "group", "key"
        )
        self.made[name] = server = self.user.compute.create_server(
            name=f"{self.prefix}-{name}",
            image_id=image.id,
            flavor_id=flavor.id,
            networks=[{"uuid": network.id}],
            security_groups=[{"name": group.name}],
            key_name=key.name,
        )
        server = self.until("the machine is active", lambda: self._state(server, "ACTIVE"))
        host = self.admin.compute.get_server(server.id)
        return f"on {host.hypervisor_hostname or host.compute_host}"

    def _state(self, server: Any, wanted: str) -> Any:
        found = self.user.compute.get_server(server.id)
        if found.status == "ERROR":
            why = (self.admin.compute.get_server(server.id).fault or {}).get("message", "")
            raise RuntimeError(f"the machine is in error: {why}")
        return found if found.status == wanted else None

    def console(self) -> str:
        """The console says that the guest is up."""
        (server,) = self.need("server")
        text = self.until("the console says ready", lambda: self._ready(server))
        if not self.guest["own"]:
            return str(text[-1])
        return " / ".join(line for line in text if line.startswith(("address", "instance")))

    def _ready(self, server: Any) -> list[str]:
        """Return what the console says once the guest is up; of another's guest only SSH tells that."""
        text = self.user.compute.get_server_console_output(server.id).get("output") or ""
        if not self.guest["own"]:
            return [line.strip() for line in text.splitlines() if line.strip()]
        lines = [
            line.split("rdo-guest: ", 1)[1].strip() for line in text.splitlines() if "rdo-guest: " in line
        ]
        return lines if "ready" in lines else []

    def dhcp(self) -> str:
        """The guest's address is its port's."""
        (server,) = self.need("server")
        address = self._port(server).fixed_ips[0]["ip_address"]
        if self.guest["own"]:
            told = [line.split()[1] for line in self._ready(server) if line.startswith("address ")][-1:]
        else:
            self.need("ssh")
            told = [word.partition("/")[0] for word in self.ssh("ip -4 -o addr").split()]
        if address not in told:
            raise RuntimeError(f"the port has {address}, the guest says {told}")
        return str(address)

    def _port(self, server: Any) -> Any:
        (port,) = self.user.network.ports(device_id=server.id)
        return port

    def metadata(self) -> str:
        """The metadata service knows the guest."""
        (server,) = self.need("server")
        if not self.guest["own"]:
            self.need("ssh")
            name = self.ssh("hostname")
            if name.partition(".")[0] != server.name.partition(".")[0]:
                raise RuntimeError(f"the guest is called {name}, not {server.name}")
            return name
        told = self._ready(server)
        names = [line.split()[1] for line in told if line.startswith("hostname ")]
        if "instance unknown" in told or "key taken" not in told or not names:
            raise RuntimeError(f"the guest says {told}")
        return names[-1]

    def floating(self) -> str:
        """An address from outside."""
        (server,) = self.need("server")
        outside = self.user.network.find_network(self.job["external"])
        self.made["port"] = port = self._port(server)
        self.made["floating"] = address = self.user.network.create_ip(
            floating_network_id=outside.id, port_id=port.id
        )
        return str(address.floating_ip_address)

    def ping(self) -> str:
        """It answers to ping from outside."""
        (address,) = self.need("floating")
        ip = address.floating_ip_address
        command = ["ping", "-c", "1", "-W", "1", ip]
        self.until(
            "an answer to ping",
            lambda: subprocess.run(command, capture_output=True, timeout=30).returncode == 0,
            self.soon,
        )
        done = subprocess.run(
            ["ping", "-c", "3", "-i", "0.2", ip], check=True, capture_output=True, text=True, timeout=60
        )
        return done.stdout.strip().splitlines()[-1]

    def reached(self) -> str:
        """SSH from outside, with the key."""
        self.need("floating")
        self.until("SSH", self._answers, self.soon)
        self.made["ssh"] = self.ssh()
        return str(self.made["ssh"])

    def ssh(self, command: str = "uname -sr") -> str:
        """Return what a command in the guest prints."""
        (address,) = self.need("floating")
        words = ["ssh", "-q", "-i", os.path.join(self.work, "key"), "-o", "StrictHostKeyChecking=no"]  # noqa: PTH118
        words += ["-o", "UserKnownHostsFile=/dev/null", "-o", "ConnectTimeout=10", "-o", "BatchMode=yes"]
        words += [f"{self.guest['login']}@{address.floating_ip_address}", command]
        done = subprocess.run(
            words, check=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=120
        )
        return done.stdout.strip()

    @property
    def _root(self) -> str:
        return "" if self.guest["login"] == "root" else "sudo "

    def volume(self) -> str:
        """A volume, attached, written and detached."""
        (server,) = self.need("server")
        self.need("floating")
        storage = self.user.block_storage
        self.made["volume"] = volume = storage.create_volume(name=self.prefix, size=1)
        self.until("the volume is there", lambda: self._volume(volume, "available"))
        before = set(self._disks())
        self._attach(server, volume)
        disk = self.until("the guest sees the disk", lambda: sorted(set(self._disks()) - before), 60)[0]
        self.made["sum"] = self.ssh(
            f"dd if=/dev/urandom of=/tmp/x bs=64k count=16 2>/dev/null; {self._root}dd if=/tmp/x "
            f"of=/dev/{disk} bs=64k 2>/dev/null && sync && sha256sum </tmp/x"
        )
        self._detach(server, volume)
        return f"as {disk}"

    def _disks(self) -> list[str]:
        return self.ssh("ls /sys/block").split()

    def _volume(self, volume: Any, wanted: str) -> Any:
        found = self.user.block_storage.get_volume(volume.id)
        if found.status.startswith("error"):
            raise RuntimeError(f"the volume is in {found.status}")
        return found if found.status == wanted else None

    def _attach(self, server: Any, volume: Any) -> None:
        self.user.compute.create_volume_attachment(server, volume_id=volume.id)
        self.until("the volume is attached", lambda: self._volume(volume, "in-use"))

    def _detach(self, server: Any, volume: Any) -> None:
        self.user.compute.delete_volume_attachment(server, volume.id)
        self.until("the volume is free", lambda: self._volume(volume, "available"))

    def elsewhere(self) -> str:
        """The volume's content is there on another machine."""
        first, volume, wanted = self.need("server", "volume", "sum")
        # one address goes from machine to machine: its port is what SSH reaches
        self.server("second")
        second = self.made["second"]
        self.until("the second machine is up", lambda: self._ready(second))
        port = self._port(second)
        self.made["floating"] = self.user.network.update_ip(self.made["floating"].id, port_id=port.id)
        self.until("SSH to the second machine", self._answers, self.soon)
        before = set(self._disks())
        self._attach(second, volume)
        disk = self.until("the guest sees the disk", lambda: sorted(set(self._disks()) - before), 60)[0]
        found = self.ssh(f"{self._root}dd if=/dev/{disk} bs=64k count=16 2>/dev/null | sha256sum")
        self._detach(second, volume)
        self.made["floating"] = self.user.network.update_ip(
            self.made["floating"].id, port_id=self.made["port"].id
        )
        if found != wanted:
            raise RuntimeError(f"{found} was read where {wanted} was written")
        return f"from {first.name[-6:]} to {second.name[-6:]}"

    def _answers(self) -> bool:
        with contextlib.suppress(subprocess.SubprocessError):
            return bool(self.ssh())
        return False

    def snapshot(self) -> str:
        """A snapshot of the volume."""
        (volume,) = self.need("volume")
        storage = self.user.block_storage
        self.made["snapshot"] = made = storage.create_snapshot(name=self.prefix, volume_id=volume.id)
        self.until("the snapshot is there", lambda: storage.get_snapshot(made.id).status == "available")
        storage.delete_snapshot(made.id)
        self.until("the snapshot is gone", lambda: storage.find_snapshot(made.id) is None)
        del self.made["snapshot"]
        return "made and removed"

    def migration(self) -> str:
        """A machine moves to another host."""
        (server,) = self.need("server")
        before = self.admin.compute.get_server(server.id).compute_host
        self.admin.compute.migrate_server(server)
        self.until("the machine has moved", lambda: self._state(server, "VERIFY_RESIZE"))
        self.user.compute.confirm_server_resize(server)
        self.until("the machine is active", lambda: self._state(server, "ACTIVE"))
        after = self.admin.compute.get_server(server.id).compute_host
        if before == after:
            raise RuntimeError(f"it is still on {before}")
        self.until("SSH after the move", self._answers)
        return f"from {before} to {after}"

    def live_migration(self) -> str:
        """A machine moves to another host while it runs."""
        (server,) = self.need("server")
        before = self.admin.compute.get_server(server.id).compute_host
        self.admin.compute.live_migrate_server(server, host=None, block_migration="auto")

        def moved() -> bool:
            now = self.admin.compute.get_server(server.id)
            return now.compute_host != before and now.status == "ACTIVE" and now.task_state is None

        self.until("the machine has moved", moved)
        self.until("SSH after the move", self._answers)
        return f"from {before} to {self.admin.compute.get_server(server.id).compute_host}"

    def secret(self) -> str:
        """A secret, kept and read back, and refused to others."""
        self.need("account")
        keys = self.user.key_manager
        wanted = secrets.token_hex(16)
        made = keys.create_secret(
            name=self.prefix, payload=wanted, payload_content_type="text/plain", secret_type="opaque"
        )
        place = f"/secrets/{made.secret_ref.rpartition('/')[2]}"
        try:
            found = keys.get(f"{place}/payload", headers={"Accept": "text/plain"})
            exceptions.raise_from_response(found)
            if found.text != wanted:
                raise RuntimeError("another secret was read than was kept")
            said = self.refused("key_manager", f"{place}/payload")
        finally:
            exceptions.raise_from_response(keys.delete(place))
        return f"read back; {said}"

    def objects(self) -> str:
        """An object, kept, listed and read back, and refused to others."""
        self.need("account")
        store = self.user.object_store
        wanted = secrets.token_bytes(2**20)
        # a slash and an escape in its name are its own
        name = "a folder/50%25 #1"
        place = f"/{self.prefix}/{quote(name, safe='')}"
        store.create_container(self.prefix)
        try:
            exceptions.raise_from_response(store.put(place, data=wanted))
            found = store.get(place)
            exceptions.raise_from_response(found)
            if found.content != wanted:
                raise RuntimeError("another object was read than was kept")
            if [row.name for row in store.objects(self.prefix)] != [name]:
                raise RuntimeError("its container does not list it")
            # a stranger's own endpoint would be another account's
            said = self.refused("object_store", store.get_endpoint() + place)
        finally:
            store.delete(place, raise_exc=False)
            exceptions.raise_from_response(store.delete(f"/{self.prefix}"))
        return f"{len(wanted) // 1024} KiB read back; {said}"

    def baremetal(self) -> str:
        """A node without a machine is enrolled, looked at by a conductor, hidden from others, removed."""
        self.need("account")
        system = self._system().baremetal
        drivers = {row.name: row.hosts for row in system.drivers()}
        if not any(drivers.values()):
            raise RuntimeError("no conductor has registered")
        if "redfish" not in drivers:
            return f"not enrolled, since redfish is none of {', '.join(drivers)}"
        for left in [node for node in system.nodes() if (node.name or "").startswith(PREFIX)]:
            system.delete_node(left)
        # an address for documentation (RFC 5737), where nobody answers
        address = {"redfish_address": "https://192.0.2.2", "redfish_system_id": "/redfish/v1/Systems/1"}
        login = {"redfish_username": self.prefix, "redfish_password": self.password}
        node = system.create_node(name=self.prefix, driver="redfish", driver_info={**address, **login})
        try:
            # a conductor looks at it for that
            judged = system.validate_node(node, required=None)
            if not judged["power"].result:
                raise RuntimeError(f"power: {judged['power'].reason}")
            if system.get_node(node.id).driver_info["redfish_password"] == self.password:
                raise RuntimeError("the API shows the password of the machine's controller")
            said = self.refused("baremetal", f"/v1/nodes/{node.id}")
        finally:
            system.delete_node(node)
        return f"{', '.join(sorted(drivers))}; {said}"

    def stack(self) -> str:
        """A stack of a random text and a network, made, changed and removed."""
        self.need("account")
        heat = self.user.orchestration
        template: dict[str, Any] = {
            "heat_template_version": "2018-08-31",
            "parameters": {"length": {"type": "number", "default": 8}},
            "resources": {
                "text": {
                    "type": "OS::Heat::RandomString",
                    "properties": {"length": {"get_param": "length"}},
                }
            },
            "outputs": {"text": {"value": {"get_attr": ["text", "value"]}}},
        }
        if "neutron" in self.job["services"]:
            template["resources"]["network"] = {
                "type": "OS::Neutron::Net",
                "properties": {"name": f"{self.prefix}-stack"},
            }
        made = heat.create_stack(name=self.prefix, template=template)
        try:
            self._stacked(made.id, "CREATE_COMPLETE", 8)
            heat.update_stack(made.id, template=template, parameters={"length": 12})
            self._stacked(made.id, "UPDATE_COMPLETE", 12)
        finally:
            heat.delete_stack(made.id)
            self.until("the stack is gone", lambda: self._gone(made.id), 120)
        return f"{len(template['resources'])} resources, made, changed, removed"

    def _stacked(self, ident: str, wanted: str, length: int) -> None:
        def there() -> Any:
            found = self.user.orchestration.get_stack(ident)
            if found.status.endswith("FAILED"):
                raise RuntimeError(f"{found.status}: {found.status_reason}")
            return found if found.status == wanted else None

        found = self.until(f"the stack is {wanted}", there, 120)
        text = next(row["output_value"] for row in found.outputs if row["output_key"] == "text")
        if len(text) != length:
            raise RuntimeError(f"its text has {len(text)} letters instead of {length}")

    def _gone(self, ident: str) -> bool:
        try:
            found = self.user.orchestration.get_stack(ident)
        except exceptions.NotFoundException:
            return True
        if found.status == "DELETE_FAILED":
            raise RuntimeError(f"{found.status}: {found.status_reason}")
        return bool(found.status == "DELETE_COMPLETE")

    def quota(self) -> str:
        """More than the quota is refused."""
        self.need("account")
        quota = self.admin.network.update_quota(self.made["project"].id, networks=1)
        try:
            extra = self.user.network.create_network(name=self.prefix)
        except exceptions.ConflictException as error:
            return f"status {error.status_code} at {quota.networks}"
        self.made["extra"] = extra
        raise RuntimeError("a network above the quota was made")

    def refusal(self) -> str:
        """A user without rights is refused."""
        self.need("account")
        try:
            self.user.identity.create_project(name=self.prefix + "-x", domain_id="default")
            raise RuntimeError("an ordinary user made a project")
        except exceptions.ForbiddenException as error:
            status = error.status_code
        if "nova" in self.job["services"]:
            try:
                self.user.compute.create_flavor(name=self.prefix + "-x", vcpus=1, ram=64, disk=1)
                raise RuntimeError("an ordinary user made a flavor")
            except exceptions.ForbiddenException as error:
                status = error.status_code
        return f"status {status}"

    # clearing up

    def clear(self) -> str:
        """Remove everything that bears this program's names, of this run and of earlier ones."""
        left = remove(self.admin)
        subprocess.run(["rm", "-rf", self.work], check=True, timeout=120)
        if left:
            raise RuntimeError("left: " + "; ".join(left))
        return "nothing is left"

    def run(self) -> int:
        """Do all checks; return the exit status."""
        remove(self.admin)
        services = self.job["services"]
        checks = [("account", "Project, user, token", self.account)]
        if "glance" in services:
            checks.append(("image", "Image uploaded", self.image))
        if "neutron" in services:
            checks.append(("network", "Network, subnet, router", self.network))
        if "nova" in services:
            checks += [
                ("flavor", "Flavor", self.flavor),
                ("security", "Security group, key pair", self.security),
                ("server", "Machine is active", self.server),
                ("console", "Console: guest is up", self.console),
                ("floating", "Floating IP", self.floating),
                ("ping", "Ping from outside", self.ping),
                ("ssh", "SSH from outside", self.reached),
                ("dhcp", "DHCP gave the port's address", self.dhcp),
                ("metadata", "Metadata reached the guest", self.metadata),
            ]
        if {"nova", "cinder"} <= {*services}:
            checks += [
                ("volume", "Volume attached and written", self.volume),
                ("elsewhere", "Volume read on another machine", self.elsewhere),
                ("snapshot", "Volume snapshot", self.snapshot),
            ]
        if "nova" in services and self.job["computes"] > 1:
            checks.append(("migration", "Cold migration", self.migration))
            checks.append(("live", "Live migration", self.live_migration))
        if "swift" in services:
            checks.append(("objects", "Object kept and read back", self.objects))
        if "barbican" in services:
            checks.append(("secret", "Secret kept and read back", self.secret))
        if "ironic" in services:
            checks.append(("baremetal", "Bare metal: node enrolled", self.baremetal))
        if "heat" in services:
            checks.append(("stack", "Stack made, changed, removed", self.stack))
        if "neutron" in services:
            checks.append(("quota", "Quota is enforced", self.quota))
        checks.append(("refusal", "No rights: refused", self.refusal))
        try:
            for name, title, action in checks:
                self.check(name, title, action)
        finally:
            self.check("clear", "All removed again", self.clear)
        return 0 if self.ok else 1


def until(what: str, look: Callable[[], Any], seconds: float = 180) -> Any:
    """Ask again and again until there is an answer.

    :raises TimeoutError: there was none within that time
    """
    end = time.monotonic() + seconds
    while not (found := look()):
        if time.monotonic() > end:
            raise TimeoutError(f"{what}: not within {seconds:.0f} s")
        time.sleep(0.5)
    return found


def upload(connection: Any, name: str, file: str, **more: str) -> Any:
    """Make an image of the small guest; ``more`` are further properties of it."""
    # the guest doesn't hear its power button
    return _upload(
        connection, name, file, disk_format="qcow2", os_shutdown_timeout="1", hw_rng_model="virtio", **more
    )


def _upload(connection: Any, name: str, file: str, **more: str) -> Any:
    with open(file, "rb") as content:  # noqa: PTH123 - it is read as it is sent
        return connection.image.create_image(
            name=name, container_format="bare", data=content, validate_checksum=False, **more
        )


def remove(admin: Any, prefix: str = PREFIX) -> list[str]:
    """Remove what bears names of one beginning, this program's by default; return what could not be."""
    left: list[str] = []

    def ours(items: Any) -> list[Any]:
        return [item for item in items if (item.name or "").startswith(prefix)]

    def drop(what: str, action: Callable[[], Any]) -> None:
        try:
            action()
        except exceptions.NotFoundException:
            pass
        except Exception as error:  # noqa: BLE001 - the rest is to be removed all the same
            left.append(f"{what}: {error}"[:300])

    there = {kind: admin.has_service(kind) for kind in ("compute", "network", "image", "block-storage")}
    # a proxy for what is not in the catalog can't even be made
    compute: Any = admin.compute if there["compute"] else None
    network: Any = admin.network if there["network"] else None
    identity = admin.identity
    projects = ours(identity.projects())
    inside = {project.id for project in projects}
    if compute is not None:
        for server in ours(compute.servers(all_projects=True)):
            drop(server.name, partial(compute.delete_server, server))
        drop(
            "machines",
            lambda: until("machines are gone", lambda: not ours(compute.servers(all_projects=True)), 90),
        )
    if there["block-storage"]:
        storage = admin.block_storage
        for snapshot in ours(storage.snapshots(all_projects=True)):
            drop(snapshot.name, partial(storage.delete_snapshot, snapshot))
        drop("snapshots", lambda: until("gone", lambda: not ours(storage.snapshots(all_projects=True)), 60))
        for volume in ours(storage.volumes(all_projects=True)):
            drop(volume.name, partial(storage.delete_volume, volume))
        drop("volumes", lambda: until("gone", lambda: not ours(storage.volumes(all_projects=True)), 60))
    for address in network.ips() if network else ():
        if address.project_id in inside:
            drop(address.floating_ip_address, partial(network.delete_ip, address))
    for router in ours(network.routers()) if network else ():
        for port in network.ports(device_id=router.id):
            if port.device_owner == "network:router_interface":
                drop(
                    "port of " + router.name,
                    partial(network.remove_interface_from_router, router, port_id=port.id),
                )
        drop(router.name, partial(network.delete_router, router))
    for item in ours(network.networks()) if network else ():
        for port in network.ports(network_id=item.id):
            if not port.device_owner:
                drop("port of " + item.name, partial(network.delete_port, port))
        drop(item.name, partial(network.delete_network, item))
    for image in ours(admin.image.images()) if there["image"] else ():
        drop(image.name, partial(admin.image.delete_image, image))
    for flavor in ours(compute.flavors(details=False)) if compute else ():
        drop(flavor.name, partial(compute.delete_flavor, flavor))
    # key pairs are their user's and end with it
    for user in ours(identity.users(domain_id="default")):
        for key in ours(compute.keypairs(user_id=user.id)) if compute else ():
            drop(key.name, partial(compute.delete_keypair, key.name, user_id=user.id))
        drop(user.name, partial(identity.delete_user, user))
    for project in projects:
        for group in network.security_groups(project_id=project.id) if network else ():
            drop(group.name, partial(network.delete_security_group, group))
        drop(project.name, partial(identity.delete_project, project))
    return left


if __name__ == "__main__":
    with os.fdopen(9) as handed:
        given = json.load(handed)
    sys.exit(Verification(given).run())
