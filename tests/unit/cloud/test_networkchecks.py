"""Interfaces and names of a host that would break its cloud are named before anything is changed."""

from __future__ import annotations

import subprocess
from ipaddress import IPv4Interface, ip_address
from typing import Any

import pytest

from rdo.cloud.networkchecks import LOOK, judge
from rdo.cloud.plan import Target
from rdo.cloud.topology import Cloud, Host, Role

SAID = """\
platform|debian|13|
port|0.0.0.0:22|users
interface|eth0
interface|eth1
interface|eth2
interface|lo
address|eth0|192.0.2.10/24
default|eth0
hosts|1|127.0.0.1 localhost
hosts|2|127.0.1.1 one
hosts|3|198.51.100.7 elsewhere
"""
TARGET = Target(host="192.0.2.10")


def found(said: str = SAID, target: Target = TARGET, **fields: Any) -> list[str]:
    one = Host(name="one", address=ip_address("192.0.2.10"), **fields)
    two = Host(name="two", address=ip_address("192.0.2.11"), roles=(Role.COMPUTE,))
    return judge(Cloud(hosts=(one, two)), one, target, said)


def test_a_host_as_it_should_be() -> None:
    assert found() == []
    assert found(external_interface="eth2") == []
    # where it is in the bridge already, it is as it was told
    assert found(SAID + "bridged|eth0\n", external_interface="eth0") == []


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("eth0", ["has 192.0.2.10, by which the host is reached", "has the host's default route"]),
        ("eht2", ["isn't there. The host has eth0 (192.0.2.10/24), eth1, eth2."]),
        ("br-ex", ["can't go into a bridge"]),
    ],
)
def test_an_interface_that_cannot_be_given_away(name: str, said: list[str]) -> None:
    lines = found(external_interface=name)
    assert len(lines) == len(said)
    for line, words in zip(lines, said, strict=True):
        assert line.startswith(f"one: external_interface: {name} ") and words in line


def test_an_interface_with_an_address_of_its_own() -> None:
    said = SAID + "address|eth2|198.51.100.10/24\n"
    (line,) = found(said, external_interface="eth2")
    assert "eth2 has 198.51.100.10, which the host would lose" in line
    (line,) = found(said, Target(host="198.51.100.10"), external_interface="eth2")
    assert "by which the host is reached" in line


def test_tunnels_of_the_userspace_datapath_take_an_interface_too() -> None:
    only = Host(
        name="one",
        address=ip_address("192.0.2.10"),
        tunnel=IPv4Interface("198.51.100.10/24"),
        tunnel_interface="eth0",
        external_interface="eth0",
    )
    lines = judge(Cloud(hosts=(only,), datapath="userspace"), only, TARGET, SAID)
    assert any("tunnel_interface: eth0 has 192.0.2.10, by which" in line for line in lines)
    assert any("is its external_interface and its tunnel_interface" in line for line in lines)
    fit = only.model_copy(update={"tunnel_interface": "eth1", "external_interface": None})
    said = SAID + "address|eth1|198.51.100.10/24\n"
    assert judge(Cloud(hosts=(fit,), datapath="userspace"), fit, TARGET, said) == []


@pytest.mark.parametrize(
    ("line", "named"),
    [
        (
            "203.0.113.77 one",
            "line 9 of /etc/hosts says that one is 203.0.113.77, and the cloud says 192",
        ),
        ("203.0.113.77 x.example two", "says that two is 203.0.113.77, and the cloud says 192.0.2.11"),
        ("127.0.1.1 two", "says that two is 127.0.1.1"),
    ],
)
def test_names_that_lead_elsewhere(line: str, named: str) -> None:
    (said,) = found(SAID + f"hosts|9|{line}\n")
    assert named in said


def test_the_script_is_bash() -> None:
    done = subprocess.run(["bash", "-n"], input=LOOK.reveal(), capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
