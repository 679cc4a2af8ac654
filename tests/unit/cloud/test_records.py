"""A name stands for one cloud: two files never share passwords, and nobody's records are overwritten."""

from __future__ import annotations

import os
from dataclasses import replace
from ipaddress import ip_address
from pathlib import Path

import pytest

from rdo.cli.installation import open_installation
from rdo.cloud.apply import ApplyError
from rdo.cloud.plan import Target
from rdo.cloud.records import (
    described,
    forget,
    recall,
    remember,
    require_on_test_hosts,
    require_same,
)
from rdo.cloud.rollout import put_up
from rdo.cloud.topology import Cloud, Host
from rdo.common.errors import DataError, InputError, UnknownNameError
from rdo.common.paths import Paths
from tests.unit.cloud.test_operating import ONE, deployment


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return open_installation({"RDO_HOME": str(tmp_path / "home")}).paths


def file(folder: Path, address: str, *, name: str | None) -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / "cloud.yaml"
    head = f"name: {name}\n" if name else ""
    path.write_text(f"{head}hosts:\n- name: one\n  address: {address}\n")
    return path


def test_a_file_without_a_name_is_refused(tmp_path: Path, paths: Paths) -> None:
    with pytest.raises(DataError, match=r"cloud\.yaml:1: name is missing"):
        described(paths, file(tmp_path / "a", "198.51.100.10", name=None))


def test_a_cloud_that_was_put_up_without_a_name_goes_on(tmp_path: Path, paths: Paths) -> None:
    first = file(tmp_path / "a", "198.51.100.10", name=None)
    remember(paths, Cloud(hosts=(Host(name="one", address=ip_address("198.51.100.10")),)))
    assert described(paths, first).name == "rdo"
    with pytest.raises(DataError, match="name is missing"):
        described(paths, file(tmp_path / "b", "198.51.100.20", name=None))


def test_another_file_of_the_same_name_is_refused(tmp_path: Path, paths: Paths) -> None:
    first = file(tmp_path / "a", "198.51.100.10", name="prod")
    remember(paths, described(paths, first), origin=first)
    second = file(tmp_path / "b", "198.51.100.20", name="prod")
    with pytest.raises(InputError) as caught:
        described(paths, second)
    said = str(caught.value)
    assert str(first) in said and str(second) in said
    assert "198.51.100.10" in said and "198.51.100.20" in said
    assert "--adopt" in (caught.value.hint or "")
    assert described(paths, second, adopt=True).controller.address == ip_address("198.51.100.20")
    # the same file may say another address, and a file may move
    assert described(paths, file(tmp_path / "a", "198.51.100.30", name="prod")).name == "prod"
    assert described(paths, file(tmp_path / "c", "198.51.100.10", name="prod")).name == "prod"
    forget(paths, "prod")
    assert described(paths, second).name == "prod"


def test_a_cloud_without_a_file_does_not_overwrite_another(paths: Paths) -> None:
    def one(address: str) -> Cloud:
        return Cloud(name="demo", hosts=(Host(name="one", address=ip_address(address)),))

    remember(paths, one("198.51.100.10"))
    require_same(paths, one("198.51.100.10"), None)
    with pytest.raises(InputError, match=r"demo is another cloud's, whose controller is 198\.51\.100\.10"):
        require_same(paths, one("198.51.100.20"), None)
    with pytest.raises(InputError, match="which isn't a test host"):
        require_on_test_hosts(paths, "demo")
    # test hosts that are gone are nobody's
    remember(paths, one("192.0.2.10"))
    require_on_test_hosts(paths, "demo")
    require_same(paths, one("198.51.100.20"), None)
    assert recall(paths, "demo").controller.address == ip_address("192.0.2.10")


def test_a_topology_is_kept_when_its_plans_are_applied_and_not_before(tmp_path: Path, paths: Paths) -> None:
    origin = file(tmp_path / "a", str(ONE.address), name="rdo")
    made = replace(deployment(paths.clouds / "rdo", ONE), origin=origin)
    with pytest.raises(UnknownNameError):
        recall(paths, "rdo")
    made.keep()
    assert recall(paths, "rdo") == made.site.cloud
    # it is known by its file from then on, whatever address that says
    assert described(paths, file(tmp_path / "a", "198.51.100.99", name="rdo")).name == "rdo"


def test_what_is_kept_has_modes_of_its_own(tmp_path: Path, paths: Paths) -> None:
    before = os.umask(0)
    try:
        origin = file(tmp_path / "a", "198.51.100.10", name="prod")
        remember(paths, described(paths, origin), origin=origin)
        config = tmp_path / "config"
        # nobody listens there: what is kept before hosts are reached is what this is about
        config.write_text("Host gone\n  HostName 127.0.0.1\n  Port 9\n")
        target = Target(host="gone", ssh_config=str(config))
        made = replace(deployment(paths.clouds / "prod", ONE), targets=[target])
        made.keep()
        assert not made.is_fresh
        with pytest.raises(ApplyError, match="gone"):
            put_up(made)
    finally:
        os.umask(before)
    wide = [
        f"{path} {path.stat().st_mode & 0o777:o}"
        for path in [paths.clouds, *paths.clouds.rglob("*")]
        if path.stat().st_mode & 0o022
    ]
    assert wide == []
    assert paths.clouds.joinpath("prod").stat().st_mode & 0o777 == 0o700
