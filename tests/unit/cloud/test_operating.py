"""What is done with a cloud beside putting it up: looked at first, joined, closed, taken down."""

from __future__ import annotations

import re
import subprocess
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest

from rdo.cli.installation import open_installation
from rdo.cloud.allinone import chosen_services, compute_at, on_host, rehearsal, with_compute
from rdo.cloud.credentials import Credentials
from rdo.cloud.deployment import Deployment
from rdo.cloud.leaving import without
from rdo.cloud.pki import Authority
from rdo.cloud.plan import WRITTEN, Plan, Target
from rdo.cloud.preflight import judge
from rdo.cloud.records import recall, remember
from rdo.cloud.roles import plans
from rdo.cloud.takedown import removals, script_of
from rdo.cloud.testhosts.records import TestHost
from rdo.cloud.topology import CORE, Cloud, Host, Repository, Role, Site
from rdo.common.errors import InputError
from tests.unit.packaging.small_release import platform as small_platform

ONE = Host(name="one", address=ip_address("192.0.2.10"))
TWO = Host(name="two", address=ip_address("192.0.2.11"), roles=(Role.COMPUTE,))


def deployment(folder: Path, *hosts: Host, platform: str = "debian13", **fields: Any) -> Deployment:
    site = Site(
        cloud=Cloud(hosts=hosts, **fields),
        repository=Repository(
            series="2026.1", platform=platform, server="http://192.0.2.1", public_key="KEY"
        ),
    )
    credentials, authority = Credentials(folder / "passwords.json"), Authority(folder / "pki")
    return Deployment(
        site=site,
        credentials=credentials,
        plans=plans(site, credentials, authority),
        targets=[Target(host=host.name) for host in hosts],
        folder=folder,
        certificates={},
        authority=authority,
        platform=small_platform({}),
    )


def content(plan: Plan, step: str) -> str:
    found = next(one for one in plan.steps if one.id == step)
    text: str = found.content.reveal()  # type: ignore[union-attr]  # it is a file
    return text


def test_internal_ports_are_for_the_clouds_hosts(tmp_path: Path) -> None:
    first, second = deployment(tmp_path, ONE, TWO).plans
    rules = content(first, "firewall-rules")
    accepted = rules.index("ip saddr { 192.0.2.10, 192.0.2.11 } accept")
    refused = re.search(r"tcp dport \{ ([^}]*) \} reject", rules)
    assert refused and accepted < refused.start()
    assert {"3306", "5671", "6641-6642", "8775", "3300"} <= set(refused[1].split(", "))
    public = re.search(r"tcp dport \{ ([^}]*) \} accept", rules)
    assert public and public.start() < refused.start()
    assert set(public[1].split(", ")) == {"80", "443", "5000", "6080", "8774", "8776", "8778", "9292", "9696"}
    other = content(second, "firewall-rules")
    assert "tcp dport { 443" not in other and "16514" in other
    (closed,) = deployment(tmp_path, ONE, firewall=False).plans
    assert not any(step.id.startswith("firewall") for step in closed.steps)


def test_who_joins_gets_a_whole_plan_and_the_others_what_is_about_hosts(tmp_path: Path) -> None:
    first, second = deployment(tmp_path, ONE, TWO).joining("two").plans
    told = {step.id for step in first.steps if not step.id.startswith("migration-")}
    assert told == {"names", "nova-hosts", "firewall-rules", "firewall", "firewalld"}
    assert "nova-compute" in {step.id for step in second.steps}


def test_without_an_address_it_is_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    assert on_host("one", "op@192.0.2.7", None).hosts[0].ssh == "op@192.0.2.7"
    monkeypatch.setattr("rdo.cloud.allinone.own_address", lambda: "192.0.2.9")
    (here,) = on_host("one", None, "http://192.0.2.1").hosts
    assert (str(here.address), here.ssh) == ("192.0.2.9", "local")
    with pytest.raises(InputError, match=r"root@host\.example"):
        on_host("one", "root@host.example", None)


def test_services_of_a_cloud_without_a_file() -> None:
    assert chosen_services() == ()
    added = chosen_services(further=("heat", "swift"))
    assert set(added) == {*CORE, "heat", "swift"}
    assert chosen_services(only=("swift",)) == ("keystone", "swift")
    everything_nova_needs = ("keystone", "glance", "placement", "neutron", "nova")
    assert chosen_services(only=("nova", "keystone")) == everything_nova_needs
    with pytest.raises(InputError, match="no further service") as caught:
        chosen_services(further=("nova",))
    assert caught.value.hint == "There are swift, barbican, ironic, heat."
    with pytest.raises(InputError, match="novum, swifty: no service"):
        chosen_services(only=("swifty", "novum"))
    with pytest.raises(InputError, match="one is enough"):
        chosen_services(further=("heat",), only=("swift",))


def test_a_rehearsal_is_as_the_file_says_but_for_its_hosts() -> None:
    front = Host(
        name="front", address=ip_address("192.0.2.10"), ssh="op@front.example", roles=tuple(Role)[:2]
    )
    back = Host(name="back", address=ip_address("192.0.2.11"), roles=(Role.COMPUTE, Role.STORAGE))
    like = Cloud(
        name="prod",
        hosts=(front, back),
        repository="http://packages.example",
        repository_key="0" * 40,
        virtualization="kvm",
        region="north",
        workers=4,
    )
    made = [
        TestHost(f"try-{name}", f"10.0.0.{number}", "debian13", "running", 1, "", Path("ssh"))
        for number, name in enumerate(("front", "back"), start=5)
    ]
    found = rehearsal(like, "try", made, "2026.1")
    assert (found.name, found.region, found.workers, found.repository) == ("try", "north", 4, None)
    assert (found.datapath, found.virtualization, found.platform) == ("userspace", "auto", "debian13")
    assert [(h.name, str(h.address), h.ssh) for h in found.hosts] == [
        ("try-front", "10.0.0.5", None),
        ("try-back", "10.0.0.6", None),
    ]
    assert [h.roles for h in found.hosts] == [front.roles, back.roles]
    assert [h.external_interface is None for h in found.hosts] == [Role.NETWORK not in front.roles, True]


def test_what_another_rdo_has_kept_of_a_cloud_is_said_and_left(tmp_path: Path) -> None:
    paths = open_installation({"RDO_HOME": str(tmp_path)}).paths
    remember(paths, Cloud(name="prod", hosts=(ONE,)))
    assert recall(paths, "prod").controller == ONE
    kept = paths.clouds / "prod/cloud.json"
    kept.write_text(kept.read_text().replace('"region"', '"realm"'))
    with pytest.raises(InputError, match=r"kept of prod can't be read: realm: Extra inputs"):
        recall(paths, "prod")


def test_who_has_left_may_not_come_in_any_more(tmp_path: Path) -> None:
    three = Host(name="three", address=ip_address("192.0.2.12"), roles=(Role.COMPUTE,))
    cloud = Cloud(hosts=(ONE, TWO, three))
    rest = deployment(tmp_path, *without(cloud, "three").hosts).telling().plans
    assert "192.0.2.12" not in content(rest[0], "migration-authorized_keys")
    (alone,) = deployment(tmp_path, *without(without(cloud, "three"), "two").hosts).telling().plans
    steps = [step for step in alone.steps if step.id.startswith("migration-")]
    assert [step.id for step in steps] == ["migration-nobody"]
    assert all(step.about_hosts for step in alone.steps)


def test_only_hosts_for_machines_can_leave() -> None:
    cloud = Cloud(hosts=(ONE, TWO))
    assert [host.name for host in without(cloud, "two").hosts] == ["one"]
    with pytest.raises(InputError, match="one is there for controller, network, storage too"):
        without(cloud, "one")
    with pytest.raises(InputError, match="has no host three"):
        without(cloud, "three")
    only = ONE.model_copy(update={"roles": (Role.CONTROLLER, Role.NETWORK, Role.STORAGE)})
    with pytest.raises(InputError, match=r"can't do without two.*no host has the role compute"):
        without(Cloud(hosts=(only, TWO)), "two")


def test_one_of_the_same_name_or_address_cannot_join() -> None:
    cloud = Cloud(hosts=(ONE,))
    joined = with_compute(cloud, compute_at("two", "root@192.0.2.11"))
    assert [(h.name, h.roles) for h in joined.hosts][1] == ("two", (Role.COMPUTE,))
    with pytest.raises(InputError, match="name one is used twice"):
        with_compute(cloud, compute_at("one", "192.0.2.11"))
    with pytest.raises(InputError, match=r"address 192\.0\.2\.10 is used twice"):
        with_compute(cloud, compute_at("two", "192.0.2.10"))
    with pytest.raises(InputError, match=r"two, root@compute2\.example"):
        compute_at("two", "root@compute2.example")


HEALTHY = """\
platform|debian|13|
time|1000.5
memory|16000
disk|100
marked|
port|0.0.0.0:22|users:(("sshd",pid=1,fd=3))
"""


@pytest.mark.parametrize(
    ("said", "wrong"),
    [
        (HEALTHY, []),
        (HEALTHY.replace("debian|13|", "centos|10|rhel fedora"), ["runs centos 10, and"]),
        (HEALTHY.replace("time|1000", "time|900"), ["clock is off by 100 s"]),
        (HEALTHY.replace("memory|16000", "memory|4000"), ["has 4000 MiB of memory; its roles take 5632"]),
        (HEALTHY.replace("disk|100", "disk|7"), ["has 7 GiB left below /var/lib; 12 are needed"]),
        (
            HEALTHY + 'port|*:443|users:(("nginx",pid=7,fd=6),("nginx",pid=8,fd=6))\nport|[::1]:3306|\n',
            ["port 443 is taken by nginx", "port 3306 is taken by another program"],
        ),
        (HEALTHY + f"ceph|{WRITTEN}\n", []),
        (HEALTHY + "ceph|# a | b\n", ["/etc/ceph/ceph.conf of others"]),
        # the cloud is there already: what listens and fills the disk is its own
        (HEALTHY.replace("marked|", "marked|yes").replace("disk|100", "disk|1") + "port|*:443|\n", []),
    ],
)
def test_what_is_wrong_with_a_host_is_said_at_once(tmp_path: Path, said: str, wrong: list[str]) -> None:
    found = judge(deployment(tmp_path, ONE), ONE, said, began=1000.0, ended=1001.0)
    assert len(found) == len(wrong)
    for line in wrong:
        assert any(line in one for one in found), found


def test_el_is_known_by_what_it_is_like(tmp_path: Path) -> None:
    cloud = deployment(tmp_path, ONE, platform="el10")
    said = HEALTHY.replace("debian|13|", "rocky|10|rhel centos fedora")
    assert judge(cloud, ONE, said, began=1000.0, ended=1001.0) == []


def test_what_was_put_on_is_taken_off_in_the_other_direction(tmp_path: Path) -> None:
    made = deployment(tmp_path, ONE)
    script = script_of(made.plans[0], data=False).reveal()
    done = subprocess.run(["bash", "-n"], input=script, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    order = [script.index(text) for text in ("openstack-nova-compute", "now httpd", "now mariadb", "dnf -y")]
    assert order == sorted(order)
    assert "/etc/nova/nova.conf.d/50-rdo.conf" in script
    assert "DROP DATABASE" not in script and "/var/lib/ceph" not in script
    # what rpm keeps of a file that a package and the plan both have
    assert script.index("rm -f /etc/dnf/vars/rdoserver.rpmsave") > script.index("dnf -y")
    # folders that nothing is left in, inner ones first
    order = [script.index(f"rmdir /etc/nova{inner} ") for inner in ("/nova.conf.d", "")]
    assert order[0] < order[1]

    script = script_of(made.plans[0], data=True).reveal()
    done = subprocess.run(["bash", "-n"], input=script, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert "DROP DATABASE IF EXISTS `nova_cell0`;" in script and "/var/lib/ceph/osd/ceph-0" in script
    assert script.index("DROP DATABASE") < script.index("now mariadb")
    secrets = made.credentials.values()
    assert [value for value in secrets if value in script] == []
    (shown,) = removals(made, data=True)
    assert "drop the database cinder" in shown.actions
    assert "stop and disable httpd" in shown.actions
