"""One command at a time changes a cloud, or a test host; who comes second is told at once who is at it."""

from __future__ import annotations

import os
import subprocess
import sys
from ipaddress import ip_address
from pathlib import Path

import pytest
from typer.testing import CliRunner

from rdo.cli import cloud as commands
from rdo.cli import host, repo
from rdo.cli.installation import open_installation
from rdo.cloud import busy
from rdo.cloud.backup import Manifest
from rdo.cloud.busy import BusyError
from rdo.cloud.records import forget, remember
from rdo.cloud.testhosts.records import HostDescription
from rdo.cloud.topology import Cloud, Host
from rdo.common.errors import InputError
from rdo.common.paths import Paths

#: Commands that only look, or change nothing but files that they are given.
LOOK = {"init", "plan", "verify", "status"}


@pytest.fixture
def paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Paths:
    monkeypatch.setenv("RDO_HOME", str(tmp_path / "home"))
    found = open_installation({"RDO_HOME": str(tmp_path / "home")}).paths
    only = Host(name="one", address=ip_address("198.51.100.10"))
    remember(found, Cloud(name="prod", hosts=(only,), repository="http://198.51.100.1"))
    return found


def test_the_second_is_told_who_has_it(paths: Paths) -> None:
    with busy.changing(paths, "prod", "rdo cloud rotate"):
        with pytest.raises(BusyError) as caught, busy.changing(paths, "prod", "rdo cloud up"):
            pass
        with busy.changing(paths, "other", "rdo cloud up"):
            pass
    said = str(caught.value)
    assert (
        f"The cloud prod is being changed already, by `rdo cloud rotate`, process {os.getpid()}, since"
        in said
    )
    assert "Nothing was done" in said
    with busy.changing(paths, "prod", "rdo cloud up"):
        forget(paths, "prod")
        with pytest.raises(BusyError, match="rdo cloud up"), busy.changing(paths, "prod", "rdo cloud down"):
            pass


def test_a_dead_holder_holds_nothing(paths: Paths) -> None:
    program = (
        "import os, sys, signal, subprocess\nfrom pathlib import Path\nfrom rdo.cloud import busy\n"
        "with busy.exclusive(Path(sys.argv[1]), 'It', 'up'):\n"
        # what it has started lives on, as hosts and servers do
        "    subprocess.Popen(['sleep', '30'])\n    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    place = paths.clouds / ".prod.lock"
    done = subprocess.run([sys.executable, "-c", program, str(place)], timeout=60)
    assert done.returncode == -9 and '"pid"' in place.read_text()
    with busy.changing(paths, "prod", "rdo cloud up"):
        assert place.stat().st_mode & 0o777 == 0o600


def test_of_several_test_hosts_all_are_held_or_none(paths: Paths) -> None:
    with busy.changing_hosts(paths, ["two"], "rdo repo try"):
        with (
            pytest.raises(BusyError, match="The test host two is being changed already, by `rdo repo try`"),
            busy.changing_hosts(paths, ["three", "two", "one"], "rdo host create"),
        ):
            pass
        with busy.changing_hosts(paths, ["one", "three", "one"], "rdo host create"):
            pass
    assert paths.hosts.stat().st_mode & 0o777 == 0o700
    with pytest.raises(InputError), busy.changing_hosts(paths, ["../one"], "rdo host create"):
        pass


def test_every_command_that_changes_a_test_host_takes_its_lock(
    paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two `rdo repo try` of one name destroyed each other's host."""
    monkeypatch.setattr("rdo.cloud.testhosts.hosts.require_root", lambda: None)
    (paths.hosts / "trial").mkdir(parents=True)
    HostDescription(
        *("trial", "192.0.2.99", "debian13", "2026-11-27T06:30:00+00:00", ()),
        disk=str(paths.hosts / "trial"),
        namespace="",
        cgroup="",
    ).save(paths.hosts / "trial")
    arguments = {
        "create": ["fresh", "trial"],
        "start": ["trial"],
        "stop": ["trial"],
        "reboot": ["trial"],
        "destroy": ["trial", "--yes"],
    }
    # a power cut asks nobody, and the others only look
    left_out = {"crash", "list", "shell"}
    names = {one.name or one.callback.__name__ for one in host.app.registered_commands if one.callback}
    assert names - left_out == arguments.keys()
    with busy.changing_hosts(paths, ["trial"], "rdo repo try"):
        before = sorted(paths.hosts.rglob("*"))
        for name, words in arguments.items():
            result = CliRunner().invoke(host.app, [name, *words])
            assert isinstance(result.exception, BusyError), (name, result.output, result.exception)
        result = CliRunner().invoke(repo.app, ["try", "--host", "trial"])
        assert isinstance(result.exception, BusyError), (result.output, result.exception)
        assert {one.name for one in [*paths.hosts.rglob("*")]} - {one.name for one in before} <= {
            ".busy-fresh.lock"
        }


def manifest(folder: Path) -> str:
    made = "2026-11-27T06:30:00Z"
    value = Manifest.model_validate(
        {"cloud": "prod", "series": "2026.1", "made": made, "packages": {}, "databases": (), "ovn": ()}
        | {"hosts": (), "pieces": ()}
    )
    folder.mkdir()
    (folder / "manifest.json").write_text(value.model_dump_json())
    return str(folder)


def test_every_command_that_changes_a_cloud_takes_its_lock(paths: Paths, tmp_path: Path) -> None:
    """A new command is found here, unless it takes the lock or is said to look only."""
    arguments = {
        "up": ["prod"],
        "add": ["two", "prod", "--host", "198.51.100.11"],
        "remove": ["one", "prod", "--yes"],
        "rotate": ["prod", "--passwords", "--yes"],
        "down": ["prod", "--yes"],
        "stop": ["prod", "--yes"],
        "start": ["prod"],
        "backup": ["prod", str(tmp_path / "backups")],
        "restore": [manifest(tmp_path / "backup"), "--yes"],
    }
    names = {
        command.name or command.callback.__name__
        for command in commands.app.registered_commands
        if command.callback is not None
    }
    assert names - LOOK == arguments.keys()
    with busy.changing(paths, "prod", "rdo cloud test"):
        before = sorted(paths.clouds.rglob("*"))
        for name, words in arguments.items():
            result = CliRunner().invoke(commands.app, [name, *words])
            assert isinstance(result.exception, BusyError), (name, result.output, result.exception)
        assert sorted(paths.clouds.rglob("*")) == before
