"""Plans of whole clouds: in an order that can work, private where they must be, as the topology says."""

from __future__ import annotations

import configparser
import json
import subprocess
from collections.abc import Callable
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest

from rdo.cloud.credentials import Credentials
from rdo.cloud.operations import scripts_for
from rdo.cloud.pki import Authority
from rdo.cloud.plan import Config, File, Objects, Packages, Plan, Script, Service, Stage
from rdo.cloud.roles import plans
from rdo.cloud.roles.rabbitmq import password_hash
from rdo.cloud.takedown import script_of
from rdo.cloud.topology import CORE, Cloud, Host, PlatformNames, Repository, Role, Site

Make = Callable[..., list[Plan]]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    def made(*hosts: Host, names: dict[str, str] | None = None, **fields: Any) -> list[Plan]:
        only = Host(name="one", address=ip_address("192.0.2.10"))
        site = Site(
            cloud=Cloud(hosts=hosts or (only,), **fields),
            repository=Repository(
                series="2026.1", platform="debian13", server="http://192.0.2.1:8080", public_key="KEY"
            ),
            names=PlatformNames(**(names or {})),
        )
        credentials, authority = Credentials(tmp_path / "passwords.json"), Authority(tmp_path / "pki")
        found = plans(site, credentials, authority)
        credentials.keep()
        authority.keep()
        return found

    return made


def host(name: str, number: int, *roles: Role, **fields: Any) -> Host:
    return Host(name=name, address=ip_address(f"192.0.2.{number}"), roles=roles, **fields)


def options(plan: Plan, project: str) -> dict[str, dict[str, str]]:
    step = next(s for s in plan.steps if isinstance(s, Config) and s.project == project)
    return {
        section: {name: value.reveal() for name, value in rows.items()}
        for section, rows in step.options.items()
    }


def test_an_order_that_can_work(make: Make) -> None:
    (plan,) = make()
    order = [step.id for step in plan.steps]
    for earlier, later in (
        ("repository-key", "repository"),
        ("repository", "keystone-packages"),
        ("authority", "mariadb"),
        ("keystone-database", "keystone-schema"),
        ("keystone-schema", "httpd"),
        ("httpd", "keystone-bootstrap"),
        ("keystone-bootstrap", "accounts"),
        ("accounts", "nova-compute"),
        ("nova-compute", "nova-hosts"),
        ("nova-hosts", "running"),
    ):
        assert order.index(earlier) < order.index(later)


def test_every_step_becomes_scripts_that_bash_can_read(make: Make) -> None:
    hosts = (
        host("a", 10, Role.CONTROLLER, Role.STORAGE, tunnel="198.51.100.1/24", tunnel_interface="eth1"),
        host("b", 11, Role.COMPUTE, tunnel="198.51.100.2/24", tunnel_interface="eth1"),
        host(
            "c",
            12,
            Role.NETWORK,
            tunnel="198.51.100.3/24",
            tunnel_interface="eth1",
            external_interface="eth2",
        ),
    )
    for plan in make(*hosts, datapath="userspace"):
        earlier = {step.id: step for step in plan.steps}
        for step in plan.steps:
            made = scripts_for(step, earlier)
            for script in (made.guard, made.make):
                done = subprocess.run(["bash", "-n"], input=script.reveal(), capture_output=True, text=True)
                assert (done.returncode, done.stderr) == (0, ""), step.id
            assert made.guard.reveal().strip(), f"{step.id} does not ask first"


def test_keystone_alone_has_nothing_of_the_others(make: Make) -> None:
    (plan,) = make(services=("keystone",))
    groups = {step.group for step in plan.steps}
    assert not groups & {"nova", "ceph", "ovn", "rabbitmq", "glance", "libvirt"}
    assert len(plan.steps) < 45


def test_roles_are_where_they_belong(make: Make) -> None:
    a, b, c = make(
        host("a", 10, Role.CONTROLLER, Role.STORAGE), host("b", 11, Role.COMPUTE), host("c", 12, Role.NETWORK)
    )
    ids = {plan.host: {step.id for step in plan.steps} for plan in (a, b, c)}
    assert {"mariadb", "httpd", "ceph-osd", "ovn-central", "rabbitmq"} <= ids["a"]
    assert {"nova-compute", "neutron-ovn-metadata-agent", "ovn-controller", "libvirt"} <= ids["b"]
    assert not ids["b"] & {"mariadb", "httpd", "ceph-osd", "ovn-central", "rabbitmq", "nova-schema"}
    assert "ovn-controller" in ids["c"] and not ids["c"] & {"nova-compute", "libvirt", "nova-packages"}


def test_a_host_of_machines_has_no_database_password(make: Make, tmp_path: Path) -> None:
    _, b = make(host("a", 10, Role.CONTROLLER, Role.STORAGE, Role.NETWORK), host("b", 11, Role.COMPUTE))
    secrets = json.loads((tmp_path / "passwords.json").read_text())
    text = json.dumps([scripts_for(step, {s.id: s for s in b.steps}).make.reveal() for step in b.steps])
    assert [name for name, value in secrets.items() if name.endswith("_database") and value in text] == []
    assert "connection" not in str(options(b, "nova").get("database", {}))


def test_all_that_is_said_over_the_network_is_encrypted(make: Make) -> None:
    (plan,) = make()
    for project in ("keystone", "glance", "neutron", "nova", "cinder"):
        found = options(plan, project)
        assert "ssl_ca=" in found["database"]["connection"]
        for rows in found.values():
            assert not [v for n, v in rows.items() if v.startswith(("http://", "tcp://192"))], project
    for project in ("neutron", "nova", "cinder"):
        assert options(plan, project)["oslo_messaging_rabbit"]["ssl"] == "true"
    assert options(plan, "neutron")["ovn"]["ovn_nb_connection"].startswith("ssl:")
    assert options(plan, "nova")["DEFAULT"]["ssl_only"] == "true"


def test_files_with_passwords_are_private(make: Make, tmp_path: Path) -> None:
    (plan,) = make()
    secrets = json.loads((tmp_path / "passwords.json").read_text()).values()
    for step in plan.steps:
        file = step.as_file() if isinstance(step, Config) else step
        if isinstance(file, File):
            text = file.content.reveal()
            if "PRIVATE KEY" in text or any(secret in text for secret in secrets):
                assert file.mode in {"400", "600", "640"}, file.id
    assert not any(secret in repr(plan) for secret in secrets)


def test_an_operators_options_win(make: Make) -> None:
    (plan,) = make(options={"nova": {"DEFAULT": {"debug": True, "my_ip": "192.0.2.99"}, "x": {"y": 3}}})
    found = options(plan, "nova")
    assert (found["DEFAULT"]["debug"], found["DEFAULT"]["my_ip"], found["x"]) == (
        "true",
        "192.0.2.99",
        {"y": "3"},
    )
    step = next(s for s in plan.steps if s.id == "nova-configuration")
    assert isinstance(step, Config)
    parser = configparser.RawConfigParser()
    parser.read_string(step.as_file().content.reveal())
    assert parser["x"]["y"] == "3"


def test_a_service_starts_again_for_what_it_reads_and_nothing_else(make: Make) -> None:
    (plan,) = make()
    services = {step.id: set(step.restart_after) for step in plan.steps if isinstance(step, Service)}
    assert "cinder-configuration" in services["cinder-volume"]
    assert not {"nova-configuration", "glance-configuration"} & services["cinder-volume"]
    assert {"nova-configuration", "nova-api-site", "certificate"} <= services["httpd"]
    assert services["memcached"] == {"memcached-packages"}


def test_further_services_are_there_where_they_are_asked_for(make: Make, tmp_path: Path) -> None:
    (usual,) = make()
    assert not {step.group for step in usual.steps} & {"heat", "barbican"}
    (plan,) = make(services=("keystone", "heat", "barbican"))
    ids = [step.id for step in plan.steps]
    assert {"heat-schema", "barbican-schema", "heat-engine", "port-8004", "port-8000", "port-9311"} <= {*ids}
    wanted = json.loads(next(s.wanted for s in plan.steps if isinstance(s, Objects)).reveal())
    found = {row["name"]: row["url"] for row in wanted["services"]}
    assert found == {
        "barbican": "https://192.0.2.10:9311",
        "heat": "https://192.0.2.10:8004/v1/%(tenant_id)s",
        "heat-cfn": "https://192.0.2.10:8000/v1",
    }
    (domain,) = wanted["domains"]
    heat = options(plan, "heat")["DEFAULT"]
    assert heat["stack_domain_admin_password"] == domain["admin"]["password"]
    # what is in databases can be read after a rotation as well
    credentials = Credentials(tmp_path / "passwords.json")
    key = options(plan, "barbican")["simple_crypto_plugin"]["kek"]
    assert "heat_encryption" not in credentials.renew()
    (again,) = make(services=("keystone", "heat", "barbican"))
    assert options(again, "heat")["DEFAULT"]["auth_encryption_key"] == heat["auth_encryption_key"]
    assert options(again, "barbican")["simple_crypto_plugin"]["kek"] == key
    assert options(again, "heat")["DEFAULT"]["transport_url"] != heat["transport_url"]


def test_ironic_stands_alone_or_beside_the_network(make: Make) -> None:
    (alone,) = make(services=("keystone", "ironic"))
    services = {step.id: step for step in alone.steps if isinstance(step, Service)}
    # its unit runs on where the conductor itself does not
    assert services["ironic-conductor"].ready is not None
    assert {"ironic-boot-site", "ironic-configuration"} <= {*services["httpd"].restart_after}
    found = options(alone, "ironic")
    assert found["DEFAULT"]["enabled_network_interfaces"] == "noop"
    assert found["deploy"]["http_url"] == "http://192.0.2.10:8088"
    assert not {"neutron", "nova", "glance", "cinder"} & found.keys()
    rules = next(step for step in alone.steps if step.id == "firewall-rules")
    assert isinstance(rules, File)
    assert "6385, 8088" in rules.content.reveal()
    (beside,) = make(services=(*CORE, "ironic"))
    found = options(beside, "ironic")
    assert found["DEFAULT"]["default_network_interface"] == "flat"
    assert found["neutron"]["username"] == "ironic"
    (usual,) = make()
    assert not [step.id for step in usual.steps if step.id.startswith("ironic")]


def test_swift_keeps_objects_on_the_storage_host(make: Make, tmp_path: Path) -> None:
    (usual,) = make()
    assert not {step.id for step in usual.steps if step.id.startswith("swift-")}
    hosts = (host("a", 10, Role.CONTROLLER), host("b", 11, Role.STORAGE))
    front, back = make(
        *hosts,
        services=("keystone", "swift"),
        options={"swift": {"filter:ratelimit": {"account_ratelimit": 20}, "DEFAULT": {"workers": 3}}},
    )
    files = {
        plan.host: {step.path: step.content.reveal() for step in plan.steps if isinstance(step, File)}
        for plan in (front, back)
    }
    assert "/etc/swift/proxy-server.conf" not in files["b"]
    assert "/etc/swift/object-server.conf" not in files["a"]
    assert files["a"]["/etc/swift/swift.conf"] == files["b"]["/etc/swift/swift.conf"]
    proxy = configparser.RawConfigParser()
    proxy.read_string(files["a"]["/etc/swift/proxy-server.conf"])
    filters = proxy["pipeline:main"]["pipeline"].split()
    assert all(f"filter:{name}" in proxy for name in filters[:-1])
    assert filters[-1] == "proxy-server"
    httpd = next(step for step in front.steps if step.id == "httpd")
    assert isinstance(httpd, Service)
    assert "swift-proxy-site" in httpd.restart_after
    assert "swift-configuration" not in httpd.restart_after
    assert proxy["filter:ratelimit"]["account_ratelimit"] == "20"
    assert proxy.defaults()["workers"] == "3"
    # both make the same rings, of the storage host
    rings = [next(s for s in p.steps if s.id == "swift-rings") for p in (front, back)]
    assert rings[0] == rings[1]
    assert isinstance(rings[0], Script)
    assert rings[0].script.reveal().count("--ip 192.0.2.11 ") == 3
    # who may reach what
    rules = {name: made["/etc/rdo/firewall.nft"] for name, made in files.items()}
    assert "8080" in rules["a"]
    assert "6200-6202" in rules["b"] and "6200-6202" not in rules["a"]
    # where objects are is not changed by a rotation
    credentials = Credentials(tmp_path / "passwords.json")
    assert "swift_hash_encryption" not in credentials.renew()
    assert "swift_service" in credentials.names()


def test_swift_needs_one_storage_host(make: Make) -> None:
    with pytest.raises(ValueError, match="one host must have the role storage, for Swift's objects"):
        make(host("a", 10, Role.CONTROLLER), services=("keystone", "swift"))


def test_an_ipv6_address_has_brackets_in_urls_alone(make: Make) -> None:
    only = Host(name="a", address=ip_address("2001:db8::10"))
    (plan,) = make(only)
    assert options(plan, "neutron")["ml2"]["overlay_ip_version"] == "6"
    configs = {step.id: step for step in plan.steps if isinstance(step, Config)}
    for name, step in configs.items():
        for section, rows in step.options.items():
            for option, value in rows.items():
                text = value.reveal()
                assert not text.startswith("["), f"{name}: [{section}] {option} = {text}"
                if "2001:db8::10" in text and text != "2001:db8::10":
                    assert "[2001:db8::10]" in text, f"{name}: [{section}] {option} = {text}"


def test_kvm_is_tried_unless_the_operator_has_decided(make: Make) -> None:
    (plan,) = make()
    assert "virt_type" not in options(plan, "nova")["libvirt"]
    ids = [step.id for step in plan.steps]
    compute = next(step for step in plan.steps if step.id == "nova-compute")
    assert isinstance(compute, Service) and "virtualization" in compute.restart_after
    assert ids.index("libvirt-packages") < ids.index("virtualization") < ids.index("nova-compute")
    for decided, mode in (("kvm", "host-model"), ("qemu", "none")):
        (plan,) = make(virtualization=decided)
        libvirt = options(plan, "nova")["libvirt"]
        assert (libvirt["virt_type"], libvirt["cpu_mode"]) == (decided, mode)
        assert "virtualization" not in {step.id for step in plan.steps}


def test_a_platform_s_own_names_are_used(make: Make) -> None:
    names = {
        "httpd_unit": "apache2",
        "httpd_confdir": "/etc/apache2/conf-enabled",
        "httpd_modules": "a2enmod ssl",
    }
    (plan,) = make(names=names)
    assert "apache2" in repr(plan)
    assert "/etc/apache2/conf-enabled/wsgi-keystone.conf" in repr(plan)
    assert any(step.id == "httpd-modules" for step in plan.steps)


@pytest.mark.parametrize("images", ["rbd", "file"])
@pytest.mark.parametrize("volumes", ["rbd", "lvm", "nfs"])
def test_storage(make: Make, images: str, volumes: str) -> None:
    storage = {"images": images, "volumes": volumes, "disks": "local"}
    if volumes == "nfs":
        storage["nfs_share"] = "192.0.2.50:/volumes"
    (plan,) = make(storage=storage)
    ceph = any(step.group == "ceph" for step in plan.steps)
    assert ceph == ("rbd" in (images, volumes))
    assert options(plan, "glance")["glance_store"]["default_backend"] == images
    assert options(plan, "cinder")["DEFAULT"]["enabled_backends"] == volumes
    assert ("nfs-shares" in {step.id for step in plan.steps}) == (volumes == "nfs")


def test_a_ceph_that_is_there_is_used_and_left_alone(make: Make, tmp_path: Path) -> None:
    keys = {f"ceph_key_{client}": f"KEY+OF/{client}==" for client in ("glance", "cinder", "nova")}
    (tmp_path / "passwords.json").write_text(json.dumps(keys))
    cluster = {
        "fsid": "4b5c8c0a-ff60-454b-a1b4-9747aa737d19",
        "monitors": ["192.0.2.50", "2001:db8::5"],
        "keyrings": "/nowhere",
        "pools": {"images": "cloud-images"},
    }
    front = host("a", 10, Role.CONTROLLER, Role.NETWORK)
    plans = make(front, host("b", 11, Role.COMPUTE), storage={"cluster": cluster})
    steps = [{step.id: step for step in plan.steps} for plan in plans]
    conf = steps[0]["ceph-configuration"]
    assert isinstance(conf, File)
    assert "mon_host = [v2:192.0.2.50:3300],[v2:[2001:db8::5]:3300]\n" in conf.content.reveal()
    assert not {
        name for one in steps for name in one if name.startswith(("ceph-mon", "ceph-osd", "ceph-pool"))
    }
    there = [{name for name in one if name.endswith("-reached")} for one in steps]
    assert there == [{"ceph-glance-reached", "ceph-cinder-reached"}, {"ceph-nova-reached"}]
    keyring = steps[1]["ceph-nova-keyring"]
    assert isinstance(keyring, File)
    assert keyring.content.reveal() == "[client.nova]\n\tkey = KEY+OF/nova==\n"
    assert options(plans[0], "glance")["rbd"]["rbd_store_pool"] == "cloud-images"
    assert options(plans[1], "nova")["libvirt"]["images_rbd_pool"] == "vms"
    rules = steps[0]["firewall-rules"]
    assert isinstance(rules, File) and "3300" not in rules.content.reveal()
    for plan in plans:
        assert "/var/lib/ceph" not in script_of(plan, data=True).reveal()
        assert "ceph.client.admin" not in script_of(plan, data=True).reveal()


def test_plans_stay_the_same(make: Make) -> None:
    assert make() == make()


def test_packages_are_asked_for_by_their_service(make: Make) -> None:
    (plan,) = make()
    by_group = {step.group: step.names for step in plan.of(Stage.PACKAGES) if isinstance(step, Packages)}
    assert "openstack-nova-compute" in by_group["nova"]
    assert by_group["mariadb"] == ("mariadb-server",)


def test_scripts_with_a_path_are_known_to_services(make: Make) -> None:
    (plan,) = make()
    httpd = next(step for step in plan.steps if step.id == "httpd")
    guard = scripts_for(httpd, {step.id: step for step in plan.steps}).guard.reveal()
    written = [step.path for step in plan.steps if isinstance(step, Script) and step.path]
    sites = [path for path in written if "/httpd/" in path]
    assert sites and all(path in guard for path in sites)


def test_rabbitmq_s_form_of_a_password() -> None:
    # RabbitMQ's documentation has this example
    assert password_hash("test12", bytes.fromhex("908DC60A")) == (
        "kI3GCqW5JLMJa4iX1lo7X4D6XbYqlLgxIs30+P6tENUV2POR"
    )
