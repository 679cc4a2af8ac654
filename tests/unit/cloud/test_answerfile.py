"""Packstack's answer files: what they say becomes a cloud, what can't be is said with its line."""

from __future__ import annotations

from pathlib import Path

import pytest

from rdo.cloud.answerfile import Answers, read_answers
from rdo.cloud.credentials import Credentials
from rdo.cloud.given import not_kept
from rdo.cloud.topology import Role
from rdo.common.errors import DataError

FULL = """\
[general]

# Path to a public key to install on servers.
CONFIG_SSH_KEY=/root/.ssh/id_rsa.pub
CONFIG_DEFAULT_PASSWORD=
CONFIG_SERVICE_WORKERS=%{::processorcount}
CONFIG_MARIADB_INSTALL=y
CONFIG_GLANCE_INSTALL=y
CONFIG_CINDER_INSTALL=y
CONFIG_MANILA_INSTALL=n
CONFIG_NOVA_INSTALL=y
CONFIG_NEUTRON_INSTALL=y
CONFIG_HORIZON_INSTALL=y
CONFIG_SWIFT_INSTALL=n
CONFIG_CEILOMETER_INSTALL=n
CONFIG_AODH_INSTALL=y
CONFIG_HEAT_INSTALL=y
CONFIG_CLIENT_INSTALL=y
CONFIG_NTP_SERVERS=192.0.2.250
EXCLUDE_SERVERS=
CONFIG_DEBUG_MODE=y
CONFIG_CONTROLLER_HOST=192.0.2.10
CONFIG_COMPUTE_HOSTS=192.0.2.10,192.0.2.11, 192.0.2.12
CONFIG_NETWORK_HOSTS=192.0.2.13
CONFIG_VMWARE_BACKEND=n
CONFIG_STORAGE_HOST=192.0.2.10
CONFIG_REPO=
CONFIG_AMQP_BACKEND=rabbitmq
CONFIG_AMQP_HOST=192.0.2.10
CONFIG_AMQP_AUTH_PASSWORD=PW_PLACEHOLDER
CONFIG_MARIADB_HOST=192.0.2.10
CONFIG_MARIADB_PW=0123456789abcdef
CONFIG_KEYSTONE_DB_PW=PW_PLACEHOLDER
CONFIG_KEYSTONE_REGION=RegionTwo
CONFIG_KEYSTONE_ADMIN_PW=opensesame
CONFIG_KEYSTONE_IDENTITY_BACKEND=sql
CONFIG_GLANCE_DB_PW=glance-secret
CONFIG_GLANCE_KS_PW=PW_PLACEHOLDER
CONFIG_GLANCE_BACKEND=file
CONFIG_CINDER_BACKEND=nfs
CONFIG_CINDER_NFS_MOUNTS=192.0.2.30:/export
CONFIG_NOVA_LIBVIRT_VIRT_TYPE=%{::default_hypervisor}
CONFIG_NEUTRON_L2_AGENT=ovn
CONFIG_NEUTRON_ML2_TYPE_DRIVERS=geneve,flat
CONFIG_NEUTRON_ML2_MECHANISM_DRIVERS=ovn
CONFIG_NEUTRON_OVN_BRIDGE_MAPPINGS=extnet:br-ex
CONFIG_NEUTRON_OVN_BRIDGE_IFACES=br-ex:eth1
CONFIG_HORIZON_SSL=n
CONFIG_PROVISION_DEMO=y
CONFIG_PROVISION_DEMO_FLOATRANGE=198.51.100.0/24
CONFIG_PROVISION_TEMPEST=n
"""


def read(folder: Path, text: str) -> Answers:
    file = folder / "packstack.txt"
    file.write_text(text)
    return read_answers(file, name="prod", repository="http://packages.example.org")


def wrong(folder: Path, text: str) -> list[str]:
    with pytest.raises(DataError) as caught:
        read(folder, text)
    return [f"{problem.line}: {problem.message}" for problem in caught.value.problems]


def test_what_it_says_becomes_a_cloud(tmp_path: Path) -> None:
    answers = read(tmp_path, FULL)
    cloud = answers.cloud
    rows = {host.name: (str(host.address), set(host.roles)) for host in cloud.hosts}
    assert rows == {
        "controller": ("192.0.2.10", {Role.CONTROLLER, Role.COMPUTE, Role.STORAGE}),
        "network1": ("192.0.2.13", {Role.NETWORK}),
        "compute1": ("192.0.2.11", {Role.COMPUTE}),
        "compute2": ("192.0.2.12", {Role.COMPUTE}),
    }
    assert [host.external_interface for host in cloud.hosts if host.name == "network1"] == ["eth1"]
    assert (cloud.region, cloud.repository, cloud.name) == (
        "RegionTwo",
        "http://packages.example.org",
        "prod",
    )
    assert cloud.storage.model_dump(include={"images", "volumes", "disks", "nfs_share"}) == {
        "images": "file",
        "volumes": "nfs",
        "disks": "local",
        "nfs_share": "192.0.2.30:/export",
    }
    external = cloud.external
    assert [str(getattr(external, name)) for name in ("subnet", "gateway", "first", "last")] == [
        "198.51.100.0/24",
        "198.51.100.1",
        "198.51.100.2",
        "198.51.100.254",
    ]
    assert cloud.options["nova"] == {"DEFAULT": {"debug": True}}
    assert not cloud.uses_ceph
    assert {name: one.value.get_secret_value() for name, one in answers.passwords.items()} == {
        "admin": "opensesame",
        "glance_database": "glance-secret",
    }


def test_what_has_no_meaning_here_is_named_with_its_line(tmp_path: Path) -> None:
    remarks = [remark.removeprefix(f"{tmp_path}/packstack.txt:") for remark in read(tmp_path, FULL).remarks]
    assert "16: Aodh is not installed; it has no role here" in remarks
    assert "19: CONFIG_NTP_SERVERS has no meaning here" in remarks
    assert "32: CONFIG_MARIADB_PW has no meaning here" in remarks
    assert not [remark for remark in remarks if "0123456789abcdef" in remark]
    assert not [remark for remark in remarks if "MANILA" in remark or "AMQP_AUTH" in remark]


def test_all_mistakes_are_said_at_once(tmp_path: Path) -> None:
    text = """\
[general]
CONFIG_CONTROLLER_HOST=controller.example.org
CONFIG_GLANCE_INSTALL=n
CONFIG_NOVA_INSTALL=yes
CONFIG_COMPUTE_HOST=192.0.2.11
CONFIG_NEUTRON_L2_AGENT=linuxbridge
CONFIG_CINDER_BACKEND=lvm
CONFIG_CINDER_NFS_MOUNTS=192.0.2.30:/export
CONFIG_CINDER_BACKEND=nfs
what is this
CONFIG_GLANCE_BACKEND=swift
CONFIG_PROVISION_DEMO_FLOATRANGE=198.51.100.0/33
CONFIG_SERVICE_WORKERS=many
"""
    found = wrong(tmp_path, text)
    for line, words in (
        (2, "'controller.example.org' is no address"),
        (4, "'yes' is neither y nor n"),
        (5, "did you mean CONFIG_COMPUTE_HOSTS?"),
        (6, "networks are OVN's here"),
        (8, "goes with CONFIG_CINDER_BACKEND=nfs"),
        (9, "CONFIG_CINDER_BACKEND is in line 7 already"),
        (10, "neither a comment"),
        (11, "'swift' can't be had for images"),
        (12, "is no network"),
        (13, "'many' is no number"),
    ):
        assert any(one.startswith(f"{line}: ") and words in one for one in found), (line, words, found)


def test_keys_are_known_or_mistakes(tmp_path: Path) -> None:
    begin = "[general]\nCONFIG_CONTROLLER_HOST=192.0.2.10\n"
    found = wrong(tmp_path, begin + "CONFIG_NOVA_INSTAL=y\nCONFIG_FLYING_CARPET=y\nHOSTS=1\n")
    assert found == [
        "3: Packstack has no key CONFIG_NOVA_INSTAL; did you mean CONFIG_NOVA_INSTALL?",
        "4: Packstack has no key CONFIG_FLYING_CARPET",
        "5: Packstack has no key HOSTS",
    ]
    known = ("CONFIG_KEYSTONE_LDAP_USER_DN", "CONFIG_NAGIOS_PW", "CONFIG_LBAAS_INSTALL", "EXCLUDE_SERVERS")
    read(tmp_path, begin + "".join(f"{key}=n\n" for key in known))


def test_swift_is_on_unless_it_is_left_out(tmp_path: Path) -> None:
    text = "CONFIG_CONTROLLER_HOST=192.0.2.10\nCONFIG_SWIFT_KS_PW=given\nCONFIG_DEBUG_MODE=y\n"
    answers = read(tmp_path, text)
    assert "swift" in answers.cloud.services
    assert Role.STORAGE in answers.cloud.controller.roles
    assert answers.cloud.options["swift"] == {"DEFAULT": {"log_level": "DEBUG"}}
    assert answers.passwords["swift_service"].value.get_secret_value() == "given"
    without = read(tmp_path, text + "CONFIG_SWIFT_INSTALL=n\n").cloud
    assert "swift" not in without.services
    assert Role.STORAGE not in without.controller.roles


def test_heat_comes_with_its_passwords(tmp_path: Path) -> None:
    text = "[general]\nCONFIG_CONTROLLER_HOST=192.0.2.10\nCONFIG_HEAT_INSTALL=y\n"
    keys = {"CONFIG_HEAT_DB_PW": "heat_database", "CONFIG_HEAT_DOMAIN_PASSWORD": "heat_domain"}
    answers = read(tmp_path, text + "".join(f"{key}=given-{n}\n" for n, key in enumerate(keys)))
    assert "heat" in answers.cloud.services and "barbican" not in answers.cloud.services
    found = {name: one.value.get_secret_value() for name, one in answers.passwords.items()}
    assert found == {"heat_database": "given-0", "heat_domain": "given-1"}
    assert "heat" not in read(tmp_path, text.replace("=y", "=n")).cloud.services


def test_ironic_comes_without_novas_part(tmp_path: Path) -> None:
    text = (
        "[general]\nCONFIG_CONTROLLER_HOST=192.0.2.10\nCONFIG_IRONIC_KS_PW=given\nCONFIG_IRONIC_INSTALL=y\n"
    )
    answers = read(tmp_path, text)
    assert "ironic" in answers.cloud.services
    assert answers.passwords["ironic_service"].value.get_secret_value() == "given"
    assert [remark for remark in answers.remarks if ":4: Ironic has its API" in remark]
    assert "ironic" not in read(tmp_path, text.replace("=y", "=n")).cloud.services


def test_a_service_without_what_it_needs(tmp_path: Path) -> None:
    text = "[general]\nCONFIG_CONTROLLER_HOST=192.0.2.10\nCONFIG_GLANCE_INSTALL=n\n"
    found = wrong(
        tmp_path, text + "CONFIG_HORIZON_INSTALL=n\nCONFIG_CINDER_INSTALL=n\nCONFIG_NOVA_INSTALL=y\n"
    )
    assert found == ["6: CONFIG_NOVA_INSTALL: nova needs glance, which CONFIG_GLANCE_INSTALL leaves out"]


def test_a_file_of_two_lines_is_enough(tmp_path: Path) -> None:
    (only,) = read(tmp_path, "[general]\nCONFIG_CONTROLLER_HOST=192.0.2.10\n").cloud.hosts
    # Packstack keeps Swift's objects on the controller, unless it is told otherwise
    assert set(only.roles) == {Role.CONTROLLER, Role.NETWORK, Role.COMPUTE, Role.STORAGE}


def test_no_file_and_an_empty_one(tmp_path: Path) -> None:
    assert wrong(tmp_path, "[general]\n") == ["0: it is empty"]
    with pytest.raises(DataError, match="can't be read"):
        read_answers(tmp_path / "none.txt", name="prod")


def test_passwords_that_are_there_stay(tmp_path: Path) -> None:
    credentials = Credentials(tmp_path / "passwords.json")
    first = credentials["admin"].get_secret_value()
    credentials.keep()
    answers = read(tmp_path, FULL)
    new, others = not_kept(credentials, answers.passwords)
    assert others == ["admin"]
    assert "admin" not in new and new["glance_database"].value.get_secret_value() == "glance-secret"
    assert credentials["admin"].get_secret_value() == first
    assert "glance_database" not in credentials, "nothing is kept before all of it can be used"
