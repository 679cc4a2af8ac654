"""Test hosts: booted for real, with all they leave behind looked for."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import createrepo_c
import pytest

from rdo.building.roots import Root, ensure_base
from rdo.building.rpminfo import RpmInfo
from rdo.building.stubs import write_stub_rpms
from rdo.cli.installation import open_installation
from rdo.cloud.testhosts import cgroups, hosts, image, serving
from rdo.cloud.testhosts.network import Network
from rdo.cloud.testhosts.processes import ProcessIdentity
from rdo.cloud.testhosts.records import HostDescription, Runtime
from rdo.cloud.testhosts.ssh import run_ssh
from rdo.common.errors import InputError, UnknownNameError
from rdo.common.paths import Paths
from rdo.common.process import CommandError
from rdo.distribution.load import Distribution
from rdo.distribution.models import Platform
from tests.settings import installation_of

pytestmark = [pytest.mark.root, pytest.mark.mirror]


@pytest.fixture(scope="module")
def paths(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Paths]:
    env = {"RDO_HOME": str(tmp_path_factory.mktemp("home")), "RDO_CACHE": "/var/cache/rdo"}
    made = open_installation({**env, **{k: v for k, v in os.environ.items() if k == "RDO_CACHE"}}).paths
    yield made
    hosts.destroy(made, [host.name for host in hosts.list_hosts(made)])


@pytest.fixture(scope="module")
def platform(paths: Paths) -> Platform:
    return Distribution.load(paths.distribution).platform("debian13")


@pytest.fixture(scope="module")
def layers(paths: Paths, platform: Platform) -> list[Path]:
    return image.ensure_host_base(platform, installation_of(paths), ["python3-pymysql"])


@pytest.fixture
def two(paths: Paths, layers: list[Path]) -> Iterator[list[str]]:
    names = ["one", "two"]
    hosts.create(paths, names, layers=layers, platform="debian13")
    yield names
    hosts.destroy(paths, [host.name for host in hosts.list_hosts(paths)])


def on(paths: Paths, name: str, script: str, *, check: bool = True) -> str:
    return run_ssh(hosts.get(paths, name), ["sh", "-c", script], check=check).stdout.strip()


def traces(paths: Paths, processes: list[ProcessIdentity]) -> list[str]:
    """Return whatever there is of an installation's hosts on this machine."""
    tag = Network.of(paths).namespace
    found = [str(path) for path in Path("/run/netns").glob(f"{tag}*")]
    found += [str(path) for path in cgroups.unified_hierarchy().glob(f"{tag}*")]
    found += [line for line in Path("/proc/mounts").read_text().splitlines() if str(paths.state) in line]
    found += [f"process {process.pid}" for process in processes if process.alive]
    found += [str(path) for path in Path("/dev/shm").glob(f"{tag}*")]
    return found


def processes_of(paths: Paths, names: list[str]) -> list[ProcessIdentity]:
    runtimes = [Runtime.load(paths.hosts / name) for name in names]
    found = [process for r in runtimes for process in (r.init, r.launcher) if process is not None]
    assert len(found) == 2 * len(names)
    return found


def test_hosts_run_reach_each_other_and_leave_nothing(paths: Paths, two: list[str], tmp_path: Path) -> None:
    one, other = (hosts.get(paths, name) for name in two)
    assert (one.state, other.state) == ("running", "running")
    assert on(paths, "one", "systemctl is-system-running") == "running"
    assert on(paths, "one", "uname -n") == "one"
    assert on(paths, "one", "ps -e -o comm= | head -1") == "systemd"
    assert "1 received" in on(paths, "one", f"ping -c 1 -W 2 {other.address}")
    assert on(paths, "one", "cat /etc/machine-id") != on(paths, "two", "cat /etc/machine-id")
    assert on(paths, "one", "ip route show default") == ""
    assert on(paths, "one", "date --set=@0 >/dev/null 2>&1 || echo refused") == "refused"
    assert paths.hosts.stat().st_mode & 0o077 == 0, "its set-user-id programs are for nobody else"
    processes = processes_of(paths, two)
    (tmp_path / "file").write_text("served\n")
    server = serving.serve_repository(paths, tmp_path)
    assert on(paths, "one", f"curl -s {server}/file") == "served"
    assert serving.serve_repository(paths, tmp_path) == server
    assert traces(paths, processes) != []
    hosts.destroy(paths, two)
    assert traces(paths, processes) == []
    assert hosts.list_hosts(paths) == []


def test_host_key_is_pinned_and_passwords_are_of_no_use(paths: Paths, two: list[str]) -> None:
    known = paths.hosts / "ssh/known_hosts"
    lines = known.read_text().splitlines()
    keys = {line.split()[0]: line.split()[2] for line in lines}
    swapped = dict(zip(keys, reversed(keys.values()), strict=True))
    known.write_text("".join(f"{names} ssh-ed25519 {key}\n" for names, key in swapped.items()))
    with pytest.raises(CommandError):
        run_ssh(hosts.get(paths, "one"), ["true"])
    known.write_text("\n".join(lines) + "\n")
    settings = on(paths, "one", "sshd -T")
    assert "passwordauthentication no" in settings
    assert "permitrootlogin without-password" in settings


def test_reboot_stop_start_and_crash_keep_the_disk(paths: Paths, two: list[str]) -> None:
    on(paths, "one", "echo kept >/root/file")
    before = hosts.get(paths, "one").pid
    after = hosts.reboot(paths, "one")
    assert after.state == "running" and after.pid != before
    assert hosts.stop(paths, "one").state == "stopped"
    assert hosts.start(paths, ["one"])[0].state == "running"
    crashed = hosts.crash(paths, "one")
    assert (crashed.state, crashed.pid) == ("crashed", None)
    with pytest.raises(CommandError):
        run_ssh(crashed, ["true"])
    assert hosts.get(paths, "two").state == "running"
    hosts.start(paths, ["one"])
    assert on(paths, "one", "cat /root/file; systemctl is-system-running") == "kept\nrunning"
    assert "1 received" in on(paths, "two", f"ping -c 1 -W 2 {crashed.address}")


def test_guests_own_reboot_and_power_off(paths: Paths, two: list[str]) -> None:
    before = hosts.get(paths, "one").pid
    on(paths, "one", "systemctl reboot", check=False)
    on(paths, "two", "systemctl poweroff", check=False)
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        one, other = (hosts.get(paths, name) for name in two)
        if one.pid not in (None, before) and other.state == "stopped":
            break
        time.sleep(0.1)
    assert (one.state, other.state) == ("running", "stopped")
    hosts.start(paths, two)
    assert on(paths, "two", "systemctl is-system-running") == "running"


def test_killed_launcher_takes_its_host_along(paths: Paths, two: list[str]) -> None:
    processes = processes_of(paths, two)
    launcher = Runtime.load(paths.hosts / "one").launcher
    assert launcher is not None
    launcher.send(9)
    assert all(process.wait(10) for process in processes[:2])
    assert hosts.get(paths, "one").state == "crashed"
    hosts.destroy(paths, two)
    assert traces(paths, processes) == []


def test_services_start_when_asked_to(paths: Paths, two: list[str]) -> None:
    services = "mariadb memcached apache2"
    assert on(paths, "one", f"systemctl is-active {services}", check=False).split() == ["inactive"] * 3
    on(paths, "one", f"systemctl enable --now {services}")
    assert on(paths, "one", "mariadb -N -e 'select 1+1'") == "2"
    assert "wsgi_module" in on(paths, "one", "apache2ctl -M 2>/dev/null")
    hosts.reboot(paths, "one")
    assert on(paths, "one", f"systemctl is-active {services}").split() == ["active"] * 3


def test_dnf_resolves_against_the_platforms_debs(
    paths: Paths, platform: Platform, two: list[str], tmp_path: Path
) -> None:
    requires = ("httpd", "python3dist(pymysql) > 0.1", "python(abi) = 3.13", "/bin/sh", "/usr/bin/openssl")
    good = RpmInfo(name="canary", version="1", release="1", requires=requires, sha256="canary")
    bad = RpmInfo(name="albatross", version="1", release="1", requires=("nowhere",), sha256="albatross")
    base = Root((ensure_base(platform, installation_of(paths)),))
    repository = tmp_path / "repository"
    write_stub_rpms([good, bad], repository, base, paths)
    _write_metadata(repository)
    url = serving.serve_repository(paths, repository)
    text = f"[canary]\nname=canary\nbaseurl={url}\ngpgcheck=0\n"
    run_ssh(hosts.get(paths, "one"), ["tee", "/etc/yum.repos.d/canary.repo"], input=text)
    on(paths, "one", "dnf -y -q install canary")
    assert on(paths, "one", "rpm -q canary").startswith("canary-1-1")
    assert "nowhere" in on(paths, "one", "dnf -y install albatross 2>&1", check=False)
    assert serving.serve_repository(paths, repository) == url


def test_names_are_refused_before_anything_is_made(paths: Paths, two: list[str], layers: list[Path]) -> None:
    for wrong in (["three", "one"], ["three", "Three"], ["three", "three"]):
        with pytest.raises(InputError):
            hosts.create(paths, wrong, layers=layers, platform="debian13")
    with pytest.raises(UnknownNameError):
        hosts.destroy(paths, ["one", "thre"])
    assert [host.name for host in hosts.list_hosts(paths)] == two


def test_disks_in_memory_survive_a_crash(paths: Paths, layers: list[Path]) -> None:
    hosts.create(paths, ["memory"], layers=layers, platform="debian13", in_memory=True)
    assert HostDescription.load(paths.hosts / "memory").disk.startswith("/dev/shm/")
    on(paths, "memory", "echo kept >/root/file")
    processes = processes_of(paths, ["memory"])
    hosts.crash(paths, "memory")
    hosts.start(paths, ["memory"])
    assert on(paths, "memory", "cat /root/file") == "kept"
    processes += processes_of(paths, ["memory"])
    hosts.destroy(paths, ["memory"])
    assert traces(paths, processes) == []


def test_command(paths: Paths, layers: list[Path]) -> None:
    assert layers
    env = {**os.environ, "RDO_HOME": str(paths.state.parent), "RDO_CACHE": str(paths.cache)}
    rdo = [sys.executable, "-c", "from rdo.cli.main import main; main()", "host"]

    def call(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*rdo, *arguments], env=env, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False
        )

    assert "host1" in call("create", "--package", "python3-pymysql").stdout
    assert '"state": "running"' in call("list", "--json").stdout
    done = call("shell", "host1", "--", "sh", "-c", "echo 'a  b'; exit 7")
    assert (done.stdout, done.returncode) == ("a  b\n", 7)
    assert call("shell", "hots1").returncode == 2
    assert call("destroy", "--all").returncode not in (0, 2)
    assert call("destroy", "--all", "--yes").returncode == 0
    assert call("list", "--json").stdout.strip() == "[]"


def _write_metadata(folder: Path) -> None:
    files = sorted(folder.glob("*.rpm"))
    with createrepo_c.RepositoryWriter(str(folder), compression=createrepo_c.GZ) as writer:
        writer.set_num_of_pkgs(len(files))
        for file in files:
            writer.add_pkg_from_file(str(file))
