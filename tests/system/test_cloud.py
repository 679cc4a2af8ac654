"""A whole cloud as an operator has one: put up through faults, changed, enlarged, used, taken down."""

from __future__ import annotations

import gzip
import json
import random
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from rdo.cli.installation import open_installation
from rdo.cloud.testhosts.network import Network
from rdo.cloud.testhosts.processes import ProcessIdentity
from tests.flows.flow import ALL_ROOMS, CORE_SERVICES, Flow
from tests.installation import Installation, Running, eventually, shared_cache
from tests.secret_forms import shown_in
from tests.system.clouds import KnownCloud, changed_steps

# On a machine with an empty cache all packages of the seven services are built first.
pytestmark = pytest.mark.timeout(3600)

FLOWS = (
    Flow("cloud", "test_cloud", rooms=ALL_ROOMS, services=CORE_SERVICES, marks="not long", minutes=20),
    Flow(
        "cloud-long",
        "test_cloud",
        rooms=ALL_ROOMS,
        services=(*CORE_SERVICES, "tempest"),
        marks="long",
        minutes=35,
        likelihood=0.05,
    ),
)

NAME, SECOND = "cloud", "cloud2"
_DONE = re.compile(r"^cloud: (?P<title>.+) \(\d+\.\d s\)$", re.MULTILINE)


@dataclass
class World(KnownCloud):
    """A cloud on one test host, at first."""

    report: dict[str, Any]
    faults: list[str]


def _steps_done(running: Running) -> list[str]:
    return [match["title"] for match in _DONE.finditer(running.messages.read_text())]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A cloud whose first ``up`` met a mirror that went away, a kill and a reboot at random steps."""
    home = tmp_path_factory.mktemp("cloud") / "home"
    installation = Installation.at(home, RDO_STORE=str(shared_cache() / "store"))
    seed = random.SystemRandom().randrange(10**6)
    chance = random.Random(seed)
    faults = [f"seed {seed}"]

    def interrupted(fault: str, ready: Callable[[Running], bool], strike: Callable[[Running], None]) -> str:
        """Run ``up`` until a moment, do something to it, and return what it said to its end."""
        running = installation.start("cloud", "up", "--allinone", "--on-test-host", "--name", NAME)
        running.wait_until(lambda: ready(running), timeout=2400)
        faults.append(f"{fault} after {len(_steps_done(running))} steps")
        strike(running)
        running.process.wait(timeout=600)
        assert running.process.returncode != 0, f"{faults}\n{running.messages.read_text()}"
        return running.messages.read_text()

    def mirror_gone(_: Running) -> None:
        record = json.loads((installation.state / "hosts/serving.json").read_text())
        ProcessIdentity.from_json(record["process"]).send(signal.SIGKILL)

    def killed(running: Running) -> None:
        running.end(signal.SIGKILL, everybody=True)

    def rebooted(_: Running) -> None:
        assert installation.rdo("host", "reboot", NAME).returncode == 0

    try:
        said = interrupted("mirror gone", lambda r: "Package rdo-release" in _steps_done(r), mirror_gone)
        assert f"On {NAME}, the step 'Packages of" in said, said
        late = chance.randrange(5, 40)
        interrupted("killed", lambda r: len(_steps_done(r)) >= late, killed)
        later = chance.randrange(3, 30)
        said = interrupted("rebooted", lambda r: len(_steps_done(r)) >= later, rebooted)
        assert NAME in said
        done = installation.rdo("cloud", "up", NAME, "--json", timeout=1200)
        assert done.returncode == 0, f"{faults}\n{done.stdout}\n{done.stderr}"
        yield World(installation, NAME, json.loads(done.stdout), faults)
    finally:
        installation.rdo("host", "destroy", "--all", "--yes")


def test_second_up_changes_and_restarts_nothing(world: World) -> None:
    starts = world.starts()
    assert len(starts) > 20
    assert world.up() == {}, world.faults
    assert world.restarted(starts) == set()
    planned = world.installation.json("cloud", "plan", NAME)
    assert changed_steps(planned) == {}
    assert len(planned["steps"]) > 100
    assert world.on_host("systemctl is-system-running") == "running"


def test_an_option_of_the_operator_restarts_what_reads_it_and_nothing_else(
    world: World, tmp_path: Path
) -> None:
    # every JSON is YAML
    file = tmp_path / "cloud.yaml"
    file.write_text(json.dumps(world.described() | {"options": {"cinder": {"DEFAULT": {"debugg": True}}}}))
    refused = world.installation.rdo("cloud", "up", str(file))
    assert refused.returncode == 2
    assert f"{file}:1: cinder: [DEFAULT] debugg: there is no such option" in refused.stderr
    assert "debugg" not in json.dumps(world.described()), "what is refused is not kept"
    options = {"neutron": {"DEFAULT": {"api_workers": 1}}, "cinder": {"DEFAULT": {"debug": True}}}
    file.write_text(json.dumps(world.described() | {"options": options}))
    starts = world.starts()
    changed = {"neutron-configuration", "cinder-configuration", "httpd"}
    changed |= {"neutron-rpc-server", "neutron-periodic-workers", "neutron-ovn-maintenance-worker"}
    changed |= {"neutron-ovn-metadata-agent", "cinder-scheduler", "cinder-volume"}
    planned = world.installation.json("cloud", "plan", str(file))
    assert changed == changed_steps(planned)[NAME]
    assert "debug = true" in json.dumps(planned)
    assert world.restarted(starts) == set(), "a plan touches nothing"
    assert world.up(file)[NAME] == changed
    expected = {"apache2", *(f"openstack-{n}" for n in changed if n.startswith("cinder-"))}
    expected |= {n for n in changed if n.startswith("neutron-")}
    expected = {f"{n}.service" for n in expected if not n.endswith("-configuration")}
    assert world.restarted(starts) == expected


def test_secrets_are_nowhere_to_be_read(world: World) -> None:
    secrets = world.secrets()
    assert len(secrets) > 15
    texts = {str(log): log.read_text() for log in (world.folder / "logs").iterdir()}
    assert texts
    texts["the journal"] = world.on_host("journalctl --no-pager -o export")
    others, texts["the plan"] = world.plan_of_other_passwords()
    assert shown_in(secrets | others, texts["the plan"]) == []
    texts["logs of services"] = world.on_host("cat /var/log/{keystone,glance,nova,neutron,cinder}/*.log")
    assert [
        (n, where) for n, value in secrets.items() for where, text in texts.items() if value in text
    ] == []
    readable = world.on_host("find /etc -type f -perm /o=r -print0 | xargs -0 cat")
    assert [name for name, value in secrets.items() if value in readable] == []


_LOGIN = r"""
import re, requests
session = requests.Session()
session.verify = "/etc/pki/rdo/ca.crt"
site = "https://{address}/dashboard"
page = session.get(site + "/auth/login/").text
token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page)[1]
form = dict(csrfmiddlewaretoken=token, username="admin", domain="Default", region="default")
form["password"] = open("/root/.rdo-test").read()
headers = dict(Referer=site + "/auth/login/")
answer = session.post(site + "/auth/login/", data=form, headers=headers)
print(answer.status_code, answer.url, "Sign Out" in answer.text)
for path in ("/project/instances/", "/admin/hypervisors/"):
    answer = session.get(site + path)
    print(answer.status_code, answer.url.endswith(path))
"""


def test_dashboard_lets_the_administrator_in(world: World) -> None:
    address = world.described()["hosts"][0]["address"]
    world.on_host('umask 077; . /root/keystonerc_admin; printf %s "$OS_PASSWORD" >/root/.rdo-test')
    program = _LOGIN.replace("{address}", address)
    shown = world.on_host(f"python3 - <<'PROGRAM'\n{program}\nPROGRAM\nrm /root/.rdo-test").splitlines()
    assert shown[0].startswith("200 ") and shown[0].endswith(" True"), shown
    assert shown[1:] == ["200 True", "200 True"]


@pytest.fixture
def machine(world: World) -> Iterator[str]:
    """A machine that needs no more than a name: its disk is empty, and it has no network."""
    name, client = "seen-by-a-browser", "openstack --os-cloud rdo"
    world.on_host(f"truncate -s 1M /tmp/empty; {client} image create --file /tmp/empty {name}")
    try:
        world.on_host(f"{client} server create --image {name} --flavor m1.nano --nic none --wait {name}")
        yield name
    finally:
        world.on_host(f"{client} server delete --wait {name}; {client} image delete {name}; rm /tmp/empty")


def test_a_browser_shows_the_dashboard_and_a_machine_in_it(
    world: World, machine: str, tmp_path: Path
) -> None:
    picture = tmp_path / "instances.png"
    job = {
        "site": f"https://{world.described()['hosts'][0]['address']}/dashboard",
        "password": world.secrets()["admin"],
        "authority": str(world.folder / "pki/ca.crt"),
        "machine": machine,
        "picture": str(picture),
    }
    network = Network.of(open_installation(world.installation.environment).paths)
    program = [sys.executable, str(Path(__file__).with_name("browser.py"))]
    done = subprocess.run(
        ["ip", "netns", "exec", network.namespace, *program],
        input=json.dumps(job),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)
    assert seen["address"].endswith("/project/instances/")
    (row,) = [row for row in seen["rows"] if machine in row]
    assert "m1.nano" in row and "Active" in row
    for styles in (seen["styles"], seen["entry"]["styles"]):
        assert all(styles["sheets"]) and sum(styles["sheets"]) > 1000, "rules of each style sheet"
        assert styles["scripts"]
    # a colour of the theme: without styles it is a shade of grey, or none
    red, green, blue = re.findall(r"\d+", seen["entry"]["styles"]["button"])
    assert red != blue and green != blue
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert seen["complaints"] == []


def test_a_host_joins_and_the_others_are_only_told(world: World) -> None:
    starts = world.starts()
    added = world.installation.json("cloud", "add", SECOND, NAME, "--on-test-host", timeout=900)
    changed = changed_steps(added)
    told = {"names", "nova-hosts", "firewall-rules", "firewall"}
    assert {step for step in changed[NAME] if not step.startswith("migration-")} == told
    assert "nova-compute" in changed[SECOND]
    assert world.restarted(starts) == set()
    # what put up the first host does not forget the second
    again = ("cloud", "up", "--allinone", "--on-test-host", "--name", NAME)
    assert changed_steps(world.installation.json(*again)) == {}
    assert [host["name"] for host in world.described()["hosts"]] == [NAME, SECOND]


def test_it_does_what_clouds_are_for(world: World) -> None:
    checks = world.verified()
    assert {"server", "metadata", "ping", "ssh", "elsewhere", "migration", "live", "refusal"} <= checks


@pytest.mark.long
def test_tempest_finds_nothing_wrong_and_leaves_nothing(world: World) -> None:
    chosen = (
        "identity.v3.test_api_discovery",
        "image.v2.test_versions",
        "network.test_routers.RoutersTest.test_create_show_list_update_delete_router",
        "compute.servers.test_create_server.ServersTestJSON.test_verify_server_details",
    )
    regex = "|".join(re.escape(f"tempest.api.{name}") for name in chosen)
    found = world.installation.json("cloud", "verify", NAME, "--tempest", "--regex", regex, timeout=900)
    assert [one for one in found["results"] if one["status"] != "success"] == []
    assert found["ok"] and found["chosen"] == len(found["results"]) == 8
    assert found["left"] == []
    kept = {file.name: file.read_bytes() for file in Path(found["folder"]).iterdir()}
    assert {"results.json", "junit.xml", "tempest.subunit", "tempest.conf", "tempest.log.gz"} <= kept.keys()
    kept["tempest.log.gz"] = gzip.decompress(kept["tempest.log.gz"])
    secrets = world.secrets()
    assert [n for n, value in secrets.items() for text in kept.values() if value.encode() in text] == []
    assert world.on_host("ls -d /var/lib/rdo-tempest || true") == ""


def test_passwords_and_certificates_are_made_anew(world: World) -> None:
    old = world.secrets()
    done = world.installation.rdo(
        "cloud", "rotate", NAME, "--passwords", "--certificates", "--yes", timeout=1200
    )
    assert done.returncode == 0, done.stdout + done.stderr
    new = world.secrets()
    changed = {name for name, value in old.items() if new[name] != value}
    assert changed == {name for name in old if not name.startswith("ceph_")}
    for host in (NAME, SECOND):
        held = world.on_host("find /etc /root -type f -size -1M -print0 | xargs -0 cat | tr -d '\\0'", host)
        assert [name for name in changed if old[name] in held] == []
    eventually(lambda: world.installation.rdo("cloud", "status", NAME).returncode == 0)
    client = "openstack --os-cloud rdo"
    for what in ("network", "server", "volume", "image"):
        world.on_host(f"{client} {what} list")
    assert world.up() == {}


def test_ports_that_hosts_need_of_each_other_are_closed_to_others(world: World) -> None:
    address = world.described()["hosts"][0]["address"]
    network = Network.of(open_installation(world.installation.environment).paths)
    reached = {}
    for port in (443, 5000, 6080, 8774, 9696, 3300, 3306, 5671, 6641, 6642, 8775):
        look = f"timeout 5 bash -c '</dev/tcp/{address}/{port}'"
        # the bridge's namespace is outside of all hosts
        done = subprocess.run(
            ["ip", "netns", "exec", network.namespace, "bash", "-c", look], capture_output=True, check=False
        )
        reached[port] = done.returncode == 0
        inside = world.on_host(f"{look} && echo open || true", SECOND)
        assert inside == "open", f"{port} from the other host"
    assert reached == {port: port in (443, 5000, 6080, 8774, 9696) for port in reached}


def test_status_says_what_is_down(world: World) -> None:
    found = world.installation.json("cloud", "status", NAME)
    assert found["down"] == []
    names = {agent["name"] for agent in found["agents"]}
    assert {"nova-compute", "nova-scheduler", "cinder-volume", "OVN Controller agent"} <= names
    assert {host["host"] for host in found["hosts"]} == {NAME, SECOND}
    world.on_host("systemctl stop openstack-nova-scheduler")
    found = world.installation.json("cloud", "status", NAME, status=1)
    assert [line for line in found["down"] if "openstack-nova-scheduler is inactive" in line]
    assert world.up() == {NAME: {"nova-scheduler"}}
    eventually(lambda: world.installation.rdo("cloud", "status", NAME).returncode == 0)


def _boot(world: World, name: str, host: str) -> None:
    """Boot a machine on a host, from an image that is there or made."""
    if world.on_host("ls /var/cache/rdo-cloud/*.qcow2 2>/dev/null || true") == "":
        world.verified()  # brings the image
    client = "openstack --os-cloud rdo"
    image = f"{client} image create --disk-format qcow2 --file $(ls /var/cache/rdo-cloud/*.qcow2) guest"
    where = f"--availability-zone nova:{host}:{host} --network none-but-its-own"
    net = f"{client} network create none-but-its-own && {client} subnet create --network none-but-its-own"
    there = f"{client} image show guest || {{ {image} && {net} --subnet-range 10.98.0.0/24 of-its-own; }}"
    world.on_host(f"{there}; {client} server create --wait --flavor m1.nano --image guest {where} {name}")


def _place(world: World, machine: str) -> list[str]:
    shown = f"openstack --os-cloud rdo server show {machine} -f value -c status -c OS-EXT-SRV-ATTR:host"
    return sorted(world.on_host(shown).split())


def _clear(world: World, machine: str) -> None:
    """Remove what :func:`_boot` has made."""
    client = "openstack --os-cloud rdo"
    gone = f"{client} server delete --wait {machine} && {client} image delete guest"
    world.on_host(f"{gone} && {client} network delete none-but-its-own")


def test_a_host_leaves_and_its_machines_stay(world: World) -> None:
    _boot(world, "moved", SECOND)
    refused = world.installation.rdo("cloud", "remove", NAME, NAME, "--yes")
    assert refused.returncode == 2
    shown = world.installation.rdo("cloud", "remove", SECOND, NAME)
    assert shown.returncode == 0 and shown.stdout.startswith("1 machines would move off"), shown
    assert _place(world, "moved") == ["ACTIVE", SECOND]
    done = world.installation.rdo("cloud", "remove", SECOND, NAME, "--yes")
    assert done.returncode == 0, done.stdout + done.stderr
    assert _place(world, "moved") == ["ACTIVE", NAME]
    found = world.installation.json("cloud", "status", NAME)
    assert {agent["host"].partition("@")[0] for agent in found["agents"]} == {NAME}
    assert world.on_host("rpm -qa '*openstack*'", SECOND) == ""
    assert world.up() == {}
    _clear(world, "moved")


@pytest.mark.long
def test_machines_of_a_dead_host_are_started_elsewhere(world: World) -> None:
    # it has left the cloud, if the other tests ran as well
    if SECOND in {host["name"] for host in world.installation.json("host", "list")}:
        assert world.installation.rdo("host", "destroy", SECOND, "--yes").returncode == 0
    world.installation.json("cloud", "add", SECOND, NAME, "--on-test-host", timeout=900)
    _boot(world, "saved", SECOND)
    assert world.installation.rdo("host", "crash", SECOND).returncode == 0
    assert f"{SECOND}: " in "".join(world.installation.json("cloud", "status", NAME, status=1)["down"])
    done = world.installation.rdo("cloud", "remove", SECOND, NAME, "--dead", "--yes")
    assert done.returncode == 0, done.stdout + done.stderr
    assert _place(world, "saved") == ["ACTIVE", NAME]
    assert world.up() == {}
    eventually(lambda: world.installation.rdo("cloud", "status", NAME).returncode == 0)
    _clear(world, "saved")


def test_taken_down_it_leaves_nothing_but_data_and_comes_back_with_it(world: World) -> None:
    client = "openstack --os-cloud rdo"
    image = f"echo data >/tmp/image; {client} image create --file /tmp/image kept"
    world.on_host(f"{client} project create kept && {image}")
    shown = world.installation.rdo("cloud", "down", NAME)
    assert shown.returncode == 0
    assert "Nothing was done." in shown.stdout
    assert world.installation.json("cloud", "status", NAME)["down"] == []

    done = world.installation.rdo("cloud", "down", NAME, "--yes")
    assert done.returncode == 0, done.stdout + done.stderr
    units = world.on_host("systemctl list-units --type=service --state=running --plain --no-legend")
    left = "openstack|neutron|apache2|mariadb|rabbitmq|memcached|ovn|openvswitch|libvirtd|ceph-"
    assert re.findall(f"^(?:{left}).*", units, re.MULTILINE) == []
    assert world.on_host("rpm -qa '*openstack*' rdo-release") == ""
    names = ("50-rdo.conf", "keystonerc_admin", "clouds.yaml", "rdo*.repo")
    look = " -o ".join(f"-name '{name}'" for name in names)
    assert world.on_host(f"find /etc /root {look}") == ""
    assert world.on_host("nft list tables") == ""
    assert "rdo:" not in world.on_host("cat /etc/hosts")

    world.up()
    assert world.on_host(f"{client} project show kept -f value -c name") == "kept"
    assert world.on_host(f"{client} image save kept --file /tmp/again; cat /tmp/again") == "data"
    assert world.up() == {}
