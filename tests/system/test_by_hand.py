"""The guide for an installation by hand: its own blocks, run in their order on a fresh test host.

What a test host calls otherwise than EL, for which the guide is written, is in a table here, with the reason.
"""

from __future__ import annotations

import itertools
import json
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from rdo.cli.installation import open_installation
from rdo.cloud.allinone import make_test_hosts
from rdo.cloud.deployment import asked_for, names_of
from rdo.cloud.guestimage import ensure_guest_image
from rdo.cloud.testhosts import hosts
from rdo.cloud.testhosts.serving import serve_repository
from rdo.cloud.topology import SERVICES, PlatformNames
from rdo.common.progress import SilentProgress
from rdo.distribution.load import Distribution
from rdo.distribution.models import Platform
from tests.flows.flow import ALL_ROOMS, CORE_SERVICES, Flow
from tests.installation import CHECKOUT, Installation, eventually, shared_cache
from tests.settings import installation_of

# With an empty cache, all seven services are built first.
pytestmark = pytest.mark.timeout(7200)

FLOWS = (
    Flow(
        "by-hand",
        "test_by_hand",
        rooms=ALL_ROOMS,
        services=CORE_SERVICES,
        documents=("docs/operators/by-hand.md",),
        minutes=14,
    ),
)

GUIDE = CHECKOUT / "docs/operators/by-hand.md"
HOST, SERIES, PLATFORM = "byhand", "2026.1", "debian13"
IMAGE = "/root/guest.qcow2"

_CHAPTER = re.compile(r"^## ([^\n]+)\n(.*?)(?=^## |\Z)", re.MULTILINE | re.DOTALL)
_BLOCK = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def chapters() -> dict[str, list[str]]:
    """Return the guide's scripts by chapter, those without any left out."""
    found = {title: _BLOCK.findall(body) for title, body in _CHAPTER.findall(GUIDE.read_text())}
    return {title: blocks for title, blocks in found.items() if blocks}


@dataclass(frozen=True)
class Difference:
    """What a test host has otherwise: a pattern of what the guide says, what is run instead, and why."""

    said: str
    here: str
    why: str


def differences(server: str, platform: Platform) -> list[Difference]:
    """Return all differences between what the guide says and a test host."""
    el, ours = PlatformNames(), names_of(platform)
    found = [
        Difference("http://packages.example.org:8080", server, "the repository server of test hosts"),
        Difference(f"el10-{SERIES}", f"{platform.name}-{SERIES}", "the repository of their platform"),
        Difference(
            "-g apache", f"-g {platform.services['httpd_group']}", "what Debian calls the group of httpd"
        ),
    ]
    for name in PlatformNames.model_fields:
        there, here = getattr(el, name), getattr(ours, name)
        if there == here:
            continue
        if name.endswith("_confdir"):
            found.append(Difference(f"{re.escape(there)}(?=[/ ])", here, f"{name} of Debian"))
        elif name.endswith("_unit"):
            # elsewhere the same word is a package, whose name is EL's on test hosts too
            found.append(
                Difference(rf"(?m)(?<=^systemctl )(.*)\b{there}\b", rf"\1{here}", f"{name} of Debian")
            )
    userspace = "ovs-vsctl set Open_vSwitch . other_config:userspace-tso-enable=true"
    return [
        *found,
        Difference(
            "ovs-vsctl --may-exist add-br br-ex",
            f"{userspace} external-ids:ovn-bridge-datapath-type=netdev\n"
            f"systemctl restart {ours.openvswitch_unit}\n"
            "ovs-vsctl --may-exist add-br br-ex -- set bridge br-ex datapath_type=netdev",
            "the kernel has no openvswitch, so packets go through Open vSwitch's own process",
        ),
        Difference(
            r"(?m)^curl .*--output (/root/cirros\.img) \\\n.*$",
            rf"cp {IMAGE} \1",
            "test hosts have no Internet; this image is of our own making",
        ),
        Difference(
            " openstack-cinder-volume", "", "the kernel has no device mapper, so there are no logical volumes"
        ),
    ]


@dataclass
class World:
    """A fresh host, and what of the guide was done on it."""

    installation: Installation
    ssh_config: Path
    differences: list[Difference]
    followed: list[str] = field(default_factory=list)
    used: set[Difference] = field(default_factory=set)

    def on_host(self, script: str, *, status: int = 0, timeout: float = 600) -> str:
        """Run a script on the host as root and return what it printed."""
        strict = f"set -euo pipefail\n{script}"
        return self.installation.on_host(HOST, strict, status=status, timeout=timeout)

    def follow(self, chapter: str) -> None:
        """Do what a chapter says, each block in a shell of its own, as who comes back to the page has one."""
        for block in chapters()[chapter]:
            self.on_host(self.here(block))
        self.followed.append(chapter)

    def here(self, block: str) -> str:
        """Return a block as it is run on this platform."""
        for difference in self.differences:
            block, count = re.subn(difference.said, difference.here, block)
            if count:
                self.used.add(difference)
        return block

    def openstack(self, command: str) -> Any:
        """Run the client as the administrator and return what it says as JSON."""
        return json.loads(self.on_host(f". /root/admin-openrc\nopenstack {command} -f json"))

    def status_of(self, url: str, *headers: str) -> int:
        """Return the status that a URL is answered with on the host."""
        told = " ".join(f'--header "{header}"' for header in headers)
        return int(
            self.on_host(f"curl --silent --output /dev/null --write-out '%{{http_code}}' {told} {url}")
        )

    def copy(self, file: Path, target: str) -> None:
        """Bring a file to the host."""
        words = ["scp", "-q", "-F", str(self.ssh_config), str(file), f"{HOST}:{target}"]
        subprocess.run(words, check=True, timeout=120)

    def secrets(self) -> dict[str, str]:
        """Return the passwords that the guide had made, by name."""
        lines = self.on_host("grep -v ^address= /root/site.env").splitlines()
        return dict(line.split("=", 1) for line in lines)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    home = tmp_path_factory.mktemp("system") / "home"
    # What is tried here is the guide: packages that the machine has built already are good enough.
    installation = Installation.at(home, RDO_CACHE=str(shared_cache()))
    paths, progress = open_installation(installation.environment).paths, SilentProgress()
    distribution = Distribution.load(CHECKOUT / "distribution")
    release, platform = distribution.release(SERIES), distribution.platform(PLATFORM)
    try:
        done = installation.rdo("build", "--release", SERIES, *asked_for(SERVICES), timeout=6000)
        assert done.returncode == 0, done.stdout + done.stderr
        make_test_hosts(distribution, release, platform, installation_of(paths), progress, name=HOST, nodes=1)
        server = serve_repository(paths, paths.repositories)
        made = World(installation, hosts.get(paths, HOST).ssh_config, differences(server, platform))
        key = home / "RPM-GPG-KEY-rdo"
        assert installation.rdo("key", "export", "-o", str(key)).returncode == 0
        made.copy(key, "/root/")
        made.copy(ensure_guest_image(distribution, installation_of(paths), progress), IMAGE)
        yield made
    finally:
        installation.rdo("host", "destroy", "--all", "--yes")


def test_environment(world: World) -> None:
    world.follow("Environment")
    units = ("mariadb", "rabbitmq-server", "memcached", "apache2")
    assert world.on_host(f"systemctl is-active {' '.join(units)}").split() == ["active"] * len(units)
    assert world.on_host(f"systemctl is-enabled {' '.join(units)}").split() == ["enabled"] * len(units)
    assert world.on_host("rabbitmqctl -q list_users --no-table-headers | cut -f 1") == "openstack"
    assert world.on_host("stat -c %U:%a /root/site.env") == "root:600"
    secrets = world.secrets()
    assert len(secrets) == len(set(secrets.values())) == 4 + 2 * 6


def test_keystone(world: World) -> None:
    world.follow("Keystone")
    assert world.openstack("token issue")["id"].startswith("gAAAA")
    assert [entry["Name"] for entry in world.openstack("catalog list")] == ["keystone"]
    assert {project["Name"] for project in world.openstack("project list")} == {"admin", "service"}


def test_glance(world: World) -> None:
    world.follow("Glance")
    (image,) = world.openstack("image list")
    assert (image["Name"], image["Status"]) == ("cirros", "active")
    world.on_host(f"cmp {IMAGE} /var/lib/glance/images/{image['ID']}")
    # and comes back out of it
    world.on_host(
        ". /root/admin-openrc\nopenstack image save --file /root/again cirros\n"
        f"cmp {IMAGE} /root/again\nrm /root/again"
    )


def test_placement(world: World) -> None:
    world.follow("Placement")
    url = "http://controller:8778/resource_providers"
    token = world.openstack("token issue")["id"]
    assert world.status_of(url, f"X-Auth-Token: {token}") == 200
    assert world.status_of(url) == 401


def test_nova(world: World) -> None:
    world.follow("Nova")
    services = {service["Binary"]: service["State"] for service in world.openstack("compute service list")}
    assert services == {"nova-conductor": "up", "nova-scheduler": "up", "nova-compute": "up"}
    (hypervisor,) = world.openstack("hypervisor list")
    assert (hypervisor["Hypervisor Type"], hypervisor["State"]) == ("QEMU", "up")
    names = "mariadb -NBe 'SELECT name FROM placement.resource_providers'"
    assert world.on_host(names) == hypervisor["Hypervisor Hostname"]
    # the cells' addresses have no password in them
    cells = world.on_host(
        "mariadb -NBe 'SELECT database_connection, transport_url FROM nova_api.cell_mappings'"
    )
    assert [name for name, value in world.secrets().items() if value in cells] == []


def test_neutron(world: World) -> None:
    world.follow("Neutron")
    agents = world.openstack("network agent list")
    assert {agent["Binary"] for agent in agents} == {"ovn-controller", "neutron-ovn-metadata-agent"}
    eventually(lambda: all(agent["Alive"] for agent in world.openstack("network agent list")))


def test_cinder(world: World) -> None:
    world.follow("Cinder")
    (scheduler,) = world.openstack("volume service list")
    assert scheduler["Binary"] == "cinder-scheduler"

    def up() -> bool:
        # Cinder counts a service as down until its first report, ten seconds after it has registered
        (scheduler,) = world.openstack("volume service list")
        return bool(scheduler["State"] == "up")

    eventually(up)
    assert "lvm" in [kind["Name"] for kind in world.openstack("volume type list")]


_LOG_IN = """
. /root/site.env
jar=$(mktemp)
login=http://controller/dashboard/auth/login/
curl --fail --silent --cookie-jar $jar $login --output /dev/null
token=$(awk '$6 == "csrftoken" {print $7}' $jar)
curl --fail --silent --location --cookie $jar --cookie-jar $jar --referer $login $login \
    --data-urlencode "csrfmiddlewaretoken=$token" --data username=admin --data region=default \
    --data-urlencode "password=$admin_secret" --data-urlencode next=/dashboard/project/images
rm $jar
"""


def test_horizon(world: World) -> None:
    world.follow("Horizon")
    page = world.on_host(_LOG_IN)
    assert "Images - " in page
    assert "/dashboard/auth/logout/" in page


def test_first_machine(world: World) -> None:
    world.follow("The first machine")
    assert world.openstack("server show first")["status"] == "ACTIVE"
    # Our image knows root where CirrOS has an account of its own; the key came by the metadata service.
    words = "ssh -i /root/.ssh/first -o BatchMode=yes -o StrictHostKeyChecking=no -o ConnectTimeout=10"
    told = f"{words} root@$(cat /root/first.address) uname -s"
    eventually(lambda: world.on_host(f"{told} || true").endswith("Linux"))


def test_host_is_well(world: World) -> None:
    assert world.on_host("systemctl is-system-running") == "running"
    # Without dependencies: those of what stands for Debian's packages are the test host's matter.
    wrong = world.on_host("rpm -Va --nodeps || true").splitlines()
    # The one file of a package's that the guide writes to: where the repository is.
    assert [line for line in wrong if not line.endswith("c /etc/dnf/vars/rdoserver")] == []
    secrets = "\n".join(world.secrets().values())
    leaks = f"find /etc /var/lib /var/log -type f -perm /004 -print0 | xargs -0r grep -lF '{secrets}' || true"
    assert world.on_host(leaks) == ""


def test_all_of_the_guide_was_done(world: World) -> None:
    assert world.followed == [*chapters()]
    stale = [difference.why for difference in world.differences if difference not in world.used]
    assert stale == []


def test_blocks_are_shell() -> None:
    for block in itertools.chain.from_iterable(chapters().values()):
        done = subprocess.run(["bash", "-n"], input=block, text=True, capture_output=True, check=False)
        assert done.returncode == 0, block + done.stderr
