from __future__ import annotations

import dataclasses
import os
import subprocess
from pathlib import Path

import pytest

from rdo.cloud.testhosts.processes import ProcessIdentity
from rdo.cloud.testhosts.records import HostDescription, Runtime, check_name, view
from rdo.common.errors import InputError

HOST = HostDescription(
    name="web",
    address="192.0.2.10",
    platform="debian13",
    created="2026-01-02T03:04:05+00:00",
    layers=("/top", "/base"),
    disk="/disk",
    namespace="rdo-0-web",
    cgroup="/sys/fs/cgroup/rdo-0-web",
)


def ourselves() -> ProcessIdentity:
    found = ProcessIdentity.of(os.getpid())
    assert found is not None
    return found


@pytest.mark.parametrize("name", ["a", "web", "controller-1", "a" * 32])
def test_good_names(name: str) -> None:
    assert check_name(name) == name


@pytest.mark.parametrize(
    "name", ["", "Web", "1web", "-a", "a-", "a_b", "a.b", "a" * 33, "../x", "a\n", "ssh", "localhost"]
)
def test_bad_names(name: str) -> None:
    with pytest.raises(InputError):
        check_name(name)


def test_description_is_read_as_written(tmp_path: Path) -> None:
    HOST.save(tmp_path)
    assert HostDescription.load(tmp_path) == HOST


def test_host_that_never_ran_is_stopped(tmp_path: Path) -> None:
    assert Runtime.load(tmp_path).state == "stopped"


def test_runtime_is_read_as_written(tmp_path: Path) -> None:
    runtime = Runtime("running", ourselves(), ourselves(), 3)
    runtime.save(tmp_path)
    assert Runtime.load(tmp_path) == runtime
    assert runtime.state == "running"


def test_host_whose_init_is_not_there_yet_is_starting() -> None:
    assert Runtime("starting", ourselves()).state == "starting"


def test_host_whose_processes_are_gone_has_crashed() -> None:
    gone = dataclasses.replace(ourselves(), started=1)
    assert Runtime("running", gone, gone, 1).state == "crashed"


def test_host_of_a_former_boot_of_the_machine_is_stopped() -> None:
    former = dataclasses.replace(ourselves(), boot="another")
    assert Runtime("running", former, former, 1).state == "stopped"


def test_only_a_running_host_has_a_pid() -> None:
    running = view(HOST, Runtime("running", ourselves(), ourselves(), 1), Path("/config"))
    crashed = view(HOST, Runtime("crashed", boots=1), Path("/config"))
    assert (running.pid, running.state) == (os.getpid(), "running")
    assert (crashed.pid, crashed.state) == (None, "crashed")
    assert running.to_json()["ssh_config"] == "/config"


def test_a_number_that_changed_hands_is_not_signalled() -> None:
    child = subprocess.Popen(["sleep", "60"])
    try:
        identity = ProcessIdentity.of(child.pid)
        assert identity is not None and identity.alive
        stranger = dataclasses.replace(identity, started=identity.started + 1)
        assert not stranger.alive
        assert stranger.send(9) is False
        assert stranger.wait(0) is True
        assert identity.wait(0.01) is False
        assert identity.send(9) is True
        assert identity.wait(5) is True
    finally:
        child.kill()
        child.wait()
    assert ProcessIdentity.of(child.pid) is None
