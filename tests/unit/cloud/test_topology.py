"""What an operator writes: mistakes are found together, with their lines."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from rdo.cloud.cloudfile import EXAMPLE, read_cloud
from rdo.cloud.topology import CORE, Cloud, Role
from rdo.common.errors import DataError

ONE = {"name": "one", "address": "192.0.2.10"}
CLUSTER = {"fsid": "4b5c8c0a-ff60-454b-a1b4-9747aa737d19", "monitors": ["192.0.2.50"], "keyrings": "keys"}
TWO = {"name": "two", "address": "192.0.2.11", "roles": ["compute"]}


def cloud(**fields: Any) -> Cloud:
    return Cloud.model_validate({"hosts": [ONE], **fields})


def test_one_host_is_enough() -> None:
    found = cloud()
    assert found.controller.name == "one"
    assert set(found.hosts[0].roles) == set(Role)
    assert found.services == CORE


def test_the_example_can_be_used_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "cloud.yaml"
    path.write_text(EXAMPLE)
    assert read_cloud(path).name == "demo"


def test_the_example_s_comments_are_the_defaults(tmp_path: Path) -> None:
    """What stands behind a "#" there is what is used where nothing is said."""
    said = []
    for line in EXAMPLE.splitlines():
        text = line.removeprefix("# ") if line.startswith("# ") and not line.startswith("# A cloud") else line
        in_cluster = text.startswith(("  cluster", "    fsid", "    monitors", "    keyrings", "    pools"))
        skip = ("series:", "repository", "- name: compute1", "  address: 192.0.2.11", "  roles: [compute]")
        if not in_cluster and not text.startswith((*skip, "options", "  nova", "    DEFAULT", "      debug")):
            said.append(text)
    path = tmp_path / "cloud.yaml"
    path.write_text("\n".join(said))
    plain = tmp_path / "plain.yaml"
    plain.write_text("name: demo\nhosts:\n- {name: controller, address: 192.0.2.10}\n")
    assert read_cloud(path) == read_cloud(plain)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"hosts": [ONE, ONE]}, ["the name one is used twice", "the address 192.0.2.10 is used twice"]),
        ({"hosts": [ONE | {"roles": ["compute"]}]}, ["one host must be the controller, not 0", "network"]),
        ({"hosts": [ONE | {"roles": ["controller"]}]}, ["no host has the role compute", "storage"]),
        ({"services": ["nova"]}, ["lacks", "placement (nova needs it)"]),
        ({"services": ["nova", "heet"]}, ["services"]),
        ({"external": {"gateway": "198.51.100.1"}}, ["gateway: not in 203.0.113.0/24"]),
        ({"external": {"first": "203.0.113.9", "last": "203.0.113.2"}}, ["comes after last"]),
        ({"external": {"first": "203.0.113.1"}}, ["the gateway 203.0.113.1 is among the floating IPs"]),
        ({"storage": {"volumes": "nfs"}}, ["nfs_share goes with"]),
        ({"storage": {"cluster": {"fsid": "x", "monitors": []}}}, ["fsid", "monitors", "keyrings"]),
        (
            {"storage": {"images": "file", "volumes": "lvm", "disks": "local", "cluster": CLUSTER}},
            ["cluster goes with rbd"],
        ),
        ({"hosts": [ONE | {"address": "192.0.2.300"}]}, ["address"]),
        (
            {
                "datapath": "userspace",
                "hosts": [ONE, {"name": "two", "address": "192.0.2.11", "roles": ["compute"]}],
            },
            ["one lacks tunnel and tunnel_interface", "two lacks"],
        ),
        ({"colour": "red"}, ["colour"]),
    ],
)
def test_what_can_not_be_is_refused(fields: dict[str, Any], words: list[str]) -> None:
    with pytest.raises(ValidationError) as caught:
        cloud(**fields)
    for word in words:
        assert word in str(caught.value)


def test_mistakes_in_a_file_are_told_together_with_lines(tmp_path: Path) -> None:
    path = tmp_path / "cloud.yaml"
    path.write_text("name: X!\nregio: here\nhosts:\n- name: one\n  address: 192.0.2.300\n")
    with pytest.raises(DataError) as caught:
        read_cloud(path)
    said = str(caught.value)
    for line in ("cloud.yaml:1", "cloud.yaml:2", "cloud.yaml:5"):
        assert line in said
